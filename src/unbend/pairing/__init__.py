"""A network and a table brought together: which column is which input, which value is the answer, in which units."""

from unbend.pairing.features import Features, match
from unbend.pairing.head import Head, head
from unbend.pairing.pair import Pair, pair
from unbend.pairing.scaling import Scaling

__all__ = ["Features", "Head", "Pair", "Scaling", "head", "match", "pair"]
