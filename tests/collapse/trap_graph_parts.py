"""Traps of the graph around the numbers: outputs, readers, subgraphs, functions, opsets, names, other domains."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a
from trap import chain, statistics, trap


def rows(**more: int) -> Graph:
    return Graph("N", 4, **more)


def value(name: str, *shape: int | str, element: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(array.astype(np.float32), name)


@trap(1)
def overridable_weight():  # an initializer that is an input as well: a caller may bring another
    graph = rows()
    weight = graph.constant(a(4, 4), "weight")
    graph.inputs.append(value("weight", 4, 4))
    return graph.model(graph("Mul", graph("MatMul", "x", weight), a(4)))


@trap(1)
def inputs_of_an_old_ir():  # before IR 4 every initializer had to be an input, and nobody could replace it
    graph = rows(opset=13)
    layers = {"first": a(4, 4), "second": a(4, 4)}
    hidden = "x"
    for name, weight in layers.items():
        hidden = graph("MatMul", hidden, graph.constant(weight, name))
        graph.inputs.append(value(name, 4, 4))
    model = graph.model(hidden)
    model.ir_version = 3
    return model


@trap(2)
def every_layer_an_output():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    return graph.model(graph("Gemm", hidden, a(4, 4), a(4)), hidden)


@trap(1)
def output_before_a_scale():  # onnxruntime fused away an output that was asked for
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    return graph.model(graph("Mul", hidden, a(4)), hidden)


@trap(1)
def one_value_as_two_outputs():
    graph = rows()
    hidden = graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 4))
    return graph.model(hidden, graph("Identity", hidden))


@trap(0)
def the_input_as_an_output():
    graph = rows()
    return graph.model(graph("Identity", "x"), graph("Neg", graph("Neg", "x")))


@trap(1)
def constant_output():
    graph = rows()
    hidden = graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 4))
    return graph.model(hidden, graph("Identity", a(3)))


@trap(1, dynamic="output")
def initializer_as_an_output():
    graph = rows()
    weight = graph.constant(a(4, 4), "weight")
    hidden = graph("MatMul", graph("MatMul", "x", weight), a(4, 4))
    model = graph.model(hidden)
    model.graph.output.append(value("weight", 4, 4))
    return model


@trap(1)
def labels_beside_the_scores():  # a text output
    graph = rows()
    scores = graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 3), a(3))
    graph.initializers.append(helper.make_tensor("labels", TensorProto.STRING, [3], [b"a", b"b", b"c"]))
    found = graph("Gather", "labels", graph("ArgMax", scores, axis=1, keepdims=0), axis=0)
    model = graph.model(scores, found)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.STRING
    return model


@trap(2)
def weight_read_by_a_bend():  # its other reader still needs it as it was
    graph = rows()
    weight = graph.constant(a(4, 4))
    hidden = graph("MatMul", graph("MatMul", "x", weight), a(4, 4))
    return graph.model(graph("Max", graph("Relu", hidden), graph("MatMul", "x", weight)))


def branch(*nodes: onnx.NodeProto, output: str, initializers: tuple[onnx.TensorProto, ...] = ()) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "branch", [], [value(output, "N", 4)], list(initializers))


@trap(2)
def branches_that_read_outside():  # If: its bodies read a value and a weight of the graph around them
    graph = rows()
    hidden = graph("Gemm", graph("Mul", "x", a(4)), a(4, 4), a(4))
    outer = graph.constant(a(4, 4), "outer")
    positive = graph("Squeeze", graph("Greater", graph("ReduceSum", "x", keepdims=1), np.array([[0.0]])))
    node = helper.make_node("MatMul", [hidden, outer], ["then"])
    then = branch(node, output="then")
    other = branch(helper.make_node("Neg", [hidden], ["otherwise"]), output="otherwise")
    graph.nodes.append(helper.make_node("If", [positive], ["joined"], then_branch=then, else_branch=other))
    return graph.model(graph("MatMul", "joined", outer))


@trap(1)
def names_used_in_both_branches():  # a name may be used again in another body
    graph = rows()
    hidden = graph("Gemm", graph("Mul", "x", a(4)), a(4, 4), a(4))
    positive = graph("Squeeze", graph("Greater", graph("ReduceSum", "x", keepdims=1), np.array([[0.0]])))
    bodies = [
        branch(
            helper.make_node("MatMul", [hidden, "inner"], ["middle"]),
            helper.make_node(op, ["middle"], [f"end_{op}"]),
            output=f"end_{op}",
            initializers=(tensor("inner", a(4, 4)),),
        )
        for op in ("Neg", "Relu")
    ]
    graph.nodes.append(helper.make_node("If", [positive], ["joined"], then_branch=bodies[0], else_branch=bodies[1]))
    return graph.model(graph("Mul", "joined", a(4)))


@trap(1)
def loop_that_reads_outside():
    graph = rows()
    weight = graph("Mul", "x", a(4))
    hidden = graph("Gemm", weight, a(4, 4), a(4))
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["state", hidden], ["sum"]),
        ],
        "body",
        [value("i", element=TensorProto.INT64), value("go", element=TensorProto.BOOL), value("state", "N", 4)],
        [value("go_on", element=TensorProto.BOOL), value("sum", "N", 4)],
    )
    trips, start = graph.constant(np.array(3)), graph.constant(np.array(True))
    graph.nodes.append(helper.make_node("Loop", [trips, start, hidden], ["summed"], body=body))
    model = graph.model(graph("Mul", "summed", a(4)), check=False)
    model.graph.output[0].CopyFrom(value(model.graph.output[0].name, "N", 4))
    return model


@trap(2)
def scan_over_a_sequence():
    graph = Graph("N", 3, 4)
    moved = graph("Transpose", graph("MatMul", "x", a(4, 4)), perm=[1, 0, 2])
    start = graph("ReduceSum", moved, np.array([0]), keepdims=0)
    body = helper.make_graph(
        [helper.make_node("Add", ["state", "row"], ["next"]), helper.make_node("Tanh", ["next"], ["out"])],
        "body",
        [value("state", "N", 4), value("row", "N", 4)],
        [value("next", "N", 4), value("out", "N", 4)],
    )
    graph.nodes.append(helper.make_node("Scan", [start, moved], ["last", "all"], body=body, num_scan_inputs=1))
    return graph.model(graph("MatMul", graph("Mul", "last", a(4)), a(4, 2)))


def function(name: str, inputs: list[str], nodes: list[onnx.NodeProto], output: str, opset: int = 18, **more):
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, inputs, [output], nodes, imports, **more)


@trap(1)
def functions_of_the_model():  # one calls the other, one has an attribute
    graph = rows()
    scaled = helper.make_node("Gemm", ["x", "w"], ["y"])
    scaled.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="by", type=onnx.AttributeProto.FLOAT))
    graph.functions.append(function("Scaled", ["x", "w"], [scaled], "y", attributes=["by"]))
    nodes = [
        helper.make_node("Scaled", ["x", "w"], ["hidden"], domain="own", by=0.5),
        helper.make_node("Gemm", ["hidden", "w", "b"], ["y"]),
    ]
    graph.functions.append(function("Twice", ["x", "w", "b"], nodes, "y"))
    return graph.model(graph("Twice", "x", a(4, 4), a(4), domain="own"))


@trap(1)
def function_with_a_name_of_the_standard():  # own.Relu is no Relu
    graph = rows()
    graph.functions.append(function("Relu", ["x"], [helper.make_node("Neg", ["x"], ["y"])], "y"))
    hidden = graph("Relu", graph("Gemm", "x", a(4, 4), a(4)), domain="own")
    return graph.model(graph("Gemm", hidden, a(4, 4)))


@trap(2)
def op_of_an_unknown_domain():  # what is around it still collapses
    graph = rows()
    hidden = graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 4), a(4))
    strange = graph("Strange", hidden, domain="nobody")
    graph.nodes.append(helper.make_node("Gemm", [strange, graph.constant(a(4, 4))], ["next"]))
    graph.nodes.append(helper.make_node("Mul", ["next", graph.constant(a(4))], ["last"]))
    model = graph.model("last", check=False)
    model.graph.output[0].CopyFrom(value("last", "N", 4))
    model.graph.value_info.append(value(strange, "N", 4))
    return model


@trap(1)
def names_that_a_writer_would_choose():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4), outputs=["hidden"], label="y_Gemm")[0]
    graph.constant(a(2), "y_W")
    graph.constant(a(2), "y_b")
    last = graph("Gemm", hidden, graph.constant(a(4, 4), "y_kept"), outputs=["y"], label="y_before")[0]
    return graph.model(last)


@trap(1)
def no_names_of_nodes():
    graph = rows()
    model = graph.model(graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 4)))
    for node in model.graph.node:
        node.name = ""
    return model


@trap(1)
def one_name_for_every_node():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4), label="same")
    return graph.model(graph("Gemm", hidden, a(4, 4), label="same"))


@trap(1)
def optional_input_left_empty():
    graph = Graph("N", 3, 6, 6)
    hidden = graph("Conv", "x", a(3, 3, 1, 1), "")
    return graph.model(graph("Mul", hidden, a(3, 1, 1)))


@trap(1)
def metadata_and_a_doc_string():
    graph = rows()
    model = graph.model(graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 4)))
    helper.set_model_props(model, {"author": "somebody", "classes": "a,b"})
    model.doc_string, model.graph.doc_string = "what it is for", "what it is"
    model.producer_version, model.domain, model.model_version = "7", "some.where", 3
    return model


@trap(1, bfloat16="op")
def sequence_in_the_middle():
    graph = rows()
    hidden = graph("Gemm", "x", a(4, 4), a(4))
    several = graph("SplitToSequence", hidden, np.array(2), axis=1)
    joined = graph("ConcatFromSequence", several, axis=1)
    return graph.model(graph("Mul", joined, a(4)))


@trap(1, bfloat16="op")
def optional_in_the_middle():
    graph = rows()
    hidden = graph("Mul", graph("Gemm", "x", a(4, 4), a(4)), a(4))
    return graph.model(graph("OptionalGetElement", graph("Optional", hidden)))


@trap(1)
def weights_from_constant_nodes():
    graph = rows()
    first = graph("Constant", value=tensor("", a(4, 4)))
    second = graph("Constant", value_floats=[0.5, 1.0, -1.0, 2.0])
    return graph.model(graph("Mul", graph("MatMul", "x", first), second))


@trap(1)
def weights_computed_from_others():
    graph = rows()
    weight = graph("Transpose", graph("Mul", a(4, 4), np.array(0.5)), perm=[1, 0])
    norm = graph("Sqrt", graph("ReduceSum", graph("Mul", weight, weight), np.array([1])))
    return graph.model(graph("Add", graph("MatMul", "x", graph("Div", weight, norm)), a(4)))


@trap(1)
def weight_that_differs_by_a_scale():  # A and A/2 share no number, W and W do
    graph = rows()
    weight = graph.constant(a(4, 4))
    return graph.model(graph("MatMul", graph("MatMul", "x", weight), weight))


def of_opset(opset: int) -> onnx.ModelProto:
    """Layers whose ops changed their form between opsets: what is an attribute in one is an input in another."""
    graph = Graph("N", 3, 6, 6, opset=opset)
    spatial = {"spatial": 1} if opset < 9 else {}
    hidden = graph("BatchNormalization", graph("Conv", "x", a(3, 3, 3, 3), a(3)), *statistics(3), **spatial)
    hidden = graph("Dropout", hidden, **({"ratio": 0.3} if opset < 12 else {}))
    padded = {"pads": [0, 0, 1, 1, 0, 0, 1, 1]} if opset < 11 else {}
    hidden = graph("Pad", hidden, *([] if padded else [np.array([0, 0, 1, 1, 0, 0, 1, 1])]), **padded)
    axes = {"axes": [2, 3]} if opset < 18 else {}
    hidden = graph("ReduceMean", hidden, *([] if axes else [np.array([2, 3])]), keepdims=0, **axes)
    one = {"axes": [2]} if opset < 13 else {}
    for op in ("Unsqueeze", "Squeeze"):
        hidden = graph(op, hidden, *([] if one else [np.array([2])]), **one)
    return graph.model(graph("Softmax", graph("Gemm", hidden, a(3, 2), a(2)), axis=1))


@trap(2, float16="op", bfloat16="opset")
def opset_7():
    return of_opset(7)


@trap(2, float16="op", bfloat16="opset")
def opset_8():
    return of_opset(8)


@trap(2, float16="op", bfloat16="opset")
def opset_9():
    return of_opset(9)


@trap(2, bfloat16="opset")
def opset_11():
    return of_opset(11)


@trap(2, bfloat16="opset")
def opset_13():
    return of_opset(13)


@trap(2, bfloat16="opset")
def opset_15():
    return of_opset(15)


@trap(2)
def opset_18():
    return of_opset(18)


@trap(2)
def opset_21():
    return of_opset(21)


@trap(2)
def opset_23():
    return of_opset(23)


@trap(1, bfloat16="opset")
def upsample():  # the op that Resize took over from
    layers = [("Conv", a(3, 3, 1, 1), a(3)), ("Upsample", np.array([1.0, 1, 2, 2]), {"mode": "nearest"})]
    return chain(*layers, ("Mul", a(3, 1, 1)), graph=Graph("N", 3, 4, 4, opset=9))


@trap(2, bfloat16="opset")
def softmax_of_an_old_opset():  # before 13 it flattens behind its axis
    layers = [("MatMul", a(4, 4)), ("Mul", a(4)), ("Softmax", {"axis": 1}), ("MatMul", a(4, 4))]
    return chain(*layers, graph=Graph("N", 3, 4, opset=11))


@trap(1)
def labels_from_another_node():  # text that is constant, and yet no initializer
    graph = rows()
    scores = graph("Gemm", graph("Gemm", "x", a(4, 4), a(4)), a(4, 3), a(3))
    graph.initializers.append(helper.make_tensor("labels", TensorProto.STRING, [3], [b"a", b"b", b"c"]))
    found = graph("Gather", graph("Identity", "labels"), graph("ArgMax", scores, axis=1, keepdims=0), axis=0)
    model = graph.model(scores, found)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.STRING
    return model


@trap(2, float16="shapes", bfloat16="shapes", dynamic="shapes")
def rows_along_the_second_axis():  # behind an op that nobody knows: (1, N, 4) looks like (N, 1, 4) for one row
    graph = Graph("N", 1, 4)
    moved = graph("Transpose", graph("Mul", graph("MatMul", "x", a(4, 4)), a(4)), perm=[1, 0, 2])
    strange = graph("Strange", moved, domain="nobody")
    steps = (("Squeeze", np.array([0])), ("Gemm", a(4, 8)), ("Gemm", a(8, 2), a(2)))
    last = strange
    for op, *inputs in steps:
        names = [last, *(graph.constant(one) for one in inputs)]
        last = f"{op}_{len(graph.nodes)}"
        graph.nodes.append(helper.make_node(op, names, [last]))
    model = graph.model(last, check=False)
    model.graph.output[0].CopyFrom(value(last, "N", 2))
    model.graph.value_info.append(value(strange, 1, "N", 4))
    return model
