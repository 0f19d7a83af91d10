"""Stretches, their cheapest exact rewriting, the certificate, and the worked derivation."""

from unbend.collapse.certificate import Certificate
from unbend.collapse.collapse import Collapse, collapse
from unbend.collapse.stretches import Stretch, Stretches, stretches

__all__ = ["Certificate", "Collapse", "Stretch", "Stretches", "collapse", "stretches"]
