"""Printing what a verb returns: text, Markdown or JSON on stdout, and a page in a file."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from unbend.cli.options import Input
from unbend.progress import heard

if TYPE_CHECKING:
    from unbend.collapse import Explanation
    from unbend.result import Result

Command = Callable[..., Any]
FORMS = ("json", "markdown", "latex")
OUTPUT = click.Path(path_type=Path, dir_okay=False)


def shows(
    *,
    page: str = "--html",
    default_page: Callable[..., Path] | None = None,
    gate: Callable[..., None] | None = None,
) -> Callable[[Command], Command]:
    """Let a command return a result, and print it as the user asked.

    `page` is the option that names the page; `default_page`, from the command's options, is where it is written if the
    option is not given and the result is printed as text. `gate`, from the result and the command's options, may raise
    GateError after the result is printed.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def shown(*, page_file: Path | None, force: bool, **options: Any) -> None:
            context = click.get_current_context()
            form = _form(options)
            if page_file is None and form is None and default_page is not None:
                page_file = default_page(**options)
            if page_file is not None:
                _refuse_page(page_file, context, force)
            with _progress(context):
                result = command(force=force, **options) if "force" in _wants(command) else command(**options)
            if page_file is not None:
                _write_page(result, page_file, inputs_of(context), force)
            _print(result, form)
            if page_file is not None:
                click.echo(f"page: {page_file}", err=True)
            if gate is not None:
                gate(result, **options)

        return _add_options(shown, page)

    return decorate


def inputs_of(context: click.Context) -> list[str]:
    """The paths that the command reads."""
    paths = (context.params.get(p.name or "") for p in context.command.params if isinstance(p.type, Input))
    return [path for path in paths if path]


def _form(options: dict[str, Any]) -> str | None:
    """Take out of the options the one that says in what form to print."""
    chosen = [form for form in FORMS if options.pop(f"as_{form}", False)]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(f'--{form}' for form in chosen)} at once: give one of them")
    return chosen[0] if chosen else None


def _wants(command: Command) -> tuple[str, ...]:
    return command.__code__.co_varnames[: command.__code__.co_argcount + command.__code__.co_kwonlyargcount]


def _add_options(command: Command, page: str) -> Command:
    """Give `command` the options --json, --markdown, the page and --force, in that order."""
    force = click.option("--force", is_flag=True, help="Overwrite files that unbend did not make.")
    html = click.option(page, "page_file", type=OUTPUT, metavar="FILE", help="Write a self-contained page.")
    markdown = click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    for option in (force, html, markdown, as_json):
        command = option(command)
    return command


def _print(result: Result, form: str | None) -> None:
    if form == "json":
        click.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    elif form == "markdown":
        from unbend.document import render_markdown

        click.echo(render_markdown(result.document()).rstrip("\n"))
    elif form == "latex":
        click.echo(cast("Explanation", result).to_latex().rstrip("\n"))
    else:
        from unbend.document import print_blocks

        try:
            print_blocks(result.document())
        except SystemExit:  # what rich makes of a closed pipe
            raise BrokenPipeError from None


def _refuse_page(path: Path, context: click.Context, force: bool) -> None:
    """Say before the work, not after it, that the page may not be written there."""
    from unbend.errors import UsageError
    from unbend.output import ready

    for option in context.command.params:
        other = context.params.get(option.name or "")
        is_page = option.name == "page_file" or not isinstance(option.type, click.Path)
        if not is_page and isinstance(other, (str, Path)) and Path(other).resolve() == path.resolve():
            raise UsageError(f"{path} is the page, so {option.opts[-1]} cannot be written there", try_="name two files")
    ready(path, inputs=inputs_of(context), force=force)


def _write_page(result: Result, path: Path, inputs: list[str], force: bool) -> None:
    from unbend.document import render_page
    from unbend.output import write

    title = " ".join(["unbend", result.verb, *(Path(name).name for name in inputs)])
    write(path, render_page(result.document(), title), inputs=inputs, force=force)


@contextmanager
def _progress(context: click.Context) -> Iterator[None]:
    """While a command works, say so on a terminal's stderr, and what it is at; nothing in a pipe or a log."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    command = f"unbend {context.info_name}"
    with Console(stderr=True).status(f"{command} …") as status, heard(lambda at: status.update(f"{command}: {at} …")):
        yield
