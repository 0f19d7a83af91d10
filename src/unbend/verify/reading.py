"""A file as the checker sees it: nodes, constants, inputs and outputs. Read with onnx and onnx-ir.

Functions are put in place of their calls, constants become initializers and an old opset is converted, by ONNX's own
tools: so that both files, and the names in the certificate, speak of the same values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from unbend.errors import InputError
from unbend.verify import bodies

OLDEST_OPSET = 7
"""Files of an older opset are converted to this one before they are compared."""

ASSUMED_OPSET = 13
"""The opset of standard operators where a file has none of them."""

OVERRIDABLE = 4
"""Before this IR version every initializer had to be an input as well, and none could be replaced."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operation; `inputs` holds "" for an absent one, `captured` the outer values that its subgraphs read."""

    op_type: str
    domain: str
    version: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    captured: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.op_type} {self.name or self.outputs[0]}"


@dataclass(frozen=True, eq=False)
class File:
    """A model file: its graph in order, its numbers, and the fingerprint of all that it is made of."""

    path: Path
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    opsets: Mapping[str, int]
    hashes: Mapping[str, str]
    model: ir.Model

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The node that makes each value."""
        return {name: node for node in self.nodes for name in node.outputs if name}


class Tensors(Mapping[str, np.ndarray]):
    """The initializers of a graph; each is read when it is asked for, and not kept. Those that a caller may replace are
    no constants."""

    def __init__(self, graph: ir.Graph) -> None:
        replaceable = {value.name for value in graph.inputs}
        self._values = {name: value for name, value in graph.initializers.items() if name not in replaceable}

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self._values[name].const_value
        if tensor is None:
            raise KeyError(name)
        array = np.array(tensor.numpy())
        if isinstance(tensor, ir.ExternalTensor):
            tensor.release()
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read(path: str | Path) -> File:
    """The file at `path`.

    Raises
    ------
    InputError
        It is no ONNX model, or a data file is not there, not whole, or not in the model's folder.
    """
    path = Path(path)
    try:
        model = _load(path)
        for tensor in _outside(model):
            _place(tensor, path.parent.resolve())
        hashes = fingerprint(path, model)
        model = _plain(model)
    except OSError as error:
        where = error.filename or path
        raise InputError(f"cannot read {where}: {error.strerror or error}", try_="check the path") from error
    except Exception as error:
        raise InputError(f"{path} is not an ONNX model that can be read", where=_first_line(error)) from error
    graph = model.graph
    return File(
        path=path,
        nodes=tuple(_node(node, graph) for node in graph),
        constants=Tensors(graph),
        inputs={value.name or "": _port(value) for value in graph.inputs},
        outputs={value.name or "": _port(value) for value in graph.outputs},
        opsets=dict(graph.opset_imports),
        hashes=hashes,
        model=model,
    )


def _load(path: Path) -> ir.Model:
    """The model; one that ends in a ZipMap, as classifiers of scikit-learn do, as if it ended a node earlier."""
    try:
        return ir.load(path)
    except ir.serde.SerdeError:
        model = onnx.load(path, load_external_data=False)
        ends = [node for node in model.graph.node if node.op_type == "ZipMap"]
        if not ends:
            raise
    for end in ends:
        model.graph.node.remove(end)
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [end.output[0] if name == end.input[0] else name for name in names]
    for output in model.graph.output:
        if output.name in {end.output[0] for end in ends}:
            output.CopyFrom(onnx.helper.make_tensor_value_info(output.name, onnx.TensorProto.FLOAT, None))
    return ir.from_proto(model)


def _port(value: ir.Value) -> str:
    """The type and the shape that the file states for an input or an output."""
    return f"{value.dtype} {value.shape}" if value.shape is not None else str(value.dtype)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def fingerprint(path: Path, model: ir.Model) -> dict[str, str]:
    """The SHA-256 of the model's file ("") and of each data file that tensors of it lie in, wherever they stand."""
    locations = {str(tensor.location) for tensor in _outside(model)}
    return {"": _sha256(path)} | {one: _sha256(path.parent / one) for one in sorted(locations)}


def _outside(model: ir.Model) -> Iterator[ir.ExternalTensor]:
    """The tensors in data files: of initializers and attributes, in the graph, in functions and in bodies of either."""
    outer = (model.graph, *(function.graph for function in model.functions.values()))
    for graph in (inner for one in outer for inner in (one, *one.subgraphs())):
        tensors = [value.const_value for value in graph.initializers.values()]
        for attribute in (one for node in graph for one in node.attributes.values() if not one.is_ref()):
            if attribute.type == ir.AttributeType.TENSOR:
                tensors.append(attribute.value)
            elif attribute.type == ir.AttributeType.TENSORS:
                tensors += attribute.value
        yield from (tensor for tensor in tensors if isinstance(tensor, ir.ExternalTensor))


def _place(tensor: ir.ExternalTensor, folder: Path) -> None:
    """The tensor is read from a file in the model's own folder, which has to hold all of it."""
    file = (folder / tensor.location).resolve()
    if not file.is_relative_to(folder):
        raise ValueError(f"tensor {tensor.name} is stored in {tensor.location}, outside the model's folder")
    if file.stat().st_size < (tensor.offset or 0) + tensor.nbytes:
        raise ValueError(f"{tensor.location} ends before tensor {tensor.name}")
    tensor.base_dir = folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(model: ir.Model) -> ir.Model:
    imports = model.graph.opset_imports
    if imports.setdefault("", imports.pop("ai.onnx", ASSUMED_OPSET)) < OLDEST_OPSET:
        model = ir.from_proto(onnx.version_converter.convert_version(ir.to_proto(model), OLDEST_OPSET))
    if model.ir_version < OVERRIDABLE:
        for value in [value for value in model.graph.inputs if value.is_initializer()]:
            model.graph.inputs.remove(value)
    if model.functions:
        common.InlinePass()(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.NameFixPass()(model)
    common.TopologicalSortPass()(model)
    for value in (*model.graph.inputs, *model.graph.outputs):
        _free_negative(value)
    return model


def _free_negative(value: ir.Value) -> None:
    """An axis of the length -1, as old exporters write it, is a free one."""
    if value.shape is not None:
        value.shape = ir.Shape([None if isinstance(axis, int) and axis < 0 else axis for axis in value.shape])


def _node(node: ir.Node, graph: ir.Graph) -> Node:
    return Node(
        op_type=node.op_type,
        domain="" if node.domain == "ai.onnx" else node.domain,
        version=node.version or graph.opset_imports.get(node.domain, 1),
        name=node.name or "",
        inputs=tuple("" if value is None else value.name or "" for value in node.inputs),
        outputs=tuple(value.name or "" for value in node.outputs),
        attributes={key: bodies.plain(attribute) for key, attribute in node.attributes.items()},
        captured=bodies.captured(node),
    )
