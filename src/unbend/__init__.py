"""Is deep learning the repeated application of linear regression? For your network and your table, an exact answer.

The verbs are functions of this package, `unbend.examine(…)` and so on; each returns a frozen result with `to_dict()`, a
text form and `_repr_html_`. They are loaded on first use, so `import unbend` costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unbend.bends import bends, near
    from unbend.checks import check
    from unbend.collapse import collapse, explain
    from unbend.compare import compare
    from unbend.demo import demo
    from unbend.errors import DataError, GateError, InputError, ModelError, SelfCheckError, UnbendError, UsageError
    from unbend.examine import examine
    from unbend.findings import Finding, Interval
    from unbend.regression import FitState, fit
    from unbend.regression.estimators import (
        DeepLinearRidge,
        LinearRegression,
        LogisticRegression,
        PolynomialRegression,
        ReducedRankRegression,
        Ridge,
        RollingRegression,
    )
    from unbend.result import Result

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "DeepLinearRidge",
    "Finding",
    "FitState",
    "GateError",
    "InputError",
    "Interval",
    "LinearRegression",
    "LogisticRegression",
    "ModelError",
    "PolynomialRegression",
    "ReducedRankRegression",
    "Result",
    "Ridge",
    "RollingRegression",
    "SelfCheckError",
    "UnbendError",
    "UsageError",
    "bends",
    "check",
    "collapse",
    "compare",
    "demo",
    "examine",
    "explain",
    "fit",
    "near",
]

_HOMES = {
    "unbend.bends": ("bends", "near"),
    "unbend.checks": ("check",),
    "unbend.collapse": ("collapse", "explain"),
    "unbend.compare": ("compare",),
    "unbend.demo": ("demo",),
    "unbend.errors": (
        "DataError",
        "GateError",
        "InputError",
        "ModelError",
        "SelfCheckError",
        "UnbendError",
        "UsageError",
    ),
    "unbend.examine": ("examine",),
    "unbend.findings": ("Finding", "Interval"),
    "unbend.regression": ("FitState", "fit"),
    "unbend.regression.estimators": (
        "DeepLinearRidge",
        "LinearRegression",
        "LogisticRegression",
        "PolynomialRegression",
        "ReducedRankRegression",
        "Ridge",
        "RollingRegression",
    ),
    "unbend.result": ("Result",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unbend' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps `unbend.collapse` the verb: importing the package of the same name would put the module there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
