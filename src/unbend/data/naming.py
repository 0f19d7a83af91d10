"""Columns as they are named in a call: one name or several, also of a frame whose columns are numbers."""

from __future__ import annotations

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
