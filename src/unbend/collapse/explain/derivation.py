"""What a stretch worked out step by step is: its lines, and the map from its sources to one output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from unbend.collapse.explain.symbols import bias_equation, shown, weight_equation, whole_equation
from unbend.document.formula import Equation, Expression, Symbol


@dataclass(frozen=True, eq=False)
class Running:
    """The affine map from the start of the stretch to one value, in numbers and in symbols.

    `weights` has a matrix for each value that the stretch starts from and that this one depends on, by its name, and
    `bias` is their one offset; None where they are too large. A symbol that is None is the identity, or a bias of 0.
    """

    weights: Mapping[str, np.ndarray | None]
    bias: np.ndarray | None
    symbols: Mapping[str, Expression | None] = field(metadata={"json": False})
    symbol: Expression | None = field(default=None, metadata={"json": False})

    def equations(self, below: Mapping[str, str], bias: str) -> list[tuple[Equation, np.ndarray | None]]:
        """W = … for each value and b = …, with their numbers; `below` says what stands below each W."""
        found = [(weight_equation(below[name], self.symbols[name]), self.weights[name]) for name in self.weights]
        return [*found, (bias_equation(bias, self.symbol), self.bias)]

    @property
    def is_own(self) -> bool:
        """Whether it is no more than the map of one step."""
        return all(one is None or isinstance(one, Symbol) for one in (*self.symbols.values(), self.symbol))


@dataclass(frozen=True, eq=False)
class Line:
    """One step: what the node does, and the affine map from the start of the stretch to its output.

    `weights` are the node's own (out, in), by what stands below their W: "1", or "1a" and "1b" where it adds branches;
    a reshape has none. `bias` (out,) is its own, None if it is zero. `running` is the map from the start. Matrices that
    are too large to write out are None. `value` names the node's output.
    """

    label: str
    op_type: str
    value: str
    number: int | None
    text: str
    inputs: int
    outputs: int
    branches: int
    weights: Mapping[str, np.ndarray | None]
    bias: np.ndarray | None
    running: Running


@dataclass(frozen=True, eq=False)
class Derivation:
    """All steps of one stretch to one of its outputs: output = Σ weights[source] · source + bias.

    `weights` has the W of each source that the output depends on, by its name; None where it is too large.
    """

    label: str
    output: str
    lines: tuple[Line, ...]
    weights: Mapping[str, np.ndarray | None]
    bias: np.ndarray | None
    running: Running = field(metadata={"json": False})

    @property
    def sources(self) -> tuple[str, ...]:
        """The values that it starts from."""
        return tuple(self.weights)

    @property
    def formula(self) -> list[tuple[Equation, np.ndarray | None]]:
        """W_z and b_z; with several sources, a W for each, one b, and what the output is."""
        if len(self.sources) == 1:
            return self.running.equations({self.sources[0]: "z"}, "z")
        return [*self.running.equations(self.below, ""), (self.whole, None)]

    def running_formula(self, line: Line) -> list[tuple[Equation, np.ndarray | None]]:
        """What the running product and sum have become at a line."""
        return line.running.equations(self.below, "")

    @property
    def whole(self) -> Equation:
        """The output as a sum over its sources."""
        if len(self.sources) == 1:
            return whole_equation(self.output, {self.sources[0]: "z"}, "z")
        return whole_equation(self.output, self.below, "")

    @property
    def below(self) -> dict[str, str]:
        """What stands below the running W of each source: nothing where there is only one."""
        return {name: shown(name) if len(self.sources) > 1 else "" for name in self.sources}
