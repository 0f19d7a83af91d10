"""Tensors that are stored outside the model's file: every one is checked before any is read.

A file is untrusted input. A tensor can stand in an initializer, in an attribute (Constant), in a subgraph or in the
body of a model-local function, and each of them may name a file; that has to lie in the model's own folder, whole.
Large files are mapped into memory: the system reads of them what is used, and lets it go again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network.paged import PAGES, of_file

MAX_BYTES = 1_900_000_000
"""A model must fit into one file to be run or written as one: protobuf's limit is 2 GiB."""

MAPPED = 1 << 26
"""Files from this size on are mapped into memory, others are copied (64 MiB)."""


def load_external(model: ir.Model, name: str, path: str | None = None) -> tuple[Path, ...]:
    """Bring tensors that are stored outside the file into memory; the files that they were in.

    `path` is the model's file; a model without one keeps the folder that its tensors name.

    Raises
    ------
    ModelError
        A tensor's file lies outside the model's folder, is missing or too short, or cannot be read.
    """
    graphs = list(graphs_of(model))
    outside = [tensor for graph in graphs for tensor in _tensors(graph) if isinstance(tensor, ir.ExternalTensor)]
    files = _Files()
    for tensor in outside:
        _check(tensor, name, path)
    try:
        for graph in graphs if outside else []:
            files.bring_in(graph)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ModelError(f"the data file of {name} cannot be read", where=said) from error
    return tuple(dict.fromkeys(Path(tensor.path) for tensor in outside))


def detach(model: ir.Model) -> None:
    """Let the model keep its numbers as arrays, and not the message that it was parsed from, which has them too."""
    for graph in graphs_of(model):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.TensorProtoTensor):
                value.const_value = _array(value.const_value)
        for node in graph:
            for one in _own(node):
                if one.type == ir.AttributeType.TENSOR:
                    node.attributes[one.name] = ir.AttrTensor(one.name, _array(one.value))


def _array(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    """The tensor without its message; one of a type that has no array of its own stays as it is."""
    if not isinstance(tensor, ir.TensorProtoTensor) or tensor.dtype == ir.DataType.STRING or tensor.dtype.bitwidth < 8:
        return tensor
    array = PAGES.keep(tensor.numpy())
    return ir.Tensor(array, dtype=tensor.dtype, name=tensor.name, doc_string=tensor.doc_string)


def bytes_of(model: ir.Model) -> int:
    """How many bytes the tensors of the model take."""
    return sum(tensor.nbytes for graph in graphs_of(model) for tensor in _tensors(graph))


def data_files(model: ir.Model) -> list[str]:
    """The files beside the model's own that tensors are kept in, as the model names them."""
    tensors = (tensor for graph in graphs_of(model) for tensor in _tensors(graph))
    return sorted({str(tensor.location) for tensor in tensors if isinstance(tensor, ir.ExternalTensor)})


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


@dataclass
class _Files:
    """The data files, each mapped once."""

    maps: dict[Path, np.ndarray] = field(default_factory=dict)

    def bring_in(self, graph: ir.Graph) -> None:
        """Put what is in memory in the place of each external tensor."""
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                value.const_value = self._inside(value.const_value)
        for node in graph:
            for one in _own(node):
                if one.type == ir.AttributeType.TENSOR:
                    node.attributes[one.name] = ir.AttrTensor(one.name, self._inside(one.value))
                elif one.type == ir.AttributeType.TENSORS:
                    node.attributes[one.name] = ir.AttrTensors(one.name, [self._inside(each) for each in one.value])

    def _inside(self, tensor: ir.TensorProtocol) -> ir.TensorProtocol:
        if not isinstance(tensor, ir.ExternalTensor):
            return tensor
        file = Path(tensor.path)
        if file.stat().st_size >= MAPPED and tensor.dtype.bitwidth >= 8:
            return ir.Tensor(self._mapped(file, tensor), dtype=tensor.dtype, name=tensor.name)
        array = tensor.numpy().copy()
        tensor.release()
        return ir.Tensor(array, dtype=tensor.dtype, name=tensor.name)

    def _mapped(self, file: Path, tensor: ir.ExternalTensor) -> np.ndarray:
        """A view of the mapped file."""
        if file not in self.maps:
            self.maps[file] = of_file(file)
        start = tensor.offset or 0
        return self.maps[file][start : start + tensor.nbytes].view(tensor.dtype.numpy()).reshape(tensor.shape.numpy())


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
