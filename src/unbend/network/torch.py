"""A torch module as an ONNX model, through torch's own exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
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
            try_="pass example=…, one input with its batch axis, such as torch.zeros(1, 10)",
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


def _two_rows(example: Any) -> Any:
    """The example with at least two rows: with one, torch's exporter takes the batch for a fixed size."""
    return example if example.ndim == 0 or example.shape[0] > 1 else example.repeat(2, *(1,) * (example.ndim - 1))


def _export(module: Any, example: Any) -> ir.Model:
    import torch

    logging_level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    quiet = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(quiet):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, (example,), dynamo=True, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), verbose=False
            )
    except Exception as error:
        raise ModelError(
            f"torch cannot export {type(module).__name__}",
            where=str(error).strip().splitlines()[0][:300],
            try_="try torch.onnx.export(module, (example,), dynamo=True) to see its full report,\n"
            "and that unbend[torch] is installed (torch and onnxscript)",
        ) from error
    finally:
        logging.getLogger("torch.onnx").setLevel(logging_level)
    if program is None:
        raise ModelError(f"torch gave no model for {type(module).__name__}")
    return program.model.clone()
