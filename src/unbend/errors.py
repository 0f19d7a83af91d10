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

import re

WORD = r"(?!out\b)[\w.-]*\w(?=$|[,;:.)]| \(| or | and | leaves )"

OPTION = re.compile(rf"--([a-z][a-z-]+)(?: ('[^']*'|[A-Z][A-Z0-9]*\b|\d[\d.]*\b|{WORD}))?")
"""An option as errors name it, with its value if one is said."""

PLACEHOLDERS = {"NAME", "FILE", "COLUMN", "N"}

COMMAND = re.compile(r"\b(?:unbend (?:fit|check|compare|examine|collapse|explain|near|bends|demo)|pip) ")

FLAGS = {"classes": "True", "digits": "True", "force": "True", "allow-growth": "True", "no-intercept": "False"}


def in_python(text: str) -> str:
    """Options in a text as the arguments of the same names; lines that are a command stay as they are.

    >>> in_python("did you mean net income? --target 'net income', or leave --holdout-column out")
    "did you mean net income? target='net income', or leave holdout_column out"
    >>> in_python("a formula and --degree do not go together")
    'a formula and degree do not go together'
    >>> in_python("add --force, --ridge 0.5, --folds N, --collinear least-norm or --exclude age")
    "add force, ridge=0.5, folds=N, collinear='least-norm' or exclude=['age']"
    """
    return "\n".join(line if COMMAND.search(line) else OPTION.sub(_argument, line) for line in text.split("\n"))


def _argument(option: re.Match[str]) -> str:
    name, value = option.groups()
    key = name.removeprefix("no-").replace("-", "_")
    if value is None:
        named_only = option.string.startswith((" out", " and", ","), option.end())
        return f"{key}={FLAGS[name]}" if name in FLAGS and not named_only else key
    if name in FLAGS:
        return f"{key}={FLAGS[name]} {value}"
    if value not in PLACEHOLDERS and value[0] not in "'0123456789":
        value = repr(value)
    return f"{key}=[{value}]" if name == "exclude" else f"{key}={value}"


class UnbendError(Exception):
    """An error with a text for people: what, where, what to do."""

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", try_: str = "") -> None:
        self.what = what
        self.where = where
        self.try_ = try_
        super().__init__(what)

    def __str__(self) -> str:
        """The text as Python's users read it: options of the command line are arguments."""
        return self._text(in_python(self.what), in_python(self.try_))

    def on_the_command_line(self) -> str:
        """The text as it is written: with options of the command line."""
        return self._text(self.what, self.try_)

    def _text(self, what: str, try_: str) -> str:
        lines = [what]
        lines += [f"  {line}" for line in self.where.splitlines()]
        if try_:
            lines.append("  what you can do")
            lines += [f"    {line}" for line in try_.splitlines()]
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
