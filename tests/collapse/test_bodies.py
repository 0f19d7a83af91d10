"""The bodies of If, Loop and Scan are left alone, and what they read from outside stays, under its name."""

from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a

from unbend.collapse import collapse


def ends(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def body(name, nodes, outputs, inputs=(), **numbers):
    constants = [numpy_helper.from_array(np.asarray(array, np.float32), key) for key, array in numbers.items()]
    return helper.make_graph(nodes, name, list(inputs), list(outputs), constants)


def layers(source, target, weights=("w", "v")):
    """Two products without a bend between them."""
    hidden = f"{target}_hidden"
    return [
        helper.make_node("MatMul", [source, weights[0]], [hidden]),
        helper.make_node("MatMul", [hidden, weights[1]], [target]),
    ]


def conditional():
    """Both branches read a value of a stretch, its weight, and one another network output is made from."""
    graph = Graph("N", 4)
    weight = graph.constant(a(4, 4), "shared")
    inner = graph("MatMul", graph("MatMul", "x", weight), a(4, 4))
    end = graph("MatMul", graph("MatMul", inner, a(4, 9)), a(9, 4))
    flag = graph("Greater", graph("ReduceSum", "x", keepdims=0), np.array(0.0))
    yes = body("yes", layers(inner, "yes_out", (weight, "v")), [ends("yes_out", "N", 4)], v=a(4, 4))
    no = body("no", layers("x", "no_out", ("w", weight)), [ends("no_out", "N", 4)], w=a(4, 4))
    chosen = graph("If", flag, then_branch=yes, else_branch=no)
    return graph.model(graph("Add", end, chosen))


def looping():
    """A Loop whose body adds a value from outside, read by nobody else."""
    graph = Graph("N", 4)
    inner = graph("MatMul", graph("MatMul", "x", a(4, 9)), a(9, 4))
    state = graph("MatMul", graph("MatMul", "x", a(4, 9)), a(9, 4))
    nodes = [
        helper.make_node("Identity", ["going"], ["still"]),
        helper.make_node("Add", ["state", inner], ["sum"]),
        *layers("sum", "next"),
    ]
    inputs = [
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
        helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        ends("state", "N", 4),
    ]
    outputs = [helper.make_tensor_value_info("still", TensorProto.BOOL, []), ends("next", "N", 4)]
    repeated = body("repeated", nodes, outputs, inputs, w=a(4, 4), v=a(4, 4))
    end = graph("Loop", np.array(3, np.int64), np.array(True), state, body=repeated)
    return graph.model(graph("MatMul", graph("MatMul", end, a(4, 9)), a(9, 2)), check=False)


def nested():
    """An If in an If: the inner one reads a value of the outermost graph."""
    graph = Graph("N", 4)
    inner = graph("MatMul", graph("MatMul", "x", a(4, 9)), a(9, 4))
    flag = graph("Greater", graph("ReduceMax", "x", keepdims=0), np.array(1.0))
    deep = [
        body(name, layers(inner, f"{name}_out"), [ends(f"{name}_out", "N", 4)], w=a(4, 4), v=a(4, 4))
        for name in ("deep", "deeper")
    ]
    middle = [helper.make_node("If", [flag], ["middle_out"], then_branch=deep[0], else_branch=deep[1])]
    yes = body("middle", middle, [ends("middle_out", "N", 4)])
    no = body("no", [helper.make_node("Identity", [inner], ["no_out"])], [ends("no_out", "N", 4)])
    return graph.model(graph("If", flag, then_branch=yes, else_branch=no))


def names_taken():
    """A body whose values and numbers are called what a rewritten stretch would call its own."""
    graph = Graph("N", 4)
    end = graph("Gemm", graph("Gemm", "x", a(4, 9), a(9)), a(9, 4), a(4))
    plain = collapse(graph.model(graph("Relu", end)), cost="macs").to_onnx()
    new = {name for node in plain.graph.node for name in (*node.input, *node.output)} - {"x", end}
    new |= {f"{name}_{i}" for name in new for i in (2, 3)}
    first, *others = sorted(new - {name for node in graph.nodes for name in (*node.input, *node.output)})
    nodes = [helper.make_node("Mul", [end, first], [others[0]])]
    nodes += [helper.make_node("Abs", [one], [other]) for one, other in pairwise(others)]
    yes = body(
        "yes", [*nodes, helper.make_node("Neg", others[-1:], ["yes_out"])], [ends("yes_out", "N", 4)], **{first: 2}
    )
    no = body("no", [helper.make_node("Neg", [end], ["no_out"])], [ends("no_out", "N", 4)])
    flag = graph("Greater", graph("ReduceSum", "x", keepdims=0), np.array(0.0))
    return graph.model(graph("Relu", graph("If", flag, then_branch=yes, else_branch=no)))


def given(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def bodies(graph):
    """The nodes of every subgraph: op, and how many inputs and outputs."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [([(node.op_type, len(node.input), len(node.output)) for node in one.node], bodies(one)) for one in inner]


@pytest.mark.parametrize(("build", "heavy"), [(conditional, 2), (looping, 4), (nested, 1), (names_taken, 1)])
def test_what_is_around_a_body_collapses_and_the_body_stays(build, heavy):
    model = build()
    found = collapse(model, cost="macs")
    assert (found.changed, found.after.heavy) == (True, heavy), str(found)
    after = found.to_onnx()
    assert bodies(after.graph) == bodies(model.graph)
    for rows in (1, 3):
        for sign in (-1.0, 1.0):
            x = (sign * np.abs(a(rows, 4)) * 2).astype(np.float32)
            expected = given(model, x)
            np.testing.assert_allclose(given(after, x), expected, atol=1e-5 * np.abs(expected).max())
