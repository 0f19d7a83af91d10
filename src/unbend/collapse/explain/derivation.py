"""A stretch worked out step by step: W_1, b_1, W_2, …, the running product and sum, and W_z, b_z at the end.

Three lines of algebra carry it: after a map, W ← W_i W and b ← W_i b + b_i; after a sum of branches, W ← Σ W and
b ← Σ b; a reshape only moves numbers. Each line is kept in symbols (a formula) and in numbers (matrices for flattened
tensors), both made from the same walk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from unbend.affine import Diagonal, Identity, LinearMap, Selection
from unbend.collapse.find.stretches import Stretch
from unbend.document.formula import Equation, Expression, Matrix, Product, Sum, Symbol
from unbend.network import Network, Node
from unbend.network.local import Local

MAX_NUMBERS = 1 << 22
"""A matrix is worked out in numbers only up to this size (32 MiB)."""


@dataclass(frozen=True, eq=False)
class Line:
    """One step: what the node does, and the affine map from the start of the stretch to its output.

    `weight` (out, in) and `bias` (out,) are the node's own, `running_weight` and `running_bias` from the start; None
    where they are too large to write out, or where the node has none of its own (a sum of branches, a reshape).
    `formula` says in symbols how the running map is made.
    """

    label: str
    op_type: str
    number: int | None
    text: str
    inputs: int
    outputs: int
    weight: np.ndarray | None
    bias: np.ndarray | None
    running_weight: np.ndarray | None
    running_bias: np.ndarray | None
    formula: tuple[Equation, ...] = field(default=(), metadata={"json": False})


@dataclass(frozen=True, eq=False)
class Derivation:
    """All steps of one stretch from one source to one output.

    `weight` and `bias` are W_z and b_z; None where they are too large. `affine_sum` names the other sources whose
    maps are added, if the stretch has several.
    """

    label: str
    source: str
    output: str
    lines: tuple[Line, ...]
    weight: np.ndarray | None
    bias: np.ndarray | None
    formula: tuple[Equation, ...] = field(default=(), metadata={"json": False})


@dataclass(eq=False)
class _Running:
    """The affine map from the start of the stretch to one value, in symbols and in numbers."""

    symbol_weight: Expression | None
    symbol_bias: Expression | None
    weight: np.ndarray | None
    bias: np.ndarray | None


@dataclass
class _Walk:
    """Walks a stretch from one source and keeps what each value is."""

    network: Network
    start: str
    running: dict[str, _Running] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        size = math.prod(self.network.shapes[self.start])
        eye = np.eye(size) if size * size <= MAX_NUMBERS else None
        self.running[self.start] = _Running(None, None, eye, np.zeros(size))

    def visit(self, node: Node, outputs: tuple[Local, ...]) -> None:
        """The next node."""
        for name, one in zip(node.outputs, outputs, strict=False):
            branches = {p: m for p, m in one.maps.items() if node.inputs[p] in self.running}
            if branches:
                self._step(node, name, one, branches)

    def _step(self, node: Node, name: str, one: Local, branches: dict[int, LinearMap]) -> None:
        out = next(iter(branches.values())).out_shape
        whole = len(branches) == len(one.maps) and one.offset is not None
        bias = np.broadcast_to(one.offset if whole else 0.0, out).reshape(-1)  # type: ignore[arg-type]
        numbered = bool(bias.any()) or any(_needs_name(linear, branches) for linear in branches.values())
        self.count += numbered
        before = [self.running[node.inputs[p]] for p in branches]
        result = self._symbols(branches, before, bool(bias.any()))
        terms = [self._through(linear, earlier) for linear, earlier in zip(branches.values(), before, strict=True)]
        result.weight = _added([weight for weight, _ in terms])
        shifted = _added([shift for _, shift in terms])
        result.bias = None if shifted is None else shifted + bias
        self.running[name] = result
        own = next(iter(branches.values())) if len(branches) == 1 else None
        self.lines.append(
            Line(
                label=node.label,
                op_type=node.op_type,
                number=self.count if numbered else None,
                text=_text(branches, bool(bias.any())),
                inputs=sum(linear.in_size for linear in branches.values()),
                outputs=math.prod(out),
                weight=None if own is None or is_plain(own) else _matrix(own),
                bias=bias if bias.any() else None,
                running_weight=result.weight,
                running_bias=result.bias,
                formula=_equations(result, "") if numbered or len(branches) > 1 else (),
            )
        )

    def _through(self, linear: LinearMap, before: _Running) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The branch's share of the running weight and bias."""
        weight = before.weight
        if weight is not None and linear.out_size * weight.shape[1] <= MAX_NUMBERS:
            columns = np.ascontiguousarray(weight.T).reshape(weight.shape[1], *linear.in_shape)
            weight = linear.apply(columns).reshape(weight.shape[1], linear.out_size).T
        else:
            weight = None
        bias = None if before.bias is None else linear.apply(before.bias.reshape(1, *linear.in_shape)).reshape(-1)
        return weight, bias

    def _symbols(self, branches: dict[int, LinearMap], before: list[_Running], biased: bool) -> _Running:
        weights: list[Expression] = []
        biases: list[Expression] = []
        for letter, linear, earlier in zip("abcdefghijklmnopqrstuvwxyz", branches.values(), before, strict=False):
            factor = self._factor(linear, branches, letter)
            weights.append(_times(factor, earlier.symbol_weight) or Symbol("I"))
            if earlier.symbol_bias is not None:
                biases.append(_times(factor, earlier.symbol_bias) or earlier.symbol_bias)
        if biased:
            biases.append(Symbol("b", str(self.count)))
        return _Running(_plus(weights), _plus(biases), None, None)

    def _factor(self, linear: LinearMap, branches: dict[int, LinearMap], letter: str) -> Expression | None:
        """The branch's own factor: nothing, a number, or W with the step's number."""
        if is_plain(linear):
            return None
        if not _needs_name(linear, branches):
            return Matrix(np.array(_number_of(linear)))
        return Symbol("W", f"{self.count}{letter if len(branches) > 1 else ''}")


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


def _needs_name(linear: LinearMap, branches: dict[int, LinearMap]) -> bool:
    """Whether the map gets a W of its own: it is not the identity, nor a mere number in a sum of branches."""
    return not is_plain(linear) and (len(branches) == 1 or _number_of(linear) is None)


def _text(branches: dict[int, LinearMap], biased: bool) -> str:
    linear = next(iter(branches.values()))
    if len(branches) > 1:
        return f"adds {len(branches)} branches"
    if is_plain(linear):
        return "adds a constant" if biased else "moves numbers and changes none"
    return f"{linear.in_size} → {linear.out_size}"


def _matrix(linear: LinearMap) -> np.ndarray | None:
    return linear.dense() if linear.in_size * linear.out_size <= MAX_NUMBERS else None


def _added(arrays: list[np.ndarray | None]) -> np.ndarray | None:
    known = [array for array in arrays if array is not None]
    return sum(known[1:], start=known[0]) if len(known) == len(arrays) else None


def _times(factor: Expression | None, rest: Expression | None) -> Expression | None:
    """factor · rest, where None is the identity."""
    if factor is None or rest is None:
        return rest if factor is None else factor
    return Product((factor, *(rest.factors if isinstance(rest, Product) else (rest,))))


def _plus(terms: list[Expression]) -> Expression | None:
    """Σ terms; None for none. A sum within the sum is opened."""
    flat = [part for term in terms for part in (term.terms if isinstance(term, Sum) else (term,))]
    if len(flat) <= 1:
        return flat[0] if flat else None
    return Sum(tuple(flat))


def _equations(one: _Running, subscript: str) -> tuple[Equation, ...]:
    """W = … and b = … in symbols."""
    return (
        Equation((Symbol("W", subscript), one.symbol_weight or Symbol("I"))),
        Equation((Symbol("b", subscript), one.symbol_bias or Symbol("0"))),
    )


def derive(network: Network, stretch: Stretch, source: str, output: str, count: int = 0) -> Derivation:
    """The stretch worked out from `source` to `output`; its first W is numbered `count` + 1."""
    walk = _Walk(network, source, count=count)
    for node, outputs in zip(stretch.nodes, stretch.locals, strict=True):
        walk.visit(node, outputs)
    end = walk.running[output]
    return Derivation(stretch.label, source, output, tuple(walk.lines), end.weight, end.bias, _equations(end, "z"))
