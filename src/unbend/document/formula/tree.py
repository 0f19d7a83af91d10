"""The tree of an equation: letters, matrices, and what joins them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unbend.document.blocks import number

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Symbol:
    """A letter with an optional subscript, such as W_1 or b_z; a longer name (a column's) stands upright."""

    name: str
    subscript: str = ""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix (2-D), a column vector (1-D) or a single number (0-D) of numbers shown with `digits` digits."""

    values: np.ndarray
    digits: int = 4


@dataclass(frozen=True)
class Product:
    """Factors side by side."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True)
class Sum:
    """Terms joined by plus signs; a term that begins with a negative number is joined by a minus sign."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class Group:
    """An expression in parentheses."""

    inner: Expression


@dataclass(frozen=True)
class Apply:
    """A named function of an expression, such as relu(…)."""

    function: str
    argument: Expression


@dataclass(frozen=True)
class Equation:
    """Sides joined by equals signs."""

    sides: tuple[Expression, ...]


Expression = Symbol | Matrix | Product | Sum | Group | Apply | Equation


def is_number(expression: Expression) -> bool:
    """Whether the expression is a single number (a matrix without axes)."""
    return isinstance(expression, Matrix) and expression.values.ndim == 0


def factors(product: Product) -> list[Expression]:
    """The factors, with parentheses around those that would otherwise be read as part of what stands beside them."""
    return [Group(f) if isinstance(f, Sum | Equation) else f for f in product.factors]


def signed_terms(total: Sum) -> list[tuple[str, Expression]]:
    """The terms with their signs ("+" or "−"): the sign of a leading negative number is drawn out in front."""
    return [_drawn_out(term) for term in total.terms]


def _drawn_out(term: Expression) -> tuple[str, Expression]:
    if isinstance(term, Matrix) and is_number(term) and term.values < 0:
        return "−", Matrix(-term.values, term.digits)
    if isinstance(term, Product) and term.factors:
        sign, first = _drawn_out(term.factors[0])
        if sign == "−":
            return sign, Product((first, *term.factors[1:]))
    return "+", term


def parts(expression: Expression) -> list[tuple[str, Expression]]:
    """What an expression is joined of, each part with what stands in front of it; empty for one that is whole."""
    match expression:
        case Equation(sides):
            joined = [(" = ", side) for side in sides]
        case Sum():
            joined = [(f" {sign} ", term) for sign, term in signed_terms(expression)]
        case Product():
            joined = [(" · " if is_number(factor) else " ", factor) for factor in factors(expression)]
        case _:
            return []
    (joint, first), *others = joined
    return [("−" if joint == " − " else "", first), *others]


def entries(matrix: Matrix, most_rows: int, most_columns: int, dots: str = "…⋮⋱") -> list[list[str]]:
    """The numbers of a matrix as text, row by row; where there are too many, dots stand for those in the middle.

    A vector is one column. `dots` are what stands for columns, for rows, and where both are left out.
    """
    rows, columns = matrix.values.shape[0], matrix.values.shape[1] if matrix.values.ndim == 2 else 1
    values = matrix.values.reshape(rows, columns)
    across, down, both = dots

    def entry(i: int | None, j: int | None) -> str:
        if i is None:
            return both if j is None else down
        return across if j is None else number(values[i, j].item(), matrix.digits)

    return [[entry(i, j) for j in _kept(columns, most_columns)] for i in _kept(rows, most_rows)]


def _kept(count: int, most: int) -> list[int | None]:
    """The indices that are shown; None where the others are left out."""
    if count <= most:
        return list(range(count))
    tail = max((most - 1) // 3, 1)
    head = max(most - 1 - tail, 1)
    return [*range(head), None, *range(count - tail, count)]
