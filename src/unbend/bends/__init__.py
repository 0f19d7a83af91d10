"""Bends on rows: what their units do, and the regression that the network is near one row."""

from unbend.bends.activity import Bends, bends
from unbend.bends.counting import Bend
from unbend.bends.local_regression import LocalRegression
from unbend.bends.near import near
from unbend.bends.straightness import Straightness, straightness
from unbend.bends.tangent import Tangent, tangent

__all__ = [
    "Bend",
    "Bends",
    "LocalRegression",
    "Straightness",
    "Tangent",
    "bends",
    "near",
    "straightness",
    "tangent",
]
