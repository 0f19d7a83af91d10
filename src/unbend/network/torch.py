"""A torch module as an ONNX model, through torch's own exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

from unbend.errors import ModelError


def export(module: Any, example: Any) -> ir.Model:
    """The module (in evaluation mode) exported with a free batch axis; the module is left as it was.

    Raises
    ------
    ModelError
        No example was given, or torch's exporter cannot export the module.
    """
    import torch

    if example is None:
        raise ModelError(
            f"a torch module needs an example input ({type(module).__name__})",
            try_=f"pass example=…, one input with its batch axis{_such_as(module)}",
        )
    given = example if isinstance(example, torch.Tensor) else torch.as_tensor(np.asarray(example))
    parameter = next(iter(module.parameters()), None)
    if parameter is not None and given.is_floating_point():
        given = given.to(parameter.dtype)
    modes = {part: part.training for part in module.modules()}
    try:
        return _export(module.eval(), _two_rows(given))
    finally:
        for part, training in modes.items():
            part.training = training


def _such_as(module: Any) -> str:
    """An example for the module, where its first layer says how wide its input is."""
    import torch

    parts: list[Any] = [part for part in module.modules() if next(part.parameters(recurse=False), None) is not None]
    first = parts[0] if parts else None
    if first is None or not isinstance(first, torch.nn.Linear):
        return ""
    return f", such as torch.zeros(1, {first.in_features})"


def _two_rows(example: Any) -> Any:
    """The example with at least two rows: with one, torch's exporter takes the batch for a fixed size."""
    return example if example.ndim == 0 or example.shape[0] > 1 else example.repeat(2, *(1,) * (example.ndim - 1))


def _export(module: Any, example: Any) -> ir.Model:
    import torch

    try:
        with _quiet():
            program = torch.onnx.export(
                module, (example,), dynamo=True, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False
            )
    except Exception as error:
        _refuse_example(module, example)
        raise ModelError(
            f"torch cannot export {type(module).__name__}",
            where=_first_line(error),
            try_="try torch.onnx.export(module, (example,), dynamo=True) to see its full report,\n"
            "and that unbend[torch] is installed (torch and onnxscript)",
        ) from error
    if program is None:
        raise ModelError(f"torch gave no model for {type(module).__name__}")
    return program.model.clone()


def _refuse_example(module: Any, example: Any) -> None:
    """Raise ModelError if the module itself, before any export, does not take the example."""
    import torch

    try:
        with torch.no_grad(), _quiet():
            module(example)
    except Exception as error:
        shape = (1, *example.shape[1:])
        raise ModelError(
            f"{type(module).__name__} does not take the example, of shape {shape}",
            where=_first_line(error),
            try_=f"pass an example in the shape that the module takes, with its batch axis{_such_as(module)}",
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, log lines or printing of torch's; what is wrong is in its error."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _first_line(error: Exception) -> str:
    """The beginning of torch's message, without the codes that colour it on a terminal."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
