"""Equations as a small tree with three renderings: text, LaTeX and MathML.

A worked example is written once (`unbend explain`) and reads the same in a terminal, in Markdown and on a page.
"""

from unbend.document.formula.latex import to_latex
from unbend.document.formula.mathml import to_mathml, to_mathml_pieces
from unbend.document.formula.text import to_text
from unbend.document.formula.tree import Apply, Equation, Expression, Group, Matrix, Product, Sum, Symbol

__all__ = [
    "Apply",
    "Equation",
    "Expression",
    "Group",
    "Matrix",
    "Product",
    "Sum",
    "Symbol",
    "to_latex",
    "to_mathml",
    "to_mathml_pieces",
    "to_text",
]
