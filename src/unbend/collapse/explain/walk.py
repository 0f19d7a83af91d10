"""A stretch worked out step by step: W_1, b_1, W_2, …, the running product and sum, and W_z, b_z at the end.

Three lines of algebra carry it: after a map, W ← W_i W and b ← W_i b + b_i; after a sum of branches, W ← Σ W and
b ← Σ b; a reshape only moves numbers. A stretch that reads several values has a W for each of them, and one b. Each
line is kept in symbols and in numbers (matrices for flattened tensors), both made from the same walk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from unbend.affine import Diagonal, Identity, LinearMap, Selection
from unbend.collapse.explain.derivation import Derivation, Line, Running
from unbend.collapse.explain.symbols import added, plus, times
from unbend.collapse.find.stretches import Stretch
from unbend.document.formula import Expression, Matrix, Symbol
from unbend.network import Network, Node
from unbend.network.local import Local

MAX_NUMBERS = 1 << 22
"""A matrix is worked out in numbers only up to this size (32 MiB)."""


@dataclass
class _Walk:
    """Walks a stretch from all its sources and keeps what each value is."""

    running: dict[str, Running] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    count: int = 0

    def start(self, source: str, size: int) -> None:
        """A value that the stretch starts from."""
        eye = np.eye(size) if size * size <= MAX_NUMBERS else None
        self.running[source] = Running({source: eye}, np.zeros(size), {source: None})

    def visit(self, node: Node, outputs: tuple[Local, ...]) -> None:
        """The next node."""
        for name, one in zip(node.outputs, outputs, strict=False):
            if one.maps:
                self._step(node, name, one)

    def _step(self, node: Node, name: str, one: Local) -> None:
        branches = one.maps
        out = next(iter(branches.values())).out_shape
        bias = np.broadcast_to(0.0 if one.offset is None else one.offset, out).reshape(-1)
        biased = bool(bias.any())
        numbered = biased or any(_needs_name(linear, branches) for linear in branches.values())
        self.count += numbered
        names = _names(branches, self.count)
        terms = [_through(linear, names[p], self.running[node.inputs[p]]) for p, linear in branches.items()]
        own = Running({}, bias, {}, Symbol("b", str(self.count)) if biased else None)
        self.running[name] = _sum([*terms, own])
        self.lines.append(
            Line(
                label=node.label,
                op_type=node.op_type,
                value=name,
                number=self.count if numbered else None,
                text=_text(node, branches, biased),
                inputs=sum(linear.in_size for linear in branches.values()),
                outputs=math.prod(out),
                branches=len(branches),
                weights={s.subscript: _matrix(branches[p]) for p, s in names.items() if isinstance(s, Symbol)},
                bias=bias if biased else None,
                running=self.running[name],
            )
        )


def _names(branches: Mapping[int, LinearMap], count: int) -> dict[int, Expression | None]:
    """Each branch's own factor: nothing, a number, or W with the step's number."""
    found: dict[int, Expression | None] = {}
    for place, (position, linear) in enumerate(branches.items()):
        if is_plain(linear):
            found[position] = None
        elif _needs_name(linear, branches):
            found[position] = Symbol("W", f"{count}{_letter(place) if len(branches) > 1 else ''}")
        else:
            found[position] = Matrix(np.array(_number_of(linear)))
    return found


def _letter(place: int) -> str:
    """a, b, …, z, and on in pairs."""
    return (_letter(place // 26 - 1) if place >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[place % 26]


def _through(linear: LinearMap, factor: Expression | None, before: Running) -> Running:
    """The branch's share of the running map."""
    bias = None if before.bias is None else linear.apply(before.bias.reshape(1, *linear.in_shape)).reshape(-1)
    return Running(
        {name: _weight_through(linear, weight) for name, weight in before.weights.items()},
        bias,
        {name: times(factor, symbol) for name, symbol in before.symbols.items()},
        None if before.symbol is None else times(factor, before.symbol),
    )


def _weight_through(linear: LinearMap, weight: np.ndarray | None) -> np.ndarray | None:
    if weight is None or linear.out_size * weight.shape[1] > MAX_NUMBERS:
        return None
    columns = np.ascontiguousarray(weight.T).reshape(weight.shape[1], *linear.in_shape)
    return linear.apply(columns).reshape(weight.shape[1], linear.out_size).T


def _sum(terms: list[Running]) -> Running:
    """Σ terms, source by source."""
    names = list(dict.fromkeys(name for term in terms for name in term.weights))
    return Running(
        {name: _added(term.weights[name] for term in terms if name in term.weights) for name in names},
        _added(term.bias for term in terms),
        {name: plus([term.symbols[name] for term in terms if name in term.symbols]) for name in names},
        added([term.symbol for term in terms if term.symbol is not None]),
    )


def is_plain(linear: LinearMap) -> bool:
    """Whether the map is the identity as far as the flattened numbers go."""
    return _number_of(linear) == 1.0 or (isinstance(linear, Selection) and linear.is_reshape)


def _number_of(linear: LinearMap) -> float | None:
    """The number that the map multiplies everything by, if it does just that."""
    if isinstance(linear, Identity):
        return 1.0
    if isinstance(linear, Diagonal) and linear.scale.size and np.ptp(linear.scale) == 0:
        return float(linear.scale.flat[0])
    return None


def _needs_name(linear: LinearMap, branches: Mapping[int, LinearMap]) -> bool:
    """Whether the map gets a W of its own: it is not the identity, nor a mere number in a sum of branches."""
    return not is_plain(linear) and (len(branches) == 1 or _number_of(linear) is None)


def _text(node: Node, branches: Mapping[int, LinearMap], biased: bool) -> str:
    linear = next(iter(branches.values()))
    if len(branches) > 1:
        return f"{'joins' if node.op_type == 'Concat' else 'adds'} {len(branches)} branches"
    if is_plain(linear) and biased:
        return "adds a constant"
    if is_plain(linear):
        return "moves numbers and changes none" if isinstance(linear, Selection) else "changes nothing"
    return f"{linear.in_size} → {linear.out_size}"


def _matrix(linear: LinearMap) -> np.ndarray | None:
    return linear.dense() if linear.in_size * linear.out_size <= MAX_NUMBERS else None


def _added(arrays: Iterable[np.ndarray | None]) -> np.ndarray | None:
    given = list(arrays)
    known = [array for array in given if array is not None]
    return sum(known[1:], start=known[0]) if len(known) == len(given) else None


def derive(network: Network, stretch: Stretch, count: int = 0) -> tuple[list[Derivation], int]:
    """The stretch worked out to each of its outputs, its first W numbered `count` + 1; and the last number."""
    walk = _Walk(count=count)
    for source in stretch.sources:
        walk.start(source, math.prod(network.shapes[source]))
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        walk.visit(node, outputs)
    return [_derivation(stretch, output, walk) for output in stretch.outputs if output in walk.running], walk.count


def _derivation(stretch: Stretch, output: str, walk: _Walk) -> Derivation:
    end = walk.running[output]
    needed = _needed(stretch, output)
    lines = tuple(line for line in walk.lines if line.value in needed)
    return Derivation(stretch.label, output, lines, end.weights, end.bias, end)


def _needed(stretch: Stretch, output: str) -> set[str]:
    """The values of the stretch that the output is made from, itself among them."""
    needed = {output}
    for node, outputs in zip(reversed(stretch.nodes), reversed(stretch.locals), strict=True):
        for name, one in zip(node.outputs, outputs, strict=False):
            if name in needed:
                needed.update(node.inputs[position] for position in one.maps)
    return needed
