"""`unbend` from the shell: runs one command, and turns whatever goes wrong into a text on stderr and an exit code."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

import click

from unbend.cli.commands import unbend
from unbend.errors import UnbendError

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended: 128 + SIGINT."""

BUG = 70
"""An error that unbend did not foresee; EX_SOFTWARE in sysexits.h."""

UNREADABLE = 3


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line (by default the program's own) and return its exit code."""
    args = list(sys.argv[1:] if args is None else args)
    _any_character(sys.stdout)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = unbend.main(args, prog_name="unbend", standalone_mode=False)
            sys.stdout.flush()
    except Exception as error:
        return _fail(error, args)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _fail(error: Exception, args: Sequence[str]) -> int:
    if os.environ.get("UNBEND_TRACEBACK"):
        traceback.print_exception(error)
    text, code = _failure(error, args)
    if text:
        click.echo("error: " + _visible(text), err=True)
    return code


def _failure(error: Exception, args: Sequence[str]) -> tuple[str, int]:
    """The text and the exit code of an error."""
    match error:
        case click.Abort():
            return "", INTERRUPTED
        case UnbendError():
            return error.on_the_command_line(), error.exit_code
        case click.ClickException():
            return _misuse(error), 2
        case MemoryError():
            return "there is not enough memory for this input", UNREADABLE
        case OSError(filename=str(name), strerror=str(reason)):
            return f"{name}: {reason}", UNREADABLE
        case _:
            return _bug(error, args), BUG


def _misuse(error: click.ClickException) -> str:
    """What was wrong with the options, the usage line, and where to read more."""
    context = getattr(error, "ctx", None)
    lines = error.format_message().rstrip(".").splitlines()
    lines[0] = lines[0][:1].lower() + lines[0][1:]
    if context is not None:
        lines += [context.get_usage().replace("Usage:", "  usage:"), "  what you can do"]
        lines += [f"    {context.command_path} --help"]
    return "\n".join(lines)


def _bug(error: Exception, args: Sequence[str]) -> str:
    summary = " ".join(traceback.format_exception_only(error)[-1].split())
    return "\n".join(
        [
            f"this is a bug in unbend, not in your input: {summary}",
            f"  command   unbend {shlex.join(args)}",
            f"  versions  {_versions()}",
            "  what you can do",
            f"    UNBEND_TRACEBACK=1 unbend {shlex.join(args)}    shows where; please send it with the report",
        ]
    )


def _versions() -> str:
    """unbend, Python and the packages that are loaded, as far as they say their version."""
    from unbend import __version__

    packages = ("numpy", "scipy", "sklearn", "pyarrow", "narwhals", "onnx", "onnx_ir", "onnxruntime", "torch")
    loaded = ((name, getattr(sys.modules.get(name), "__version__", None)) for name in packages)
    found = [f"{name} {version}" for name, version in loaded if version]
    python = ".".join(str(part) for part in sys.version_info[:3])
    return ", ".join([f"unbend {__version__}", f"Python {python}", *found, sys.platform])


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    click.echo("warning: " + _visible(str(message)), err=True)


def _visible(text: str) -> str:
    """`text` with control characters written out: a column's name must not drive the terminal."""
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _any_character(stream: TextIO) -> None:
    """Show a question mark, rather than fail, for a character that the terminal's encoding has not."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and (stream.encoding or "").lower() not in ("utf-8", "utf8"):
        reconfigure(errors="replace")
