"""Write a model: as one file, or, where it is too large for that, with its numbers in a file beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import onnx
import onnx_ir as ir

from unbend.errors import UsageError
from unbend.network import Network
from unbend.network.external import MAX_BYTES, bytes_of
from unbend.output import LAST_MARK, made_by_unbend, ready, replacing

SMALL = 1024
"""Tensors of up to so many bytes stay in the model's own file."""


COLLAPSED = LAST_MARK.decode()
"""The metadata key by which unbend knows a network that it wrote."""

MARK = onnx.ModelProto(metadata_props=[onnx.StringStringEntryProto(key=COLLAPSED, value="true")])
"""The fields of a message may stand apart: behind any model this is one more entry of its metadata."""

CERTIFICATE = ".certificate.json"
"""What a certificate's name ends in, in the place of the network's own ending."""


def data_of(path: Path) -> Path:
    """Where the numbers of a model are written that does not fit into one file."""
    return path.with_name(f"{path.name}.data")


def certificate_of(path: Path, certificate: str | Path | None = None) -> Path:
    """Where the certificate of a network is written: where it was asked for, or beside the network."""
    return Path(certificate) if certificate is not None else path.with_suffix(CERTIFICATE)


def refuse_early(network: Network, path: Path, certificate: str | Path | None = None, *, force: bool = False) -> None:
    """Raise UsageError, before anything is written, if the collapsed network or its certificate cannot be written."""
    beside, inputs = certificate_of(path, certificate), network.files
    if path.resolve() == beside.resolve():
        raise UsageError(f"the network and its certificate cannot both be {path}", try_="name two files")
    for one in (path, beside):
        ready(one, inputs=inputs, force=force)
    if bytes_of(network.model) > MAX_BYTES:
        ready(data_of(path), inputs=inputs, force=force or (path.exists() and made_by_unbend(path)))


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


def save_as_it_was(source: Path, path: Path, *, force: bool = False) -> Path:
    """Write the file `source`, byte for byte, to `path`; behind it the mark of one that unbend wrote.

    Raises
    ------
    UsageError
        See `unbend.output.replacing`.
    """
    with replacing(path, inputs=[source], force=force) as draft:
        shutil.copyfile(source, draft)
        if not made_by_unbend(draft):
            with draft.open("ab") as file:
                file.write(MARK.SerializeToString())
    return path


def _save_in_two(model: ir.Model, draft: Path, path: Path, inputs: list[Path], force: bool) -> None:
    """The file with the numbers takes its place first: it is one that unbend made if the model beside it is."""
    beside = data_of(path)
    own = path.exists() and made_by_unbend(path)
    with replacing(beside, inputs=inputs, force=force or own) as numbers:
        ir.save(model, draft, external_data=beside.name, size_threshold_bytes=SMALL)
        (draft.parent / beside.name).replace(numbers)
