"""Names that a model file gives to its columns: read from its metadata, written there by unbend.

`unbend.features` and `unbend.classes` hold JSON lists; the keys that other tools use for the same are read as well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import onnx_ir as ir

FEATURES = "unbend.features"
CLASSES = "unbend.classes"
FEATURE_KEYS = (FEATURES, "feature_names", "feature_names_in_", "features", "input_features", "columns")
CLASS_KEYS = (CLASSES, "class_names", "classes", "classes_", "labels", "names")


def features_of(model: ir.Model) -> tuple[str, ...] | None:
    """The names of the input's columns, if the metadata has them."""
    return _names(model, FEATURE_KEYS)


def classes_of(model: ir.Model) -> tuple[str, ...] | None:
    """The names of the output's classes, if the metadata has them."""
    return _names(model, CLASS_KEYS)


def _names(model: ir.Model, keys: Sequence[str]) -> tuple[str, ...] | None:
    for key in keys:
        if text := model.metadata_props.get(key):
            return _parse(text)
    return None


def _parse(text: str) -> tuple[str, ...] | None:
    """A JSON list, a JSON object {number: name}, or names with commas between them."""
    try:
        found = json.loads(text)
    except ValueError:
        found = [part.strip() for part in text.split(",")]
    if isinstance(found, dict):
        found = list(found.values())
    if not isinstance(found, list) or not found:
        return None
    return tuple(str(name) for name in found)


def describe(model: ir.Model, *, features: Sequence[str] | None = None, classes: Sequence[str] | None = None) -> None:
    """Write the names of the input's columns and of the classes into the model's metadata."""
    if features is not None:
        model.metadata_props[FEATURES] = json.dumps(list(features), ensure_ascii=False)
    if classes is not None:
        model.metadata_props[CLASSES] = json.dumps(list(classes), ensure_ascii=False)
