"""Columns as they are named in a call: one name or several, also of a frame whose columns are numbers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any


def column_name(given: Any) -> Any:
    """A name as text, since a frame's columns get one when they are read; None stays.

    >>> column_name(2), column_name("age"), column_name(None)
    ('2', 'age', None)
    """
    return given if given is None else str(given)


def column_names(given: Any) -> tuple[str, ...]:
    """Several names; one name alone is one of them, and None is none.

    >>> column_names("age"), column_names(["age", 2]), column_names(None)
    (('age',), ('age', '2'), ())
    """
    if given is None:
        return ()
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        return (str(given),)
    return tuple(str(name) for name in given)


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The one of the names that is likely meant by a name that is none of them; None if none is like it.

    >>> nearest("Age", ["age", "ages"]), nearest("regoin", ["age", "region"]), nearest("x", ["age"])
    ('age', 'region', None)
    """
    near = [other for other in names if other.casefold() == name.casefold()]
    return next(iter(near or difflib.get_close_matches(name, names, n=1)), None)
