"""Programs from outside that run a model: onnxruntime, or ONNX's reference evaluator where that cannot.

onnxruntime has no kernels for bfloat16 on the processor. It runs such a model with the same numbers in float32, as it
runs float16 models too, and what comes out is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network import Network
from unbend.network.external import bytes_of
from unbend.network.graph import captured_by
from unbend.network.reference import evaluator
from unbend.network.run import LARGE, opened, serialise

Feeds = Mapping[str, np.ndarray]
Run = Callable[[Feeds], list[np.ndarray]]

NARROW = ir.DataType.BFLOAT16


def witness(model: ir.Model, feeds: Feeds) -> tuple[str, Run]:
    """The name of a program that runs the model on inputs like `feeds`, and the function that does it.

    Raises
    ------
    ModelError
        None can; the text says why.
    """
    first: ModelError | None = None
    for who, open_ in PROGRAMS.items():
        try:
            run = open_(model)
            run(feeds)
        except ModelError as reason:
            first = first or reason
        except Exception:  # the reference evaluator fails in many ways; the first reason is the one to tell
            continue
        else:
            return who, run
    assert first is not None
    raise first


def _onnxruntime(model: ir.Model) -> Run:
    session = opened(model, model.graph.name or "the network", threads=1, lean=bytes_of(model) >= LARGE)

    def run(feeds: Feeds) -> list[np.ndarray]:
        try:
            return [np.asarray(array) for array in session.run(None, dict(feeds))]
        except Exception as error:
            raise ModelError("onnxruntime cannot run it", where=str(error).strip().splitlines()[-1][:300]) from error

    return run


def _in_float32(model: ir.Model) -> Run:
    """onnxruntime on a copy with float32 for bfloat16; ModelError where the model has none."""
    kinds = [value.dtype for value in model.graph.outputs]
    feed = {value.name: value.dtype for value in model.graph.inputs}
    run = _onnxruntime(widened(model))

    def rounded(feeds: Feeds) -> list[np.ndarray]:
        wide = {name: array.astype(np.float32) if feed[name] == NARROW else array for name, array in feeds.items()}
        outputs = zip(run(wide), kinds, strict=True)
        return [array.astype(NARROW.numpy()) if kind == NARROW else array for array, kind in outputs]

    return rounded


def widened(model: ir.Model) -> ir.Model:
    """A copy that computes in float32 wherever the model computes in bfloat16.

    Raises
    ------
    ModelError
        It does so nowhere.
    """
    wide = model.clone()
    graph = wide.graph
    values = [*graph.inputs, *graph.initializers.values()]
    values += [value for node in graph.all_nodes() for value in node.outputs]
    if not (narrow := [value for value in values if value.dtype == NARROW]):
        raise ModelError("it has no numbers in bfloat16")
    for value in narrow:
        value.type = ir.TensorType(ir.DataType.FLOAT)  # a new one: copies of a model share theirs
        if (tensor := value.const_value) is not None:
            value.const_value = _wide(tensor)
    for node in graph.all_nodes():
        for name, attribute in list(node.attributes.items()):
            if isinstance(attribute.value, ir.TensorProtocol) and attribute.value.dtype == NARROW:
                node.attributes[name] = ir.AttrTensor(name, _wide(attribute.value))
            elif name in ("to", "dtype") and attribute.value == NARROW:
                node.attributes[name] = ir.AttrInt64(name, ir.DataType.FLOAT)
    return wide


def _wide(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.tensor(np.asarray(tensor.numpy()).astype(np.float32), name=tensor.name)


def _reference(model: ir.Model) -> Run:
    session = evaluator(serialise(model), model.graph.opset_imports.get("", 1))

    def run(feeds: Feeds) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            return [np.asarray(array) for array in session.run(None, dict(feeds))]

    return run


PROGRAMS: Mapping[str, Callable[[ir.Model], Run]] = {
    "onnxruntime": _onnxruntime,
    "onnxruntime, in float32": _in_float32,
    "ONNX's reference evaluator": _reference,
}
"""In the order in which they are asked."""


def cut(network: Network, model: ir.Model, sources: Sequence[str], outputs: Sequence[str]) -> ir.Model:
    """The piece of `model` that makes `outputs` from `sources`: values of `network`, whose names the model keeps.

    Inputs of the model that the piece still reads, their shapes for instance, are inputs of the piece too.
    """
    piece = model.clone()
    graph = piece.graph
    own = list(graph.inputs)
    values = {v.name: v for v in (*graph.inputs, *(v for node in graph for v in node.outputs)) if v.name}
    wanted = [values[name] for name in outputs]
    graph.outputs.clear()
    inputs = []
    for name in sources:
        entry = ir.Value(name=name, type=_type(network, name))
        ir.convenience.replace_all_uses_with(values[name], entry)
        values[name].name = None
        inputs.append(entry)
    graph.inputs[:] = inputs
    graph.outputs[:] = wanted
    for name in outputs:
        values[name].type, values[name].shape = _type(network, name), None
    _prune(graph)
    graph.inputs.extend(value for value in own if value.uses())
    return piece


def _prune(graph: ir.Graph) -> None:
    """Take out every node and initializer that no output of the graph needs."""
    needed = {value.name for value in graph.outputs}
    idle: list[ir.Node] = []
    for node in reversed(list(graph)):
        if any(value.name in needed for value in node.outputs):
            needed.update(value.name for value in node.inputs if value is not None)
            needed.update(captured_by(node))
        else:
            idle.append(node)
    graph.remove(idle)
    for name in [name for name in graph.initializers if name not in needed]:
        del graph.initializers[name]


def _type(network: Network, name: str) -> ir.TensorType:
    return ir.TensorType(ir.DataType.from_numpy(network.dtype(name)))
