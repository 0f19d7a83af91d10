"""The names that people and tools give to a coded column: region=north, region_north, cat__region_north …"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from unbend.data import Coding, Term

LEVEL_FORMS = (
    "{0}={1}",
    "{0}_{1}",
    "{0}.{1}",
    "{0}:{1}",
    "{0}__{1}",
    "{0}[{1}]",
    "{0}[T.{1}]",
    "C({0})[{1}]",
    "C({0})[T.{1}]",
)
"""unbend, pandas and scikit-learn, R's make.names, …, patsy and formulaic."""

STEP = "__"
"""scikit-learn's ColumnTransformer writes the name of its step before it: num__age."""


class Names:
    """Finds the coded column that a name means; a name that could mean two columns means none."""

    def __init__(self, coding: Coding) -> None:
        self._exact = {term.name: term for term in coding.terms}
        self._written = _unambiguous([(name, term) for term in coding.terms for name in _written(term)])
        self._folded = _unambiguous([(name.casefold(), term) for name, term in self._written.items()])

    def find(self, name: str) -> Term | None:
        """The column that `name` means, also after the name of a step, and in other letter case."""
        for part in _after_steps(name):
            found = self._exact.get(part) or self._written.get(part) or self._folded.get(part.casefold())
            if found is not None:
                return found
        return None


def _written(term: Term) -> list[str]:
    if term.level is None:
        return [term.name]
    return [form.format(term.column, term.level) for form in LEVEL_FORMS]


def _unambiguous(pairs: Sequence[tuple[str, Term]]) -> dict[str, Term]:
    found: dict[str, set[Term]] = defaultdict(set)
    for name, term in pairs:
        found[name].add(term)
    return {name: next(iter(terms)) for name, terms in found.items() if len(terms) == 1}


def _after_steps(name: str) -> list[str]:
    """The name, and what is left of it without the names of steps before it.

    >>> _after_steps("scale__num__age")
    ['scale__num__age', 'num__age', 'age']
    """
    parts = name.split(STEP)
    return [STEP.join(parts[i:]) for i in range(len(parts))]
