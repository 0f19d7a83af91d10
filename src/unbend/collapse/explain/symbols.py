"""The algebra of a derivation in symbols: products, sums, and the equations of an affine map of several values.

`None` stands for the identity matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from unbend.document.formula import Equation, Expression, Product, Sum, Symbol
from unbend.document.formula.tree import is_number

NUMBERED = re.compile(r"\d+[a-z]*")
"""What stands below the W of a step."""


def times(factor: Expression | None, rest: Expression | None) -> Expression | None:
    """factor · rest; a number goes in front."""
    if factor is None or rest is None:
        return rest if factor is None else factor
    factors = [part for one in (factor, rest) for part in (one.factors if isinstance(one, Product) else (one,))]
    return Product(tuple(sorted(factors, key=lambda one: not is_number(one))))


def plus(terms: Sequence[Expression | None]) -> Expression | None:
    """Σ terms, one or more. A sum within the sum is opened."""
    if len(terms) == 1:
        return terms[0]
    written = [written_out(term) for term in terms]
    return Sum(tuple(part for term in written for part in (term.terms if isinstance(term, Sum) else (term,))))


def written_out(weight: Expression | None) -> Expression:
    """The matrix, with its I where nothing or only a number stands before it."""
    if weight is None:
        return Symbol("I")
    return Product((weight, Symbol("I"))) if is_number(weight) else weight


def added(terms: Sequence[Expression]) -> Expression | None:
    """Σ terms of a bias; None for none."""
    return plus(terms) if terms else None


def shown(name: str) -> str:
    """A value's name, in brackets where it would be read as the number of a step."""
    return f"[{name}]" if NUMBERED.fullmatch(name) else name


def weight_equation(name: str, weight: Expression | None) -> Equation:
    """W_name = …"""
    return Equation((Symbol("W", name), written_out(weight)))


def bias_equation(name: str, bias: Expression | None) -> Equation:
    """b_name = …"""
    return Equation((Symbol("b", name), Symbol("0") if bias is None else bias))


def whole_equation(output: str, weights: Mapping[str, str], bias: str) -> Equation:
    """y = W_x x + W_z z + b, where `weights` says what stands below the W of each value."""
    terms = [Product((Symbol("W", below), Symbol(shown(value)))) for value, below in weights.items()]
    return Equation((Symbol(shown(output)), Sum((*terms, Symbol("b", bias)))))
