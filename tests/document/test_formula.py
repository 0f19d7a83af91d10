"""Equations: one tree, three renderings."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbend.document.formula import (
    Apply,
    Equation,
    Expression,
    Group,
    Matrix,
    Product,
    Sum,
    Symbol,
    to_latex,
    to_mathml,
    to_mathml_pieces,
    to_text,
)
from unbend.document.text import cells

Golden = Callable[[str, str], None]


def W(n: str) -> Symbol:
    return Symbol("W", n)


def scalar(value: float) -> Matrix:
    return Matrix(np.array(value))


def regression() -> Equation:
    """A regression by column name, with names that LaTeX, HTML and a narrow terminal have trouble with."""
    names = ["age", "body_mass$index", "hours per week", "age²", "age·bmi", "<b>", "100% & {more}\\"]
    slopes = [-10.01, 519.8, -239.8, 0.0123, 12345.0, -1e-9, 67.63]
    terms = [Product((scalar(b), Symbol(name))) for b, name in zip(slopes, names, strict=True)]
    return Equation((Symbol("progression"), Sum((scalar(152.1), *terms))))


WIDE = Equation((W("1"), Matrix(np.arange(800.0).reshape(20, 40) / 7 - 30)))
NESTED = Equation(
    (
        Symbol("y"),
        Sum(
            (
                Product(
                    (Matrix(np.array([[2, -1.5]])), Apply("relu", Sum((Product((W("1"), Symbol("x"))), Symbol("b")))))
                ),
                Product((Matrix(np.eye(2)), Group(Matrix(np.array([1, 2]))))),
            )
        ),
    )
)


@pytest.mark.parametrize(
    ("name", "width", "encoding"),
    [("formulas.txt", 80, None), ("formulas_narrow.txt", 44, None), ("formulas_ascii.txt", 80, "ascii")],
)
def test_equations_read_as_stored(
    derivation: Equation, golden: Golden, name: str, width: int, encoding: str | None
) -> None:
    texts = [to_text(equation, width, encoding) for equation in (derivation, regression(), WIDE, NESTED)]
    assert all(cells(line) <= width for text in texts for line in text.splitlines())
    golden(name, "\n\n".join(texts) + "\n")


@pytest.mark.parametrize(
    ("expression", "text", "latex"),
    [
        (W("z"), "W_z", "W_{z}"),
        (Symbol("W", "10"), "W_10", "W_{10}"),
        (Symbol("b", "out"), "b_out", r"b_{\mathrm{out}}"),
        (Product((W("2"), Group(Sum((W("1"), W("0")))))), "W_2 (W_1 + W_0)", r"W_{2}\,\left(W_{1} + W_{0}\right)"),
        (Product((W("2"), Sum((W("1"), W("0"))))), "W_2 (W_1 + W_0)", r"W_{2}\,\left(W_{1} + W_{0}\right)"),
        (Sum((scalar(-1), scalar(-2), Symbol("x"))), "−1 − 2 + x", "- 1 - 2 + x"),
        (Product((scalar(2), scalar(3))), "2 · 3", r"2 \cdot 3"),
        (Apply("relu", Symbol("x")), "relu(x)", r"\operatorname{relu}\left(x\right)"),
        (scalar(1.2e-7), "1.2e-07", r"1.2 \times 10^{-7}"),
        (scalar(12340), "12 340", r"12\,340"),
        (Matrix(np.array([1.5, -2])), "⎡ 1.5⎤\n⎣−2  ⎦", r"\begin{pmatrix} 1.5 \\ -2 \end{pmatrix}"),
        (Matrix(np.array([[1, 2]])), "[1  2]", r"\begin{pmatrix} 1 & 2 \end{pmatrix}"),
        (Symbol("a_b ^c"), "a_b ^c", r"\mathrm{a\_b\ {\wedge}c}"),
    ],
)
def test_text_and_latex(expression: Expression, text: str, latex: str) -> None:
    assert to_text(expression) == text
    assert to_latex(expression) == latex


@given(st.integers(1, 14), st.integers(1, 14), st.integers(44, 90))
def test_a_matrix_of_any_size_fits(rows: int, columns: int, width: int) -> None:
    matrix = Matrix(np.linspace(-1000, 1, rows * columns).reshape(rows, columns))
    text = to_text(Equation((W("1"), Product((matrix, Symbol("x"))))), width)
    assert all(cells(line) <= width for line in text.splitlines())
    assert to_mathml(matrix).count("<mtr>") == min(rows, 12)
    assert to_latex(matrix).count(r"\\") == max(min(rows, 12) - 1, 0)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0)])
def test_an_empty_matrix_is_shown(shape: tuple[int, ...]) -> None:
    empty = Equation((W("1"), Matrix(np.zeros(shape))))
    assert to_text(empty).splitlines()[0].startswith(("W_1 = [", "      ⎡"))
    assert "<mtable" in to_mathml(empty)
    assert "pmatrix" in to_latex(empty)


def test_a_matrix_that_is_too_large_says_what_it_leaves_out() -> None:
    assert "…" in to_text(WIDE)
    assert "⋮" in to_text(WIDE)
    assert to_latex(WIDE).count("&") == 9 * 12
    assert r"\cdots" in to_latex(WIDE)
    assert "⋯" in to_mathml(WIDE)


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"−?\d+(?:\.\d+)?(?:e[-+]\d+)?", text.replace("\u202f", "")))


def test_the_three_renderings_show_the_same_numbers(derivation: Equation) -> None:
    latex = to_latex(derivation).replace("-", "−")
    mathml = "  ".join(element.text or "" for element in ElementTree.fromstring(to_mathml(derivation)).iter("mn"))
    assert numbers(to_text(derivation)) == numbers(mathml) == numbers(latex)


def test_mathml_is_well_formed_and_in_pieces_the_same(derivation: Equation) -> None:
    for equation in (derivation, regression(), WIDE, NESTED):
        whole = ElementTree.fromstring(to_mathml(equation))
        pieces = [ElementTree.fromstring(piece) for piece in to_mathml_pieces(equation)]
        assert {element.tag for piece in [whole, *pieces] for element in piece.iter()} <= {
            *("math", "mrow", "mi", "mn", "mo", "msub", "mspace", "mtable", "mtr", "mtd")
        }
        in_pieces = "".join(text for piece in pieces for text in piece.itertext())
        assert in_pieces.replace("\u2062", "") == "".join(whole.itertext()).replace("\u2062", "")


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_a_name_is_only_ever_a_name(name: str) -> None:
    element = ElementTree.fromstring(to_mathml(Symbol(name)))[0]
    assert element.tag in ("mi", "mn")
    assert len(element) == 0
    latex = re.sub(r"\\[a-z]+|\\.", "", to_latex(Symbol(name)))
    assert latex.count("{") == latex.count("}")
    assert not set("$#%&~\\") & set(latex)
