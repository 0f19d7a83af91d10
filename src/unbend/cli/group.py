"""A group of commands that lists them in the order they were written, and knows what a mistyped one may have meant."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

import click

BROKEN_PIPE = 141
"""What a shell expects of a program that wrote to a closed pipe: 128 + SIGPIPE."""


class Commands(click.Group):
    """`click.Group` with suggestions."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order they were written."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with."""
        name = args[0]
        if name in self.commands or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise click.UsageError(f'there is no command "{name}"{self._meant(name)}', ctx)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a reader that has gone away, such as `head`, ends it in silence."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(BROKEN_PIPE) from None

    def _meant(self, name: str) -> str:
        if Path(name).suffix == ".onnx":
            return f"\n  for the full report on a network: unbend examine {name} DATA --target NAME"
        close = difflib.get_close_matches(name.lower(), self.commands, n=1, cutoff=0.5)
        if close:
            return f"; did you mean {close[0]}?"
        return "\n  the commands are " + ", ".join(self.commands)
