"""A network and a table brought together: which column is which input, which value is the answer, in which units."""

from unbend.pairing.features import Features, match
from unbend.pairing.head import Head, head
from unbend.pairing.opening import open_for
from unbend.pairing.pair import Pair, Scale, pair
from unbend.pairing.scaling import Scaling

__all__ = ["Features", "Head", "Pair", "Scale", "Scaling", "head", "match", "open_for", "pair"]
