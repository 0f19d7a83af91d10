"""The op table: one function an op, by family; the package finds its own files.

An entry answers one question for its node: which affine map are you near these inputs, and how far does that hold?
It gets the node and one `Operand` for each input (None for an absent one) and gives a `Local`, or a tuple of them where
the node has several outputs. An op that is not in the table is a bend that nobody knows.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Random, Reach, Unsupported, quiet

Function = Callable[..., Local | tuple[Local, ...]]
F = TypeVar("F", bound=Function)

EMPTY: Mapping[str, np.ndarray] = {}
AffineWhen = Callable[[Node, Collection[int]], bool]
AffineWith = Callable[[Node, Mapping[str, np.ndarray]], bool]


@dataclass(frozen=True)
class Op:
    """An entry of the table: the op's name, its family, how far it holds, and the function that answers."""

    name: str
    domain: str
    family: str
    reach: Reach
    affine_when: AffineWhen | None
    affine_with: AffineWith | None
    function: Function

    def reach_for(self, node: Node, variable: Collection[int], constants: Mapping[str, np.ndarray]) -> Reach:
        """How far the op holds when just the inputs at the positions `variable` depend on the network's input."""
        if self.affine_with is not None and set(variable) == {0} and self.affine_with(node, constants):
            return "everywhere"
        if self.affine_when is not None and self.affine_when(node, variable):
            return "everywhere"
        return self.reach


_TABLE: dict[tuple[str, str], Op] = {}


def op(
    *names: str,
    reach: Reach,
    affine_when: AffineWhen | None = None,
    affine_with: AffineWith | None = None,
    domain: str = "",
) -> Callable[[F], F]:
    """Put a function into the table under ONNX's names for the op.

    `reach` is how far it holds in general; `affine_when(node, variable)` says when it is affine everywhere although
    `reach` says less, such as a product with only one variable factor; `affine_with(node, constants)` says it of a node
    with one variable input whose other inputs are constants, such as slopes that are all 1.
    """

    def register(function: F) -> F:
        family = function.__module__.rpartition(".")[2]
        for name in names:
            _TABLE[domain, name] = Op(name, domain, family, reach, affine_when, affine_with, function)
        return function

    return register


@cache
def table() -> dict[tuple[str, str], Op]:
    """Every entry by (domain, name); the files of this package are imported on the first call."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _TABLE


def lookup(node: Node) -> Op | None:
    """The table's entry for the node, or None for an op that nobody knows."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    return table().get((domain, node.op_type))


def reach_of(node: Node, variable: Collection[int], constants: Mapping[str, np.ndarray] = EMPTY) -> Reach:
    """How far the node's affine map holds; an op that nobody knows, or that draws, holds at the point only."""
    if node.random:
        return "point"
    found = lookup(node)
    return found.reach_for(node, variable, constants) if found else "point"


def local(node: Node, operands: list[Operand | None]) -> tuple[Local, ...]:
    """The node's answer, one `Local` for each output.

    Raises
    ------
    Unsupported
        The op is not in the table, or this node of it has no form there; the text says why.
    """
    if node.random:
        raise Random(node.random)
    found = lookup(node)
    if found is None:
        raise Unsupported(f"unbend does not know the op {node.domain + '.' if node.domain else ''}{node.op_type}")
    if not any(operand is not None and operand.variable for operand in operands):
        raise Unsupported(f"{node.op_type} reads constants only, and ONNX's reference evaluator cannot run it")
    try:
        with quiet():
            answer = found.function(node, *operands)
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(operand.shape) for operand in operands if operand is not None)
        raise Unsupported(f"{node.op_type} does not fit inputs of shape {shapes}") from error
    return answer if isinstance(answer, tuple) else (answer,)


def only_one(node: Node, variable: Collection[int]) -> bool:
    """Affine while a single input is variable."""
    return len(variable) == 1


def only(*positions: int) -> AffineWhen:
    """Affine while no other inputs than those at `positions` are variable."""

    def affine(node: Node, variable: Collection[int]) -> bool:
        return set(variable) <= set(positions)

    return affine


only_first = only(0)


def constant_of(operand: Operand | None, what: str) -> np.ndarray | None:
    """The value of an optional input that has to be constant, None if it is absent.

    Raises
    ------
    Unsupported
        The network computes it; `what` says what it is.
    """
    if operand is None:
        return None
    if operand.constant is None:
        raise Unsupported(f"{what} is computed by the network")
    return np.asarray(operand.constant)


def needed(operand: Operand | None, what: str) -> np.ndarray:
    """The value of an input that has to be there and constant, in float64."""
    value = constant_of(operand, what)
    if value is None:
        raise Unsupported(f"{what} is missing")
    return value.astype(np.float64)


def weights(operand: Operand | None, what: str) -> np.ndarray:
    """The same as the file stores it: maps take it so, and compute in float64."""
    constant_of(operand, what)
    return needed(operand, what) if operand is None else operand.stored[0]


def real(node: Node, name: str, default: float) -> float:
    """A number among the attributes; files store them in 32 bits, so the default is rounded likewise."""
    return float(np.float32(node.attribute(name, default)))
