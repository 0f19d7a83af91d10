"""Programs from outside that run a model: onnxruntime, or ONNX's reference evaluator where that cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from unbend.errors import ModelError
from unbend.network import Network
from unbend.network.graph import captured_by
from unbend.network.run import serialise, session

Feeds = Mapping[str, np.ndarray]
Run = Callable[[Feeds], list[np.ndarray]]

STORED = 15
"""From this opset on the reference evaluator normalises by stored statistics; what 13 and 14 mean is the same."""


def witness(model: ir.Model, feeds: Feeds) -> tuple[str, Run]:
    """The name of a program that runs the model on inputs like `feeds`, and the function that does it.

    Raises
    ------
    ModelError
        None can; the text says why.
    """
    try:
        run = _onnxruntime(model)
        run(feeds)
    except ModelError as reason:
        try:
            run = _reference(model)
            run(feeds)
        except Exception:  # the reference evaluator fails in many ways; the first reason is the one to tell
            raise reason from None
        return "ONNX's reference evaluator", run
    return "onnxruntime", run


def _onnxruntime(model: ir.Model) -> Run:
    opened = session(serialise(model), model.graph.name or "the network", threads=1)

    def run(feeds: Feeds) -> list[np.ndarray]:
        try:
            return [np.asarray(array) for array in opened.run(None, dict(feeds))]
        except Exception as error:
            raise ModelError("onnxruntime cannot run it", where=str(error).strip().splitlines()[-1][:300]) from error

    return run


def _reference(model: ir.Model) -> Run:
    if (model.graph.opset_imports.get("") or STORED) < STORED:
        model = model.clone()
        model.graph.opset_imports[""] = STORED
    evaluator = ReferenceEvaluator(serialise(model))

    def run(feeds: Feeds) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            return [np.asarray(array) for array in evaluator.run(None, dict(feeds))]

    return run


def cut(network: Network, model: ir.Model, sources: Sequence[str], outputs: Sequence[str]) -> ir.Model:
    """The piece of `model` that makes `outputs` from `sources`: values of `network`, whose names the model keeps."""
    piece = model.clone()
    graph = piece.graph
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
    return ir.TensorType(ir.DataType.from_numpy(network.types.get(name, np.dtype(np.float32))))
