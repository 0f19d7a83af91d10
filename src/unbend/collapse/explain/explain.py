"""`explain`: the collapse worked step by step, W_1 … W_n to W_z and b_z, in numbers and in symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeGuard

import numpy as np

from unbend.collapse.blocks import lengths_text
from unbend.collapse.explain import examples
from unbend.collapse.explain.derivation import Derivation, Line, Running
from unbend.collapse.explain.walk import derive
from unbend.collapse.find.size import size
from unbend.collapse.find.stretches import Stretches, stretches
from unbend.document import Block, Bullets, Column, Formula, Heading, Paragraph, Table
from unbend.document.formula import Equation, Matrix, Symbol, to_latex, to_text
from unbend.errors import ModelError, UsageError
from unbend.network import Network, Runner, at_lengths, evaluate, input_shape, lengths_of, mixes_rows, read
from unbend.network.local import Unsupported
from unbend.result import Result

SHOWN = 64
"""A matrix is shown in full up to this many numbers; a larger one is elided by the renderer or said in words."""

ADDITIVE = 1e-5
"""f(p) + f(q) − f(p + q) − f(0) is zero for an affine map, up to rounding relative to the largest of the four."""

PAIRS = 32
"""So many pairs are tried, and the one with the largest gap is shown …"""

MAX_WORK = 1 << 28
"""… but fewer where one side of all of them would take more multiplications than this."""


@dataclass(frozen=True)
class Additivity:
    """The test that an affine map passes for all p and q: f(p) + f(q) = f(p + q) + f(0), for one pair.

    `left` and `right` are the two sides for the first output, `gap` the largest difference over all outputs.
    """

    p: tuple[float, ...]
    q: tuple[float, ...]
    left: float
    right: float
    gap: float
    holds: bool


@dataclass(frozen=True)
class Worked:
    """One network worked out: each stretch step by step, and the bends between them.

    `lengths` are those that were put in for the input's free axes.
    """

    name: str
    affine: bool
    derivations: tuple[Derivation, ...]
    bends: tuple[tuple[str, str], ...]
    additivity: Additivity | None
    mixes_rows: bool = False
    lengths: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation(Result):
    """The worked derivation of a network, or of the three small examples where no network is given."""

    verb: ClassVar[str] = "explain"

    parts: tuple[Worked, ...]
    example: bool = False

    @property
    def weight(self) -> np.ndarray | None:
        """W_z, if the (first) network is affine in one input, and small enough; `weights` has those of several."""
        return next(iter(self.weights.values())) if len(self.weights) == 1 else None

    @property
    def weights(self) -> Mapping[str, np.ndarray | None]:
        """The W of each input by its name, for the first output; empty if the (first) network is not affine."""
        return self.parts[0].derivations[0].weights if self.parts[0].affine else {}

    @property
    def bias(self) -> np.ndarray | None:
        """b_z, the one offset for all inputs, likewise."""
        return self.parts[0].derivations[0].bias if self.parts[0].affine else None

    def to_latex(self) -> str:
        """Every step as LaTeX, one display equation a line."""
        lines = [
            f"\\[{to_latex(block.expression)}\\]"
            for part in self.parts
            for derivation in part.derivations
            for block in _derivation_blocks(derivation, part)
            if isinstance(block, Formula)
        ]
        return "\n".join(lines)

    def document(self) -> list[Block]:
        """The steps to read."""
        blocks: list[Block] = [Heading("Many linear layers are one linear regression", 1)] if self.example else []
        for part, lead in zip(self.parts, LEADS if self.example else [""] * len(self.parts), strict=True):
            blocks += _part_blocks(part, lead, 2 if self.example else 1)
        return blocks


LEADS = (
    "Three layers without a bend. Each is y = W x + b; putting one into the next multiplies the matrices and carries "
    "the biases along.",
    "A convolution is a matrix with the same few numbers on every row, and a residual sum adds the identity. Neither "
    "bends anything: still one linear regression.",
    "One ReLU between the layers, and the product stops there. The network is now two regressions with a bend between.",
)


def explain(model: Any = None, example: Any = None) -> Explanation:
    """Work out `model` step by step; without a model, three small examples.

    Parameters
    ----------
    model : anything that `unbend.network.read` reads, or None
    example : one input with its batch axis, a tuple or list of several, or a dict of them by the names of the inputs
        A torch module needs it; free axes have its lengths.

    Raises
    ------
    ModelError
        The network cannot be read, or nothing of it can be worked out.
    """
    if model is None and example is not None:
        raise UsageError("the example has no network", try_="name the network that it is an input of")
    if model is None:
        networks = (examples.linear(), examples.residual(), examples.bent())
        return Explanation(tuple(work_out(network) for network in networks), example=True)
    return Explanation((work_out(at_lengths(read(model, example))),))


def work_out(network: Network) -> Worked:
    """Every stretch of the network, step by step."""
    found = stretches(network)
    if found.kept and not found.stretches and not network.bends:
        raise _nothing(network, found)
    straight = not network.bends and not found.kept and len(found.stretches) == 1
    mixed = straight and mixes_rows(network)
    return Worked(
        name=network.name,
        affine=straight and not mixed,
        mixes_rows=mixed,
        derivations=tuple(_derivations(network, found)),
        bends=tuple((node.label, node.op_type) for node in network.bends),
        additivity=_additivity(network, size(network, found).macs),
        lengths=lengths_of(network),
    )


def _nothing(network: Network, found: Stretches) -> ModelError:
    first = found.kept[0]
    free = f"with a fixed {' and '.join(network.free_axes)}" if network.free_axes else "with fixed sizes"
    return ModelError(
        f"nothing of {network.name} can be worked out as W x + b",
        where=f"{first.op_type} {first.label}: {first.reason}",
        try_=f"export it {free}, or see what unbend collapse says of it",
    )


def _derivations(network: Network, found: Stretches) -> Iterator[Derivation]:
    """Every stretch to each of its outputs; the numbers of W and b go on from stretch to stretch."""
    count = 0
    for stretch in found.stretches:
        worked, count = derive(network, stretch, count)
        yield from worked


def _additivity(network: Network, work: int) -> Additivity | None:
    """The test in numbers, where the one input has a known shape, and its values can be had and are finite."""
    try:
        with np.errstate(invalid="ignore"):
            found = _tried(network, work)
    except ModelError:
        return None
    return found if np.isfinite(found.gap) else None


def _tried(network: Network, work: int) -> Additivity:
    """Try f(p) + f(q) = f(p + q) + f(0) for pairs of small whole numbers, and take the pair that is furthest off."""
    shape = input_shape(network)
    columns = int(np.prod(shape))
    pairs = int(np.clip(MAX_WORK // max(work, 1), 1, PAIRS))
    p, q = np.random.default_rng(0).integers(-3, 4, size=(2, pairs, columns)).astype(np.float64)
    f = [_values(network, x) for x in (p, q, p + q, np.zeros((1, columns)))]
    left, right = f[0] + f[1], f[2] + f[3]
    gaps = np.max(np.abs(left - right), axis=1, initial=0.0)
    worst = int(gaps.argmax())
    scale = max(float(np.max(np.abs(values), initial=1e-30)) for values in f)
    shown = columns if columns <= 8 else 0
    return Additivity(
        tuple(p[worst, :shown]),
        tuple(q[worst, :shown]),
        float(left[worst, 0]),
        float(right[worst, 0]),
        float(gaps[worst]),
        float(gaps[worst]) <= ADDITIVE * scale,
    )


def _values(network: Network, x: np.ndarray) -> np.ndarray:
    """The network's answer in float64, or onnxruntime's where an op has no entry in the table; (rows, outputs)."""
    x = x.reshape(len(x), *input_shape(network))
    name = network.output.name
    try:
        found = evaluate(network, x)[name]
    except Unsupported:
        found = Runner(network)(x)[name].astype(np.float64)
    return found.reshape(len(x), -1)


def _part_blocks(part: Worked, lead: str, level: int) -> list[Block]:
    blocks: list[Block] = [Heading(part.name, level)]
    if lead:
        blocks.append(Paragraph(lead))
    if part.lengths:
        blocks.append(Paragraph(f"Worked out at {lengths_text(part.lengths)}; other sizes go the same way.", "quiet"))
    for number, derivation in enumerate(part.derivations, 1):
        if len(part.derivations) > 1:
            ends = f"{' and '.join(derivation.sources)} to {derivation.output}"
            title = f"Stretch {number} of {len(part.derivations)}: {ends}"
            blocks.append(Heading(title, level + 1))
        blocks += _derivation_blocks(derivation, part)
    blocks += _verdict(part)
    return blocks


def _derivation_blocks(derivation: Derivation, part: Worked) -> list[Block]:
    if _small(derivation.running) and all(_written(line) for line in derivation.lines):
        blocks = [block for line in derivation.lines for block in _line_blocks(line, derivation)]
    else:
        blocks = [_outline(derivation)]
    return blocks + _result(derivation)


def _written(line: Line) -> bool:
    return _small(line.running) and all(_shown(weight) for weight in line.weights.values())


def _small(running: Running) -> bool:
    return all(_shown(weight) for weight in running.weights.values())


def _shown(array: np.ndarray | None) -> TypeGuard[np.ndarray]:
    return array is not None and array.size <= SHOWN


def _line_blocks(line: Line, derivation: Derivation) -> list[Block]:
    """What one step is, and what the running product has become."""
    title = f"{line.op_type} ({line.label}): {line.text}"
    blocks: list[Block] = [Paragraph(title, "quiet"), *(Formula(equation) for equation in _own(line))]
    new = line.number is not None or line.branches > 1
    if new and line is not derivation.lines[-1] and not line.running.is_own:
        blocks += [Formula(_with_value(*one)) for one in derivation.running_formula(line)]
    return blocks


def _own(line: Line) -> list[Equation]:
    """W_i = […] and b_i = […] of one step."""
    found = [Equation((Symbol("W", below), Matrix(weight))) for below, weight in line.weights.items() if _shown(weight)]
    if line.bias is not None:
        found.append(Equation((Symbol("b", str(line.number)), Matrix(line.bias))))
    return found


def _with_value(equation: Equation, value: np.ndarray | None) -> Equation:
    return equation if not _shown(value) else Equation((*equation.sides, Matrix(value)))


def _result(derivation: Derivation) -> list[Block]:
    """W_z and b_z, or the W of each source, the one b and their sum."""
    return [Formula(_with_value(*one)) for one in derivation.formula]


def _outline(derivation: Derivation) -> Table:
    """The steps of a stretch that is too large to write out."""
    rows = [
        ("" if line.number is None else str(line.number), line.op_type, line.label, line.text)
        for line in derivation.lines
    ]
    columns = [Column("step", "left"), Column("op", "left"), Column("node", "left"), Column("what it does", "left")]
    return Table(columns, rows, note=_shapes_text(derivation))


def _shapes_text(derivation: Derivation) -> str:
    names = derivation.below if len(derivation.sources) > 1 else dict.fromkeys(derivation.sources, "z")
    return " ".join(f"W_{names[source]} is {_shape_text(weight)}." for source, weight in derivation.weights.items())


def _shape_text(weight: np.ndarray | None) -> str:
    if weight is None:
        return "too large to be written out as a matrix"
    rows, columns = weight.shape
    return f"{rows} × {columns} (all of it in --json)"


def _verdict(part: Worked) -> list[Block]:
    if part.affine:
        blocks: list[Block] = [
            Paragraph(f"No bend: for every input {_whole_text(part)}.", "strong", "exact"),
        ]
    elif part.mixes_rows:
        text = (
            "No bend, and yet no regression of one row: the network mixes the rows of a batch. Above is a batch of one."
        )
        blocks = [Paragraph(text, "warning")]
    else:
        items = [f"{op} ({label})" for label, op in part.bends[:20]]
        count = len(part.bends)
        text = f"{count} bends stand between the stretches." if count != 1 else "One bend stands between the stretches."
        blocks = [Paragraph(text, "strong", "exact"), Bullets(items)] if count else []
    if part.additivity is not None:
        blocks.append(Paragraph(_additivity_text(part.additivity, part.affine), "quiet"))
    return blocks


def _whole_text(part: Worked) -> str:
    derivation, *others = part.derivations
    if others:
        return "each of its outputs is as above"
    whole = "y = W_z x + b_z" if len(derivation.sources) == 1 else to_text(derivation.whole, width=1 << 16)
    return f"the network is {whole}"


def _additivity_text(test: Additivity, affine: bool) -> str:
    where = f" for p = {_vector(test.p)}, q = {_vector(test.q)}" if test.p else ""
    sides = f"f(p) + f(q) = {_plain(test.left)} and f(p + q) + f(0) = {_plain(test.right)}{where}"
    if affine:
        return f"A check from outside: {sides}; for an affine map the two are equal."
    if test.holds:
        return f"No bend was crossed by the pairs tried: {sides}."
    return f"A check from outside: {sides}; for an affine map the two would be equal."


def _vector(values: Sequence[float]) -> str:
    return "(" + ", ".join(_plain(value) for value in values) + ")"


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
