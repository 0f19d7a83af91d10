"""Equations as MathML Core, which browsers show and read aloud without scripts or fonts of their own."""

from __future__ import annotations

from html import escape

from unbend.document.blocks import number
from unbend.document.formula.tree import (
    Apply,
    Equation,
    Expression,
    Group,
    Matrix,
    Product,
    Sum,
    Symbol,
    entries,
    factors,
    is_number,
    signed_terms,
)
from unbend.document.text import visible

_ROWS = 12
_COLUMNS = 10
_DOTS = {"…": "⋯", "⋮": "⋮", "⋱": "⋱"}
_TIMES = "<mo>&#x2062;</mo>"
_OF = "<mo>&#x2061;</mo>"


def to_mathml(expression: Expression) -> str:
    """The equation as a `<math>` element; all names are escaped.

    >>> to_mathml(Symbol("W", "1"))
    '<math display="block"><msub><mi>W</mi><mn>1</mn></msub></math>'
    """
    return f'<math display="block">{_element(expression)}</math>'


def _element(expression: Expression) -> str:
    match expression:
        case Symbol(name, subscript):
            return f"<msub>{_name(name)}{_name(subscript)}</msub>" if subscript else _name(name)
        case Matrix():
            return _matrix(expression)
        case Product():
            return _row(_product(expression))
        case Sum():
            text = "".join(f"<mo>{sign}</mo>{_element(term)}" for sign, term in signed_terms(expression))
            return _row(text.removeprefix("<mo>+</mo>"))
        case Group(inner):
            return _parentheses(_element(inner))
        case Apply(function, argument):
            return _row(f"{_name(function)}{_OF}{_parentheses(_element(argument))}")
        case Equation(sides):
            return _row("<mo>=</mo>".join(map(_element, sides)))


def _product(product: Product) -> str:
    text = ""
    for factor in factors(product):
        joint = "<mo>·</mo>" if is_number(factor) else _TIMES
        text += (joint if text else "") + _element(factor)
    return text


def _matrix(matrix: Matrix) -> str:
    if is_number(matrix):
        return _number(number(matrix.values.item(), matrix.digits))
    rows = (
        "<mtr>" + "".join(f"<mtd>{_number(text)}</mtd>" for text in row) + "</mtr>"
        for row in entries(matrix, _ROWS, _COLUMNS)
    )
    return _parentheses(f"<mtable>{''.join(rows)}</mtable>")


def _number(text: str) -> str:
    return f"<mo>{_DOTS[text]}</mo>" if text in _DOTS else f"<mn>{text}</mn>"


def _name(name: str) -> str:
    kind = "mn" if name.isascii() and name.isdigit() else "mi"
    return f"<{kind}>{escape(visible(name))}</{kind}>"


def _parentheses(inner: str) -> str:
    return f'<mrow><mo fence="true">(</mo>{inner}<mo fence="true">)</mo></mrow>'


def _row(inner: str) -> str:
    return f"<mrow>{inner}</mrow>"
