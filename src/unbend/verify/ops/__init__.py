"""The affine ops that the checker can compute, by their ONNX names; each module registers its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from unbend.verify.measures import Measure, Operand, Tensor
from unbend.verify.reading import Node

Compute = Callable[[Node, Sequence[Operand | None], Measure], Tensor | list[Tensor]]

C = TypeVar("C", bound=Compute)

_OPS: dict[tuple[str, str], Compute] = {}


class Unknown(Exception):
    """A node that the checker cannot compute; the text says why."""


class Unread(Unknown):
    """A node that is affine, in a form that the checker does not know: which is no fault of the file."""


def affine(*op_types: str, domain: str = "") -> Callable[[C], C]:
    """Register a function for ops of these names."""

    def register(compute: C) -> C:
        _OPS.update({(domain, op_type): compute for op_type in op_types})
        return compute

    return register


@cache
def _table() -> dict[tuple[str, str], Compute]:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _OPS


def compute(node: Node, operands: Sequence[Operand | None], measure: Measure) -> list[Tensor]:
    """The outputs of a node of which at least one input varies.

    Raises
    ------
    Unknown
        The op is not in the table, or is not affine in what varies here.
    """
    found = _table().get((node.domain, node.op_type))
    if found is None:
        raise Unknown(f"{node.label} is not among the affine ops that the checker knows")
    outputs = found(node, operands, measure)
    return outputs if isinstance(outputs, list) else [outputs]


def constant(node: Node, operands: Sequence[Operand | None], position: int) -> np.ndarray | None:
    """The constant input at a position, floats in float64; None where it is absent.

    Raises
    ------
    Unknown
        The input varies.
    """
    operand = operands[position] if position < len(operands) else None
    if isinstance(operand, Tensor):
        raise Unknown(f"{node.label} is not affine: its input {position} varies")
    return real(operand) if operand is not None else None


def needed(node: Node, operands: Sequence[Operand | None], position: int) -> np.ndarray:
    """The same for an input that must be there."""
    found = constant(node, operands, position)
    if found is None:
        raise Unknown(f"{node.label} has no input {position}")
    return found


def varying(node: Node, operands: Sequence[Operand | None], position: int = 0) -> Tensor:
    """The input at a position, which must vary.

    Raises
    ------
    Unknown
        It does not.
    """
    operand = operands[position] if position < len(operands) else None
    if not isinstance(operand, Tensor):
        raise Unknown(f"{node.label} is not computed with a constant input {position}")
    return operand


def real(array: np.ndarray) -> np.ndarray:
    """Floats of every width in float64; whole numbers and truth values as they are."""
    return array if array.dtype.kind in "iub" else array.astype(np.float64)
