"""Tensors that are stored outside the model's file: every one is checked before any is read.

A file is untrusted input. A tensor can stand in an initializer, in an attribute (Constant), in a subgraph or in the
body of a model-local function, and each of them may name a file; that has to lie in the model's own folder, whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx_ir as ir

from unbend.errors import ModelError

MAX_BYTES = 1_900_000_000
"""A model must fit into one file to be run: protobuf's limit is 2 GiB."""


def load_external(model: ir.Model, name: str, path: str | None = None) -> None:
    """Bring tensors that are stored outside the file into memory.

    `path` is the model's file; a model without one keeps the folder that its tensors name.

    Raises
    ------
    ModelError
        A tensor's file lies outside the model's folder, is missing or too short, or all of them are too much.
    """
    graphs = list(graphs_of(model))
    outside = [tensor for graph in graphs for tensor in _tensors(graph) if isinstance(tensor, ir.ExternalTensor)]
    for tensor in outside:
        _check(tensor, name, path)
    if (size := sum(tensor.nbytes for tensor in outside)) > MAX_BYTES:
        raise ModelError(
            f"{name} keeps {size / 1e9:.1f} GB outside its file; unbend reads up to {MAX_BYTES / 1e9:.1f} GB",
            try_="collapse its parts one by one",
        )
    try:
        for graph in graphs if outside else []:
            _bring_in(graph)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ModelError(f"the data file of {name} cannot be read", where=said) from error


def bytes_of(model: ir.Model) -> int:
    """How many bytes the tensors of the model take."""
    return sum(tensor.nbytes for graph in graphs_of(model) for tensor in _tensors(graph))


def outside_bytes(model: ir.Model) -> int:
    """How many of them are kept outside the model's file."""
    tensors = (tensor for graph in graphs_of(model) for tensor in _tensors(graph))
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, ir.ExternalTensor))


def graphs_of(model: ir.Model) -> Iterator[ir.Graph]:
    """The main graph, the bodies of the model's functions, and every subgraph of theirs."""
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        yield from _with_subgraphs(graph)


def _with_subgraphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    yield graph
    for node in graph:
        for attribute in _own(node):
            if attribute.type == ir.AttributeType.GRAPH:
                yield from _with_subgraphs(attribute.value)
            elif attribute.type == ir.AttributeType.GRAPHS:
                for inner in attribute.value:
                    yield from _with_subgraphs(inner)


def _own(node: ir.Node) -> list[ir.Attr]:
    """The node's attributes that have a value of their own; others are those of the function's call."""
    return [attribute for attribute in node.attributes.values() if not attribute.is_ref()]


def _tensors(graph: ir.Graph) -> Iterator[ir.TensorProtocol]:
    """The tensors of this graph itself: initializers and attributes."""
    for value in graph.initializers.values():
        if value.const_value is not None:
            yield value.const_value
    for node in graph:
        for attribute in _own(node):
            if attribute.type == ir.AttributeType.TENSOR:
                yield attribute.value
            elif attribute.type == ir.AttributeType.TENSORS:
                yield from attribute.value


def _bring_in(graph: ir.Graph) -> None:
    """Put a copy in memory in the place of each external tensor."""
    for value in graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            value.const_value = _copy(value.const_value)
    for node in graph:
        for attribute in _own(node):
            if attribute.type == ir.AttributeType.TENSOR:
                node.attributes[attribute.name] = ir.AttrTensor(attribute.name, _copy(attribute.value))
            elif attribute.type == ir.AttributeType.TENSORS:
                node.attributes[attribute.name] = ir.AttrTensors(attribute.name, [_copy(t) for t in attribute.value])


def _copy(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    if not isinstance(tensor, ir.ExternalTensor):
        return tensor
    array = tensor.numpy().copy()
    tensor.release()
    return ir.Tensor(array, dtype=tensor.dtype, name=tensor.name)


def _check(tensor: ir.ExternalTensor, name: str, path: str | None) -> None:
    """The tensor's file is there, whole, and in the model's own folder, which becomes the folder it is read from."""
    location, folder = Path(tensor.location), Path(path).parent if path is not None else Path(tensor.base_dir or ".")
    file = folder / location
    if location.is_absolute() or ".." in location.parts or not file.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{name} refers to data outside its own folder",
            where=f"tensor {tensor.name} is stored in {location}",
            try_="save the model again with its data file beside it",
        )
    needed = (tensor.offset or 0) + max(tensor.length or 0, tensor.nbytes)
    if not file.is_file() or file.stat().st_size < needed:
        state = "is truncated" if file.is_file() else "is missing"
        raise ModelError(
            f"the data file of {name} {state}",
            where=f"tensor {tensor.name} is stored in {file}",
            try_=f"put {location} beside the model, as it was written by the exporter",
        )
    tensor.base_dir = folder
