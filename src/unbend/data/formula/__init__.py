"""Formulas such as `y ~ a*b + C(region) + poly(x, 3)`, as formulaic reads them, over rows that come in blocks.

One reading finds what the columns of the formula must know of all rows: the levels of categories, and what `center`,
`scale` and `poly` keep. After it each row is made into columns by itself, so a formula may use only functions that look
at one row at a time, and these three.
"""

from unbend.data.formula.parsing import Parsed, parsed
from unbend.data.formula.rows import FormulaSource

__all__ = ["FormulaSource", "Parsed", "parsed"]
