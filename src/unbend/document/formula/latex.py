"""Equations as LaTeX for mathematics mode: amsmath's pmatrix, read by LaTeX, KaTeX and MathJax."""

from __future__ import annotations

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
"""LaTeX's pmatrix takes ten columns."""

_DOTS = {"…": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots"}

_ESCAPES = {c: rf"\{c}" for c in "{}$#%&_ "} | {
    "\\": r"\backslash{}",
    "~": r"{\sim}",
    "^": r"{\wedge}",
    "·": r"{\cdot}",
    "×": r"{\times}",
    "²": "^{2}",
    "³": "^{3}",
    "-": r"\text{-}",
    "'": r"\text{'}",
    "`": r"\text{`}",
    '"': r"\text{''}",
}


def to_latex(expression: Expression) -> str:
    r"""The equation as LaTeX, without the dollars around it.

    >>> print(to_latex(Equation((Symbol("W", "z"), Product((Symbol("W", "2"), Symbol("W", "1")))))))
    W_{z} = W_{2}\,W_{1}
    """
    match expression:
        case Symbol(name, subscript):
            return _name(name) + (f"_{{{_name(subscript, digits=True)}}}" if subscript else "")
        case Matrix():
            return _matrix(expression)
        case Product():
            return _product(expression)
        case Sum():
            signed = signed_terms(expression)
            text = " ".join(f"{'-' if sign == '−' else '+'} {to_latex(term)}" for sign, term in signed)
            return text.removeprefix("+ ")
        case Group(inner):
            return rf"\left({to_latex(inner)}\right)"
        case Apply(function, argument):
            return rf"\operatorname{{{_escaped(function)}}}\left({to_latex(argument)}\right)"
        case Equation(sides):
            return " = ".join(map(to_latex, sides))


def _product(product: Product) -> str:
    text = ""
    for factor in factors(product):
        joint = r" \cdot " if is_number(factor) else r"\,"
        text += (joint if text else "") + to_latex(factor)
    return text


def _matrix(matrix: Matrix) -> str:
    if is_number(matrix):
        return _number(number(matrix.values.item(), matrix.digits))
    rows = [" & ".join(map(_number, row)) for row in entries(matrix, _ROWS, _COLUMNS)]
    return r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"


def _number(text: str) -> str:
    if text in _DOTS:
        return _DOTS[text]
    mantissa, _, exponent = text.partition("e")
    latex = mantissa.replace("−", "-").replace("\u202f", r"\,").replace("∞", r"\infty").replace("–", r"\text{–}")
    return rf"{latex} \times 10^{{{int(exponent)}}}" if exponent.lstrip("+-").isdigit() else latex


def _name(name: str, digits: bool = False) -> str:
    """A single letter as a variable, anything longer upright."""
    if len(name) == 1 and name.isascii() and (name.isalpha() or (digits and name.isdigit())):
        return name
    return name if digits and name.isascii() and name.isdigit() else rf"\mathrm{{{_escaped(name)}}}"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in visible(text))
