"""Numbers in two parts: about 32 decimal digits, from NumPy arrays and from the text of decimals.

What the last digits of a regression need is one reading of the rows with every sum in two parts (`gradient`); the rest
is arithmetic of a few numbers (`Double`). Compiled passes are used where the package was built with them (`COMPILED`),
else NumPy, with the same digits.
"""

from unbend.exact.compiled import COMPILED
from unbend.exact.double import Double
from unbend.exact.error_free import two_prod, two_sum
from unbend.exact.gradient import Gradient, gradient
from unbend.exact.odds import compiled_odds, odds
from unbend.exact.products import products
from unbend.exact.text import decimals

__all__ = ["COMPILED", "Double", "Gradient", "compiled_odds", "decimals", "gradient", "odds", "products"]
__all__ += ["two_prod", "two_sum"]
