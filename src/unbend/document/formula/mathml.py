"""Equations as MathML Core, which browsers show and read aloud without scripts or fonts of their own.

The tall parentheses of a matrix are its borders (class "matrix"), since not every machine has a font that can stretch
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from unbend.document.blocks import number
from unbend.document.cells import blank, padding
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
    parts,
    signed_terms,
)
from unbend.document.text import visible

_ROWS = 12
_COLUMNS = 10
_DOTS = {"…": "⋯", "⋮": "⋮", "⋱": "⋱"}
_TIMES = '<mo>&#x2062;</mo><mspace width="0.17em"></mspace>'
_OF = "<mo>&#x2061;</mo>"


def to_mathml_pieces(expression: Expression) -> list[str]:
    """The equation as several `<math>` elements that stand in one line and may break between them.

    It breaks before "=", before "+" and between matrices, so that a page of any width can show it; a letter on the left
    stays with what it equals.
    """
    pieces = _pieces(expression)
    if isinstance(expression, Equation) and isinstance(expression.sides[0], Symbol) and len(pieces) > 1:
        pieces[:2] = [pieces[0] + _joint("=") + pieces[1].removeprefix(_joint("=", 0))]
    return [f"<math>{_row(piece)}</math>" for piece in pieces]


def _pieces(expression: Expression) -> list[str]:
    if isinstance(expression, Product) and sum(map(_has_rows, expression.factors)) < 2:
        return [_element(expression)]
    pieces = []
    for joint, part in parts(expression):
        first, *others = _pieces(part)
        pieces += [_joint(joint.strip(), 0) + first, *others]
    return pieces or [_element(expression)]


def _joint(operator: str, before: float = 0.25) -> str:
    return f'<mo form="infix" lspace="{before}em" rspace="0.25em">{operator}</mo>' if operator else ""


def _has_rows(expression: Expression) -> bool:
    return isinstance(expression, Matrix) and not is_number(expression)


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
    columns = [_column(texts) for texts in zip(*entries(matrix, _ROWS, _COLUMNS), strict=True)]
    rows = (f"<mtr>{''.join(row)}</mtr>" for row in zip(*columns, strict=True))
    return f'<mtable class="matrix">{"".join(rows)}</mtable>'


def _column(texts: Sequence[str]) -> list[str]:
    room = padding(texts, [True] * len(texts))
    return [f"<mtd>{_number(text + blank(text, n))}</mtd>" for text, n in zip(texts, room, strict=True)]


def _number(text: str) -> str:
    dots = _DOTS.get(text.strip())
    return f"<mo>{dots}</mo>" if dots else f"<mn>{text}</mn>"


def _name(name: str) -> str:
    kind = "mn" if name.isascii() and name.isdigit() else "mi"
    return f"<{kind}>{escape(visible(name))}</{kind}>"


def _parentheses(inner: str) -> str:
    if "<mtable" in inner:
        return f'<mtable class="matrix"><mtr><mtd>{inner}</mtd></mtr></mtable>'
    return f'<mrow><mo fence="true">(</mo>{inner}<mo fence="true">)</mo></mrow>'


def _row(inner: str) -> str:
    return f"<mrow>{inner}</mrow>"
