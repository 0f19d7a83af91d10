"""Write a model: as one file, or, where it is too large for that, with its numbers in a file beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx_ir as ir

from unbend.network.external import MAX_BYTES, bytes_of
from unbend.output import made_by_unbend, replacing

SMALL = 1024
"""Tensors of up to so many bytes stay in the model's own file."""


CERTIFICATE = ".certificate.json"
"""What a certificate's name ends in, in the place of the network's own ending."""


def data_of(path: Path) -> Path:
    """Where the numbers of a model are written that does not fit into one file."""
    return path.with_name(f"{path.name}.data")


def save(model: ir.Model, path: Path, *, inputs: Iterable[Path] = (), force: bool = False) -> Path:
    """Write `model` to `path`, whole or not at all; its numbers, one tensor after the other, to `path`.data if need be.

    Raises
    ------
    UsageError
        See `unbend.output.replacing`.
    """
    inputs = list(inputs)
    with replacing(path, inputs=inputs, force=force) as draft:
        if bytes_of(model) <= MAX_BYTES:
            ir.save(model, draft)
        else:
            _save_in_two(model, draft, path, inputs, force)
    return path


def _save_in_two(model: ir.Model, draft: Path, path: Path, inputs: list[Path], force: bool) -> None:
    """The file with the numbers takes its place first: it is one that unbend made if the model beside it is."""
    beside = data_of(path)
    own = path.exists() and made_by_unbend(path)
    with replacing(beside, inputs=inputs, force=force or own) as numbers:
        ir.save(model, draft, external_data=beside.name, size_threshold_bytes=SMALL)
        (draft.parent / beside.name).replace(numbers)
