"""Read a network: an ONNX file or model, a torch module with an example input, a scikit-learn estimator.

A file is untrusted input: no custom op library is loaded, and tensors stored outside it must lie beside it. Model-local
functions are put in place of their calls, and the network is looked at with a batch of one (`unbend.network.graph`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network.axes import axes_of
from unbend.network.examples import with_examples
from unbend.network.external import detach, load_external
from unbend.network.fold import Folded, fold, initializers, quiet_inference
from unbend.network.graph import Network, Node, Port, is_float, port
from unbend.network.metadata import classes_of, features_of
from unbend.network.random import why_random
from unbend.network.size import within_memory
from unbend.network.zipmap import without_zipmaps

TORCH = (".pt", ".pth")
HEADS = {
    b"version https://git-lfs": ("a pointer of Git LFS, not the model itself", "git lfs pull brings the model"),
    b"PK\x03\x04": ("a zip archive, perhaps of torch.save", "write an .onnx file with\n{export}"),
    b"\x89HDF": (
        "an HDF5 file, perhaps of Keras",
        "convert it with tf2onnx, or model.export('model.onnx', format='onnx')",
    ),
    b"\x1f\x8b": ("a gzip archive", "unpack it first"),
}
"""How files begin that are taken for a model, what they are, and what can be done."""

EXPORT = "torch.onnx.export(module, (example,), 'model.onnx', dynamo=True)"

OLDEST_OPSET = 7
"""The first opset that onnxruntime runs, and that broadcasts as NumPy does; older files are converted to it."""

ASSUMED_OPSET = 13

LONG_NAME = "ai.onnx"
"""The domain of the standard operators; most files leave it empty."""

OVERRIDABLE = 4
"""The first IR version whose initializers need not be inputs; before it they had to, and no caller replaced them."""


def read(model: Any, example: Any = None, *, name: str | None = None) -> Network:
    """The network in `model`.

    Parameters
    ----------
    model : path, onnx.ModelProto, onnx_ir.Model, torch.nn.Module, scikit-learn estimator or Network
    example : tensor or array, or a dict of them by the names of the inputs, optional
        One input, with its batch axis; needed for a torch module. Several inputs are a tuple or list of them.
    name : str, optional
        What reports call it; by default the file's name or the class's.

    Raises
    ------
    ModelError
        The file cannot be read, is not an ONNX model, has no input, or refers to a missing file; or an example does
        not fit.
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, (str, Path)):
        return with_examples(_kept(lambda: _open(Path(model)), name or Path(model).name, str(model)), example)
    if isinstance(model, onnx.ModelProto):
        return with_examples(_kept(lambda: _from_proto(model), name or model.graph.name or "model"), example)
    if isinstance(model, ir.Model):
        return with_examples(_kept(model.clone, name or model.graph.name or "model"), example)
    if _is_torch(model):
        from unbend.network.torch import export

        exported, examples = export(model, example)
        return with_examples(network_of(exported, name or type(model).__name__), examples)
    if hasattr(model, "predict") and hasattr(model, "get_params"):
        from unbend.network.sklearn import convert

        return network_of(convert(model), name or type(model).__name__)
    raise ModelError(
        f"cannot read a network from {type(model).__module__}.{type(model).__name__}",
        try_="pass the path of an .onnx file, an onnx.ModelProto, a torch.nn.Module with example=…,\n"
        "or a fitted scikit-learn MLPRegressor, MLPClassifier or pipeline of them",
    )


def _kept(given: Callable[[], ir.Model], name: str, path: str | None = None) -> Network:
    """The network in a model that can be had again, as it was."""
    return replace(network_of(given(), name, path), given=given)


def _is_torch(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _open(path: Path) -> ir.Model:
    try:
        return _load(path)
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror or error}",
            try_="check that it is the right file and that you may read it: ls -l shows who may",
        ) from error


def _load(path: Path) -> ir.Model:
    if not path.exists():
        raise ModelError(f"no such file: {path}", where=_siblings(path), try_="check the path")
    if path.suffix.lower() in TORCH:
        raise ModelError(f"{path} is torch's own file", try_=f"write an .onnx file with\n{EXPORT}")
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not an ONNX file", where=_siblings(path / "*"))
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty", try_="export the model again")
    _refuse_others(path)
    try:
        with quiet_inference():
            model = from_file(path)
        nodes = len(model.graph)
    except ir.serde.SerdeError as error:
        raise ModelError(
            f"{path} is not a valid ONNX model", where=_first_line(error), try_="export the model again"
        ) from error
    except Exception as error:
        raise ModelError(
            f"{path} is not an ONNX model, or it is truncated",
            where=f"{path.stat().st_size:,} bytes; the reader says: {_first_line(error)}",
            try_="check that the file was written completely, or export the model again",
        ) from error
    if not nodes and not model.graph.outputs:
        raise ModelError(f"{path} is not an ONNX model", where="it holds no graph", try_="check which file this is")
    return model


def _refuse_others(path: Path) -> None:
    """Raise ModelError for a file of another kind, which its first bytes tell."""
    with path.open("rb") as file:
        head = file.read(64)
    for start, (what, try_) in HEADS.items():
        if head.startswith(start):
            raise ModelError(f"{path} is {what}", try_=try_.format(export=EXPORT))


def from_file(path: Path) -> ir.Model:
    """The model as the file holds it; one that ends in a ZipMap as if it ended one node earlier."""
    try:
        model = ir.load(path)
        detach(model)
        return model
    except ir.serde.SerdeError:
        found = onnx.load(path, load_external_data=False)
        plain = without_zipmaps(found)
        if plain is found:
            raise
        return ir.from_proto(plain)


def _from_proto(model: onnx.ModelProto) -> ir.Model:
    try:
        return ir.from_proto(without_zipmaps(model))
    except ir.serde.SerdeError as error:
        raise ModelError(
            f"{model.graph.name or 'the model'} is not a valid ONNX model, or holds what cannot be read",
            where=_first_line(error),
            try_="export the model again",
        ) from error


def _first_line(error: BaseException) -> str:
    """The first line of the error at the bottom of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def _siblings(path: Path) -> str:
    """A line that names the ONNX files beside a path that does not exist."""
    folder = path.parent
    files = sorted(p.name for p in folder.glob("*.onnx")) if folder.is_dir() else []
    return f"the ONNX files in {folder} are {', '.join(files[:8])}" if files else ""


def network_of(
    model: ir.Model, name: str, path: str | None = None, known: Mapping[str, np.ndarray] | None = None
) -> Network:
    """The network in an onnx-ir model, which becomes the network's own (it is normalised in place).

    `known` are constants that are known already, of the same model with more free axes.
    """
    with within_memory(name):
        return _network_of(model, name, path, known)


def _network_of(model: ir.Model, name: str, path: str | None, known: Mapping[str, np.ndarray] | None) -> Network:
    data = load_external(model, name, path)
    before, functions = (model.graph.opset_imports.get(""), model.ir_version), len(model.functions)
    model = _modern(model, name)
    _normalise(model, name)
    _check_values(model, name)
    inputs = [port(value) for value in model.graph.inputs if value.name not in model.graph.initializers]
    _check_inputs(inputs, name)
    axes = axes_of(inputs)
    folded = fold(model, name, dict.fromkeys(axes.rows.items(), 1), known)
    return Network(
        name=name,
        model=model,
        inputs=tuple(inputs),
        outputs=tuple(sorted(map(port, model.graph.outputs), key=lambda one: _rank(one, folded))),
        nodes=folded.nodes,
        constants=folded.constants,
        shapes=folded.shapes,
        types=folded.types,
        axes=axes,
        features=features_of(model),
        classes=classes_of(model),
        path=path,
        data=data,
        notes=tuple(_notes(model, *before, functions)),
    )


def _notes(model: ir.Model, opset: int | None, ir_version: int | None, functions: int) -> Iterator[str]:
    """What the model had to become to be read, in sentences."""
    imports = model.graph.opset_imports
    if opset not in (None, imports[""]):
        yield f"Opset {opset} became {imports['']}: onnxruntime runs no older one."
    if ir_version != model.ir_version:
        why = "before that one, every weight is an input as well"
        yield f"IR version {ir_version} became {model.ir_version}: {why}."
    if functions:
        yield f"Functions of the model ({functions}) stand in the place of their calls."


def _rank(output: Port, folded: Folded) -> int:
    """Outputs that depend on the input come before constants, and numbers before labels."""
    dtype = output.dtype or folded.types.get(output.name)
    return 2 * (output.name in folded.constants) + (dtype is None or not is_float(dtype))


def _check_inputs(inputs: list[Port], name: str) -> None:
    if not inputs:
        raise ModelError(f"{name} has no input", try_="check the export: the input is not part of the graph")
    for one in inputs:
        if one.dtype is not None and not is_float(one.dtype) and one.dtype.kind not in "iub":
            raise ModelError(
                f"the input {one.name} of {name} is {one.dtype}, not numbers",
                where="\n".join(map(str, inputs)),
                try_="export the network without its text preprocessing",
            )


def _modern(model: ir.Model, name: str) -> ir.Model:
    """The model in an opset that onnxruntime knows: an older file is converted by ONNX's own converter.

    A model that uses no standard operator gets an opset of them, so that some may be written.

    Raises
    ------
    ModelError
        The converter cannot convert it.
    """
    imports = model.graph.opset_imports
    opset = imports.setdefault("", imports.pop(LONG_NAME, ASSUMED_OPSET))
    if opset >= OLDEST_OPSET:
        return model
    try:
        return ir.from_proto(onnx.version_converter.convert_version(ir.to_proto(model), OLDEST_OPSET))
    except Exception as error:
        raise ModelError(
            f"{name} uses opset {opset}, which is older than {OLDEST_OPSET}",
            where=f"ONNX's converter cannot convert it: {_first_line(error)}",
            try_=f"export it with opset {OLDEST_OPSET} or newer",
        ) from error


def _normalise(model: ir.Model, name: str) -> None:
    """Functions in place of their calls, constants as initializers, names unique, nodes in order."""
    from onnx_ir.passes import common

    for value in (*model.graph.inputs, *model.graph.outputs, *(v for node in model.graph for v in node.outputs)):
        _free_negative(value)
    if model.ir_version < OVERRIDABLE:
        for value in [value for value in model.graph.inputs if value.is_initializer()]:
            model.graph.inputs.remove(value)
        model.ir_version = OVERRIDABLE
    try:
        if model.functions:
            common.InlinePass()(model)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        common.NameFixPass()(model)
        common.TopologicalSortPass()(model)
    except Exception as error:
        raise ModelError(
            f"{name} is not a valid ONNX model", where=_first_line(error), try_="export the model again"
        ) from error


def _free_negative(value: ir.Value) -> None:
    """Let an axis be free that a file says is −1 long, as some exporters write it."""
    if value.shape is not None and any(isinstance(axis, int) and axis < 0 for axis in value.shape):
        value.shape = ir.Shape([None if isinstance(axis, int) and axis < 0 else axis for axis in value.shape])


def _check_values(model: ir.Model, name: str) -> None:
    """Whatever a node reads is made by a node, an input or an initializer; the output is there, and its data too."""
    graph = model.graph
    made = {value for node in graph for value in node.outputs} | set(graph.inputs) | set(graph.initializers.values())
    for node in graph:
        for value in node.inputs:
            if value is not None and value not in made:
                raise ModelError(
                    f"{name} is not a valid ONNX model",
                    where=f"node {node.name or node.op_type} reads {value.name}, which nothing makes",
                    try_="export the model again",
                )
    if not graph.outputs:
        raise ModelError(f"{name} has no output", try_="export the model again")
    for key, value in graph.initializers.items():
        try:
            _ = value.const_value is not None and value.const_value.numpy()
        except Exception as error:
            raise ModelError(f"tensor {key} of {name} cannot be read", where=_first_line(error)) from error


def nodes_of(model: ir.Model, constants: Mapping[str, np.ndarray] | None = None) -> list[Node]:
    """The nodes of the main graph, in order, constant or not; `constants` are by default the initializers."""
    constants = initializers(model) if constants is None else constants
    return [node_of(node, model, constants) for node in model.graph]


def node_of(node: ir.Node, model: ir.Model, constants: Mapping[str, np.ndarray]) -> Node:
    """A node of the main graph, given what is constant of what it reads."""
    return Node(
        op_type=node.op_type,
        domain=node.domain,
        version=node.version or model.graph.opset_imports.get(node.domain, 1),
        name=node.name or "",
        inputs=tuple((value.name or "") if value is not None else "" for value in node.inputs),
        outputs=tuple(value.name or "" for value in node.outputs),
        attributes={key: attribute_value(attribute) for key, attribute in node.attributes.items()},
        source=node,
        random=why_random(node, constants),
    )


def attribute_value(attribute: ir.Attr) -> Any:
    """An attribute as a plain Python value; a tensor as an array."""
    value = attribute.value
    if attribute.type == ir.AttributeType.TENSOR:
        return np.asarray(value.numpy())
    if isinstance(value, (list, tuple)) and attribute.type != ir.AttributeType.GRAPHS:
        return tuple(value)
    return value
