"""A first run that needs no file: `demo("diabetes")`."""

from unbend.demo.cases import CASES, Case
from unbend.demo.run import Cases, Demo, cases, demo

__all__ = ["CASES", "Case", "Cases", "Demo", "cases", "demo"]
