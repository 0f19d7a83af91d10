"""Stretches, their cheapest exact rewriting, the certificate, and the worked derivation."""

from unbend.collapse.certify.certificate import Certificate
from unbend.collapse.collapse import Collapse, collapse
from unbend.collapse.explain.explain import Explanation, explain
from unbend.collapse.find.stretches import Stretch, Stretches, stretches

__all__ = ["Certificate", "Collapse", "Explanation", "Stretch", "Stretches", "collapse", "explain", "stretches"]
