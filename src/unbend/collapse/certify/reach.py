"""A value of a stretch as a bound on rounding sees it, followed through both forms of the stretch.

Three things are carried along: |W| 1 and |b|, step by step in absolute values, and the value at the origin. Each is
kept as small as it broadcasts, so that a walk through a convolutional stretch costs little where channels do not change
over the image. Values are dropped when nothing reads them any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import ml_dtypes
import numpy as np

from unbend.affine import Affine, LinearMap
from unbend.affine.magnitude import absolute, factors, gamma, terms
from unbend.collapse.find.stretches import Stretch, through
from unbend.collapse.reduce.reduce import Edge
from unbend.collapse.write.rewrite import Plan
from unbend.network import Network, Node
from unbend.network.local import Local
from unbend.network.paged import let_go

FINE = float(np.finfo(np.float64).eps) / 2
"""The unit roundoff of float64, in which weights are composed."""

STATISTICS = 4
"""Roundings of a BatchNormalization beside its product and its sum: variance + ε, root, quotient, mean times scale."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Reach:
    """A value of a stretch as a bound sees it, each array broadcasting to its shape.

    `slope` is |W| 1 and `still` |b|, step by step in absolute values; `origin` is the value at zero. `terms` counts the
    roundings on the longest way, `rounded` the maps on it whose numbers were rounded, `nodes` all maps.
    """

    slope: np.ndarray
    still: np.ndarray
    origin: np.ndarray
    terms: int = 0
    rounded: int = 0
    nodes: int = 0

    @staticmethod
    def source(shape: Sequence[int]) -> Reach:
        """A source of the stretch, between −1 and 1."""
        axes = (1,) * len(shape)
        return Reach(np.ones(axes), np.zeros(axes), np.zeros(axes))

    def through(self, linear: LinearMap, floor: float | None = None) -> Reach:
        """The value behind a map; `floor` is the smallest number that a rounded coefficient keeps its digits at."""
        size = absolute(linear, floor or 0.0)
        return Reach(
            size.image(self.slope),
            size.image(self.still) if self.still.any() else np.zeros((1,) * len(linear.out_shape)),
            linear.image(self.origin) if self.origin.any() else np.zeros((1,) * len(linear.out_shape)),
            self.terms + terms(linear),
            self.rounded + (factors(linear) if floor is not None else 0),
            self.nodes + 1,
        )

    def shifted(self, offset: np.ndarray, size: np.ndarray | None = None, extra: int = 1) -> Reach:
        """The value plus an offset; `size` is |offset| where that was itself computed with cancellation."""
        if not offset.any() and size is None:
            return self
        size = np.abs(offset) if size is None else size
        return replace(self, still=self.still + size, origin=self.origin + offset, terms=self.terms + extra)

    @property
    def whole(self) -> np.ndarray:
        """|W| 1 + |b|."""
        return self.slope + self.still

    @property
    def rounding(self) -> np.ndarray:
        """What float64 may be off by when it computes the value between −1 and 1."""
        return gamma(self.terms + 1, FINE) * self.whole


def added(parts: Sequence[Reach]) -> Reach:
    """The sum of several values."""
    if len(parts) == 1:
        return parts[0]
    return Reach(
        sum((one.slope for one in parts[1:]), start=parts[0].slope),
        sum((one.still for one in parts[1:]), start=parts[0].still),
        sum((one.origin for one in parts[1:]), start=parts[0].origin),
        max(one.terms for one in parts) + len(parts) - 1,
        max(one.rounded for one in parts),
        max(one.nodes for one in parts) + 1,
    )


def of_node(network: Network, node: Node, one: Local, values: Mapping[str, Reach]) -> Reach:
    """One output of a node of the file."""
    total = added([values[node.inputs[position]].through(linear) for position, linear in one.maps.items()])
    offset = np.zeros(()) if one.offset is None else one.offset
    size = _statistics(network, node, one)
    return total.shifted(offset, size, 1 if size is None else 1 + STATISTICS)


def _statistics(network: Network, node: Node, one: Local) -> np.ndarray | None:
    """|β| + |μ γ| / √(σ² + ε) of a BatchNormalization, whose offset β − μ γ / √(σ² + ε) may cancel; else None."""
    if node.op_type != "BatchNormalization":
        return None
    ((_, linear),) = one.maps.items()
    channels = (1, -1, *(1,) * (len(linear.in_shape) - 2))
    beta, mean = (np.asarray(network.constants[node.inputs[i]], dtype=np.float64).reshape(channels) for i in (2, 3))
    return np.abs(beta) + absolute(linear).image(np.abs(mean))


@dataclass(frozen=True, eq=False)
class Form:
    """One form of a stretch: how its values are made from one another, as reaches or as rows of numbers in float64."""

    network: Network
    stretch: Stretch

    @property
    def sources(self) -> tuple[str, ...]:
        """The values that it starts from."""
        return self.stretch.sources

    def reaches(self) -> dict[str, Reach]:
        """The outputs as a bound sees them."""
        sources = {name: Reach.source(self.network.shapes[name]) for name in self.sources}
        return self._walk(sources, self.reach)

    def values(self, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs in float64 for rows of the sources."""
        return self._walk(dict(rows), self.rows)

    def executed(self, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs as a program gives them that adds up in float64 and rounds what each op makes to its type."""
        return self._walk(dict(rows), self.run)

    def _walk(self, values: dict[str, T], make: Callable[[str, Node, Local, Mapping[str, T]], T]) -> dict[str, T]:
        """Make every value that the outputs need, in order; those that nothing reads any more are dropped."""
        steps, keep = self._steps(), set(self.stretch.outputs)
        last = {read: name for name, node, _ in steps for read in self.reads(name, node)}
        outputs = {name: values[name] for name in keep & values.keys()}
        for name, node, one in steps:
            values[name] = make(name, node, one, values)
            if name in keep:
                outputs[name] = values[name]
            for read in (*self.reads(name, node), name):
                if last.get(read, name) == name:
                    values.pop(read, None)
            let_go(self.network.bytes_read(node))
        return {name: outputs[name] for name in self.stretch.outputs}

    def _steps(self) -> list[tuple[str, Node, Local]]:
        """The values that the outputs need, in order, with the nodes of the file that make them."""
        pairs = zip(self.stretch.nodes, self.stretch.locals, strict=True)
        steps = [(name, node, one) for node, outs in pairs for name, one in zip(node.outputs, outs, strict=False)]
        needed, found = set(self.stretch.outputs), []
        for name, node, one in reversed(steps):
            if name in needed:
                found.append((name, node, one))
                needed.update(self.reads(name, node))
        return found[::-1]

    def reads(self, name: str, node: Node) -> tuple[str, ...]:
        """The values that the value is made from."""
        return node.inputs

    def reach(self, name: str, node: Node, one: Local, values: Mapping[str, Reach]) -> Reach:
        """The value as a bound sees it."""
        return of_node(self.network, node, one, values)

    def rows(self, name: str, node: Node, one: Local, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value in float64, row by row."""
        return through(node, one, values)

    def run(self, name: str, node: Node, one: Local, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value as its op gives it, rounded."""
        return self.cast(through(node, one, values), name)

    def cast(self, array: np.ndarray, name: str) -> np.ndarray:
        """Numbers rounded to the type of a value, in float64 again."""
        with np.errstate(over="ignore"):
            return array.astype(self.dtype(name)).astype(np.float64)

    def dtype(self, name: str) -> np.dtype:
        """The type that a value is held in, and the numbers on the way to it are stored in."""
        return self.network.dtype(name)


@dataclass(frozen=True, eq=False)
class Original(Form):
    """The stretch as it is in the file, in the units that its ends are held in."""

    def _walk(self, values: dict[str, T], make: Callable[[str, Node, Local, Mapping[str, T]], T]) -> dict[str, T]:
        stretch = self.stretch
        inner = {name: _turned(value, stretch.inward.get(name)) for name, value in values.items()}
        outputs = super()._walk(inner, make)
        return {name: _turned(value, stretch.outward.get(name)) for name, value in outputs.items()}


def _turned(value: Any, turn: Affine | None) -> Any:
    """A reach, or rows of numbers, in other units."""
    if turn is None:
        return value
    return value.through(turn.linear).shifted(turn.offset) if isinstance(value, Reach) else turn.apply(value)


@dataclass(frozen=True, eq=False)
class Collapsed(Form):
    """The stretch along the edges of its plan, whose numbers are those that are written."""

    plan: Plan

    def edges(self, name: str) -> list[Edge]:
        """The edges that make a value."""
        return [edge for edge in self.plan.edges if edge.target == name]

    def reads(self, name: str, node: Node) -> tuple[str, ...]:  # noqa: D102
        return tuple(edge.source for edge in self.edges(name)) or node.inputs

    def reach(self, name: str, node: Node, one: Local, values: Mapping[str, Reach]) -> Reach:  # noqa: D102
        if edges := self.edges(name):
            total = added([self._along(edge, values[edge.source]) for edge in edges])
            offset = self.plan.offsets[name]
            return replace(total.shifted(offset), nodes=total.nodes + 1) if offset.any() else total
        return of_node(self.network, node, one, values)

    def _along(self, edge: Edge, value: Reach) -> Reach:
        floor = float(ml_dtypes.finfo(self.dtype(edge.target)).smallest_normal)
        for step in edge.steps:
            if step.is_nothing:
                continue
            if step.node is not None:
                local = Local.affine({step.position: step.affine.linear}, step.affine.offset)
                value = of_node(self.network, step.node, local, {step.node.inputs[step.position]: value})
            else:
                value = value.through(step.affine.linear, floor)
                if step.affine.offset.any() or factors(step.affine.linear):
                    value = value.shifted(step.affine.offset, np.maximum(np.abs(step.affine.offset), floor))
        return value

    def rows(self, name: str, node: Node, one: Local, values: Mapping[str, np.ndarray]) -> np.ndarray:  # noqa: D102
        if edges := self.edges(name):
            terms = [self._applied(edge, values[edge.source]) for edge in edges]
            return sum(terms[1:], start=terms[0]) + self.plan.offsets[name]
        return through(node, one, values)

    def _applied(self, edge: Edge, y: np.ndarray) -> np.ndarray:
        for step in edge.steps:
            y = step.affine.apply(y)
        return y

    def run(self, name: str, node: Node, one: Local, values: Mapping[str, np.ndarray]) -> np.ndarray:  # noqa: D102
        if not (edges := self.edges(name)):
            return super().run(name, node, one, values)
        total = self._ran(edges[0], values)
        for edge in edges[1:]:
            total = self.cast(total + self._ran(edge, values), name)
        offset = self.plan.offsets[name]
        return self.cast(total + offset, name) if offset.any() else total

    def _ran(self, edge: Edge, values: Mapping[str, np.ndarray]) -> np.ndarray:
        y = values[edge.source]
        for step in edge.steps:
            y = self.cast(step.affine.apply(y), edge.target) if not step.is_nothing else y
        return y
