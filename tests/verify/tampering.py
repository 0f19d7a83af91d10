"""Collapsed models as files, and ways to change them that a certificate must not cover."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from unbend.collapse import collapse
from unbend.collapse.certify.certificate import to_json


def written(folder: Path, model: onnx.ModelProto) -> tuple[Path, Path, Path]:
    """The original, the collapsed model and its certificate as files."""
    original, smaller, certificate = (folder / name for name in ("a.onnx", "b.onnx", "b.certificate.json"))
    onnx.save(model, original)
    found = collapse(original, cost="macs")
    found.save(smaller)
    certificate.write_text(to_json(found.certificate, smaller, original))
    return original, smaller, certificate


def tamper(path: Path, certificate: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    """Change the collapsed model, and let the certificate claim that it was made for the changed file."""
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    stated = json.loads(certificate.read_text())
    stated["collapsed"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    certificate.write_text(json.dumps(stated))


def weight(model: onnx.ModelProto, rank: int) -> onnx.TensorProto:
    """The first initializer with this many axes."""
    return next(one for one in model.graph.initializer if len(one.dims) == rank)


def changed(rank: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[onnx.ModelProto], None]:
    """Replace a weight by what `change` makes of it."""

    def apply(model: onnx.ModelProto) -> None:
        tensor = weight(model, rank)
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), tensor.name))

    return apply


def one_number(array: np.ndarray) -> np.ndarray:
    at = np.unravel_index(np.argmax(np.abs(array)), array.shape)
    array[at] *= 1.001
    return array


def attribute(op_type: str, name: str, value: list[int]) -> Callable[[onnx.ModelProto], None]:
    def apply(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == op_type)
        kept = [one for one in node.attribute if one.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])

    return apply


def without_bias(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Conv" and len(node.input) == 3)
    del node.input[2]
