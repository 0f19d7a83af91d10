"""What a formula is made of, and which functions it may use: those that look at one row at a time."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from unbend.errors import UsageError

RUNNING = ("poly", "scale", "center")
BY_ROW = ("log", "log10", "log2", "exp", "exp10", "exp2", "I", "C", "Treatment", "Sum", "Helmert", "Poly", "Diff")


@dataclass(frozen=True)
class Parsed:
    """A formula and what it is made of.

    Attributes
    ----------
    text : as it was given
    left, right : formulaic's terms of both sides; left is None if there is no `~`
    """

    text: str
    left: Any
    right: Any

    @property
    def intercept(self) -> bool:
        """Whether there is one."""
        return any(str(term) == "1" for term in self.right)

    @property
    def target(self) -> str | None:
        """What is explained."""
        return None if self.left is None else str(next(iter(self.left)))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are used, in a fixed order."""
        looked_up = {factor.expr for factor in self._factors if factor.eval_method.value == "lookup"}
        return tuple(sorted(looked_up.union(*map(words_in, self.expressions))))

    @property
    def _factors(self) -> list[Any]:
        return [
            factor for side in (self.left, self.right) if side is not None for term in side for factor in term.factors
        ]

    @property
    def expressions(self) -> tuple[str, ...]:
        """The pieces that are code."""
        return tuple(dict.fromkeys(one.expr for one in self._factors if one.eval_method.value == "python"))

    @property
    def running(self) -> tuple[str, ...]:
        """Those of them that must know something of all rows."""
        return tuple(one for one in self.expressions if called_in(tree_of(one)) in RUNNING)

    @property
    def code(self) -> Any:
        """The left side if it is code; None if it is a column as it is."""
        if self.left is None:
            return None
        (term,) = self.left
        return self.left if any(factor.eval_method.value == "python" for factor in term.factors) else None


def parsed(text: str) -> Parsed:
    """Read a formula.

    Raises
    ------
    UsageError
        If formulaic is not installed or cannot read it, or if it uses a function that must see all rows at once.
    """
    try:
        from formulaic.errors import FormulaicError
        from formulaic.formula import SimpleFormula
    except ImportError as error:
        raise UsageError("a formula needs the package formulaic", try_="pip install 'unbend[formula]'") from error
    if re.search(r"(^|[~+*/:(-])\s*\.\s*($|[~+*/:)-])", text):
        raise UsageError(
            f"a formula names its columns, and a point does not stand for all others: {text}",
            try_="name them; --target NAME instead of a formula takes all others",
        )
    try:
        formula = formulaic_of(text)
    except FormulaicError as error:
        raise UsageError(f"cannot read the formula {text}", where=str(error).splitlines()[0]) from error
    left, right = (None, formula) if isinstance(formula, SimpleFormula) else (formula.lhs, formula.rhs)
    if not isinstance(right, SimpleFormula) or (left is not None and len(list(left)) != 1):
        raise UsageError(f"a formula has one target and one right side: {text}", try_="write it as 'y ~ a + b'")
    found = Parsed(text, left, right)
    for expression in found.expressions:
        _refuse_many_rows(expression)
    return found


def formulaic_of(text: str) -> Any:
    """The formula as formulaic reads it, of whichever of its classes that is."""
    import formulaic

    make: Any = formulaic.Formula
    return make(text)


def _refuse_many_rows(expression: str) -> None:
    """Raise UsageError for a function in an expression that looks at more than its own row."""
    tree = tree_of(expression)
    running = [name for node in ast.walk(tree) if (name := called_in(node)) in RUNNING]
    whole = called_in(tree) in RUNNING
    for node in ast.walk(tree):
        name = called_in(node)
        if name is not None and not _by_row(name) and name not in RUNNING:
            if not _known(name):
                raise UsageError(f"no function {name} in a formula: {expression}", try_=_other_name(name))
            raise UsageError(
                f"{name} in {expression} may look at other rows than its own, which come in blocks",
                try_="use functions of one row, such as log or np.sqrt, or center, scale and poly,\n"
                "or make the column before",
            )
    if len(running) > 1 or (running and not whole):
        raise UsageError(f"{running[0]} must stand by itself in a formula, not within {expression}")


def tree_of(expression: str) -> ast.expr:
    """An expression as Python reads it, with names between backticks as any name."""
    return ast.parse(re.sub(r"`[^`]*`", "_", expression), mode="eval").body


def called_in(node: ast.AST) -> str | None:
    """The name of the function that a node calls."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else None


def words_in(expression: str) -> set[str]:
    """The columns in an expression: names that are not called, and those between backticks."""
    tree = tree_of(expression)
    called = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Call) for inner in ast.walk(node.func)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return (names - {"np", "_"}) | set(re.findall(r"`([^`]*)`", expression))


def _known(name: str) -> bool:
    """Whether it is a function of formulaic or of NumPy, or of a column."""
    from formulaic.transforms import TRANSFORMS

    if name.startswith("np."):
        return hasattr(np, name[3:])
    return "." in name or (name != "Q" and name in TRANSFORMS)


def _other_name(name: str) -> str:
    if name == "Q":
        return "write a name with blanks or signs between backticks: `net income`"
    meant = [f"did you mean np.{name}?"] if isinstance(getattr(np, name, None), np.ufunc) else []
    return "\n".join([*meant, "known are log, exp, C, poly, center, scale, and np.sqrt and its like"])


def _by_row(name: str) -> bool:
    if name.startswith("np."):
        return isinstance(getattr(np, name[3:], None), np.ufunc)
    return name in BY_ROW or name.startswith("contr.")
