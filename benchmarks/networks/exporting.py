"""ONNX files of the networks, as PyTorch's exporter writes them; kept in the temporary folder for the next run."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import nn

from benchmarks.networks.case import Case
from benchmarks.networks.merging import by_hand


class Unavailable(Exception):
    """There is no such form of this network; the message says why."""


def sized(model: onnx.ModelProto, shape: Sequence[int]) -> onnx.ModelProto:
    """A copy whose input has this shape, but for the first axis: free sizes are those of the rows."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for axis, length in zip(copy.graph.input[0].type.tensor_type.shape.dim[1:], shape[1:], strict=True):
        axis.dim_value = length
    return copy


def exported(case: Case, form: str = "original") -> Path:
    """The ONNX file of a network in one of its forms: "original", "by hand" or "torch.fx".

    Raises
    ------
    Unavailable
        Nobody merges the network by hand, or torch.fx cannot trace it.
    """
    path = _folder() / f"{case.slug}.{form.replace(' ', '-')}.onnx"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _export(FORMS[form](case.module()), case, path)
    return path


def _folder() -> Path:
    """A folder for these definitions and this torch."""
    sources = b"".join(one.read_bytes() for one in sorted(Path(__file__).parent.glob("*.py")))
    key = hashlib.sha256(sources + torch.__version__.encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir(), f"unbend-networks-{key}")
    folder.mkdir(exist_ok=True)
    return folder


def _export(module: nn.Module, case: Case, path: Path) -> None:
    """By the dynamo exporter with its own optimisation, for any number of rows; for any height and width if `free`."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    names = {0: "batch", **({2: "height", 3: "width"} if case.free else {})}
    free = ({axis: torch.export.Dim(name) for axis, name in names.items()},)
    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(module.eval(), (case.rows(2),), dynamo=True, dynamic_shapes=free, verbose=False)
    assert program is not None
    draft = path.with_suffix(".draft")
    draft.write_bytes(program.model_proto.SerializeToString())
    onnx.checker.check_model(str(draft))
    draft.rename(path)


def _merged(module: nn.Module) -> nn.Module:
    if (merged := by_hand(module)) is None:
        raise Unavailable("nobody merges it by hand")
    return merged


def _fused(module: nn.Module) -> nn.Module:
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(module)
    except Exception as error:
        raise Unavailable(f"torch.fx fails: {type(error).__name__}") from error


FORMS = {"original": lambda module: module, "by hand": _merged, "torch.fx": _fused}
