"""Every error that unbend raises on purpose.

    UnbendError                 what went wrong, where, what to do
    ├── UsageError              exit 2: the options do not fit together
    ├── InputError              exit 3: the input cannot be read or is not supported
    │   ├── ModelError          … the network
    │   └── DataError           … the table
    ├── GateError               exit 1: a gate that the user asked for failed
    └── SelfCheckError          exit 4: unbend's own check of its answer failed, so there is no answer

The text has up to three parts, and the command line prints them one below the other: `what` is one line, `where`
says which file, column, row or node, `try_` says what the user can do (one action a line).
"""

from __future__ import annotations


class UnbendError(Exception):
    """An error with a text for people: what, where, what to do."""

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", try_: str = "") -> None:
        self.what = what
        self.where = where
        self.try_ = try_
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  {line}" for line in self.where.splitlines()]
        if self.try_:
            lines.append("  what you can do")
            lines += [f"    {line}" for line in self.try_.splitlines()]
        return "\n".join(lines)


class UsageError(UnbendError):
    """The options or arguments do not fit together (exit code 2)."""

    exit_code = 2


class InputError(UnbendError):
    """The input cannot be read or is not supported (exit code 3)."""

    exit_code = 3


class ModelError(InputError):
    """The network cannot be read or is not supported."""


class DataError(InputError):
    """The table cannot be read or does not hold what was asked for."""


class GateError(UnbendError):
    """A gate that the user asked for failed (exit code 1)."""

    exit_code = 1


class SelfCheckError(UnbendError):
    """unbend's own check of its answer failed, so no answer is given (exit code 4)."""

    exit_code = 4
