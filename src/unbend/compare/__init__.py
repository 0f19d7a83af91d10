"""The ladder: constant, linear, quadratic, network on the same held-out rows. Does this data need a network?"""

from unbend.compare.compare import compare
from unbend.compare.comparison import Comparison, Score
from unbend.compare.steps import Step

__all__ = ["Comparison", "Score", "Step", "compare"]
