"""A network and a table brought together: which column is which input, which value is the answer, in which units."""

from unbend.pairing.features import Features, match
from unbend.pairing.head import Head, head
from unbend.pairing.learning import Learning
from unbend.pairing.opening import open_for, open_with_target
from unbend.pairing.pair import Pair, Scale, pair
from unbend.pairing.scaling import Scaling

__all__ = [
    "Features",
    "Head",
    "Learning",
    "Pair",
    "Scale",
    "Scaling",
    "head",
    "match",
    "open_for",
    "open_with_target",
    "pair",
]
