"""A torch module as an ONNX model, through torch's own exporter."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network.examples import numbers


def export(module: Any, example: Any) -> tuple[ir.Model, dict[str, np.ndarray]]:
    """The module exported with a free batch axis, as it computes in evaluation mode, and the examples by input.

    Several inputs are a tuple or a list of tensors or arrays, in order, or a dict of them by the names of parameters.
    The module is left as it was.

    Raises
    ------
    ModelError
        No example was given, or torch's exporter cannot export the module.
    """
    args, kwargs = _given(module, example)
    most = max((2, *(one.shape[0] for one in (*args, *kwargs.values()) if one.ndim)))
    if importlib.util.find_spec("onnxscript") is None:
        raise ModelError("onnxscript is not installed, which torch exports with", try_='pip install "unbend[torch]"')
    modes = {part: part.training for part in module.modules()}
    try:
        rows = tuple(_rows(one, most) for one in args)
        model = _export(module.eval(), rows, {name: _rows(one, most) for name, one in kwargs.items()})
    finally:
        for part, training in modes.items():
            part.training = training
    names = [value.name or "" for value in model.graph.inputs]
    return model, {name: _array(one) for name, one in zip(names, (*args, *kwargs.values()), strict=True)}


def _given(module: Any, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The inputs of the module as tensors: those given by place, and those given by name."""
    several = isinstance(example, (tuple, list)) and all(getattr(one, "ndim", 0) for one in example)
    if example is None or (several and not len(example)) or (isinstance(example, Mapping) and not example):
        raise ModelError(
            f"a torch module needs an example input ({type(module).__name__})",
            try_=f"pass example=…, one input with its batch axis, or a tuple of several{_such_as(module)}",
        )
    if isinstance(example, Mapping):
        return (), {str(name): _tensor(module, one) for name, one in example.items()}
    return tuple(_tensor(module, one) for one in (example if several else (example,))), {}


def _tensor(module: Any, example: Any) -> Any:
    import torch

    given = example if isinstance(example, torch.Tensor) else torch.as_tensor(numbers(example, type(module).__name__))
    parameter = next(iter(module.parameters()), None)
    return given.to(parameter.dtype) if parameter is not None and given.is_floating_point() else given


def _array(tensor: Any) -> np.ndarray:
    import torch

    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _such_as(module: Any) -> str:
    """An example for the module, where its first layer says how wide its input is."""
    import torch

    parts: list[Any] = [part for part in module.modules() if next(part.parameters(recurse=False), None) is not None]
    first = parts[0] if parts else None
    if first is None or not isinstance(first, torch.nn.Linear):
        return ""
    return f", such as torch.zeros(1, {first.in_features})"


def _rows(example: Any, most: int) -> Any:
    """The example with more than one row: with one, torch's exporter takes the batch for a fixed size."""
    return example if not example.ndim or example.shape[0] > 1 else example.repeat(most, *(1,) * (example.ndim - 1))


def _export(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ir.Model:
    import torch

    free: Any = tuple(map(_free, args)) if args else {name: _free(one) for name, one in kwargs.items()}
    try:
        with _quiet():
            program = torch.onnx.export(module, args, kwargs=kwargs, dynamo=True, dynamic_shapes=free, verbose=False)
    except Exception as error:
        _refuse_example(module, args, kwargs)
        raise ModelError(
            f"torch cannot export {type(module).__name__}",
            where=_first_line(error),
            try_=_remedy([*args, *kwargs.values()]),
        ) from error
    if program is None:
        raise ModelError(f"torch gave no model for {type(module).__name__}")
    return _of_one_type(program.model.clone())


def _remedy(examples: Sequence[Any]) -> str:
    """What can be done where torch cannot export the module."""
    if any(one.ndim == 1 and one.is_floating_point() for one in examples):
        return "the first axis of an example is its batch: if it has none, pass example[None]"
    return (
        "put torch.where or torch.cond in the place of an if that asks for numbers of the input,\n"
        "or try torch.onnx.export(module, (example,), dynamo=True) to see torch's full report"
    )


def _of_one_type(model: ir.Model) -> ir.Model:
    """The model with the weights of each layer in the type of what it reads.

    torch's exporter folds a BatchNormalization into bfloat16 weights in float32, and leaves them so: no valid model.
    """
    for node in model.graph:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or node.inputs[0] is None:
            continue
        for value in node.inputs:
            dtype, tensor = node.inputs[0].dtype, None if value is None else value.const_value
            if value is None or tensor is None or dtype is None or tensor.dtype == dtype:
                continue
            value.const_value = ir.tensor(tensor.numpy().astype(dtype.numpy()), name=value.name)
            value.dtype = dtype
    return model


def _free(example: Any) -> dict[int, Any]:
    """The axis of an example that is free: the batch."""
    import torch

    return {0: torch.export.Dim.DYNAMIC} if example.ndim else {}


def _any_rows(example: Any) -> str:
    """The shape of an example, of which it does not matter how many rows it has."""
    return f"({', '.join(['rows', *map(str, example.shape[1:])])})" if example.ndim else "()"


def _refuse_example(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise ModelError if the module itself, before any export, does not take the example."""
    import torch

    try:
        with torch.no_grad(), _quiet():
            module(*args, **kwargs)
    except Exception as error:
        shapes = [_any_rows(one) for one in args] + [f"{name} {_any_rows(one)}" for name, one in kwargs.items()]
        raise ModelError(
            f"{type(module).__name__} does not take the example, of shape {' and '.join(shapes)}",
            where=_first_line(error),
            try_=f"pass an example in the shape that the module takes, with its batch axis{_such_as(module)}",
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, log lines or printing of torch's; what is wrong is in its error."""
    disabled, aside = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(aside):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _first_line(error: Exception) -> str:
    """The beginning of torch's message, of the error at the bottom of it, without the codes that colour it."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
