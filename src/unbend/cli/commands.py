"""The commands, one a verb: each turns its options into one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unbend import __version__
from unbend.cli import collapsing, options
from unbend.cli.group import Commands
from unbend.cli.show import OUTPUT, shows

if TYPE_CHECKING:
    from unbend.result import Result


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="MODEL is an .onnx file. DATA is a .csv, .parquet, .arrow, .npz or .npy file, or a folder or glob of them.",
)
@click.version_option(__version__, prog_name="unbend")
def unbend() -> None:
    """Is your network a linear regression? Three kinds of answer, never mixed: exact for every input, proved on a
    range, measured on held-out rows."""


@unbend.command()
@options.model
@options.data
@options.target
@options.order
@options.holdout
@options.classes
@options.scale
@options.exclude
@options.folds
@options.seed
@options.level
@shows(page="--page", default_page=lambda model, **_: Path(f"unbend-{Path(model).stem}.html"))
def examine(model: str, data: str, target: str, **how: Any) -> Result:
    """The whole answer for MODEL on DATA: a report here, and a page.

    Is the network a linear regression? Which bends do anything on these rows? Does the data need a network? May the
    linear fit be trusted?

    The page is unbend-<model>.html unless --page names another; with --json or --markdown it is written only if named.
    """
    from unbend.examine import examine as verb

    return verb(model, data, target, **how)


@unbend.command()
@options.model
@click.option("-o", "--output", type=OUTPUT, metavar="SMALLER", help="Write the collapsed network here.")
@click.argument("files", nargs=-1, type=click.Path(), metavar="[SMALLER [CERTIFICATE]]")
@click.option(
    "--certificate",
    type=OUTPUT,
    metavar="FILE",
    help="Its certificate; by default SMALLER with .certificate.json for .onnx.",
)
@click.option("--verify", is_flag=True, help="Check the certificate of SMALLER again; exit with 1 if it does not hold.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if there is anything to collapse.")
@options.cost
@click.option("--allow-growth", is_flag=True, help="Let it store more numbers where that saves many multiplications.")
@options.example("Try the networks on this as well")
@shows(gate=collapsing.gate)
def collapse(
    model: str,
    files: tuple[str, ...],
    output: Path | None,
    certificate: Path | None,
    check: bool,
    verify: bool,
    force: bool,
    example: tuple[str, ...],
    **how: Any,
) -> Result:
    """The same function as MODEL, cheaper. Exact for every input.

    With -o, SMALLER is written and its certificate beside it: a bound on the difference for every finite input, which
    --verify checks again in both files.
    """
    if verify:
        return collapsing.verify(model, files, output, certificate, check)
    from unbend.collapse import collapse as verb

    collapsing.refuse_more(files)
    if check:
        collapsing.refuse_files(output, certificate)
    result = verb(collapsing.opened(model, collapsing.examples(example), output, certificate, force), **how)
    if not check:
        collapsing.save(result, output, certificate, force)
    return result


@unbend.command()
@options.maybe_model
@options.example("Where axes are free, work it out at the lengths of this")
@shows()
@click.option("--latex", "as_latex", is_flag=True, help="Print the equations in LaTeX.")
def explain(model: str | None, example: tuple[str, ...]) -> Result:
    """The collapse of MODEL step by step, in numbers.

    W_1, b_1, W_2, …, the running product and sum, W_z, b_z.

    Without a MODEL: a small worked example, 2 inputs, 3 hidden, 2 hidden, 1 output.
    """
    from unbend.collapse import explain as verb

    return verb(model, collapsing.examples(example))


@unbend.command()
@options.model
@options.data
@click.option("--row", type=click.IntRange(min=0), default=0, metavar="N", help="The row; the first is 0.")
@options.maybe_target
@options.exclude
@options.scale
@shows()
def near(model: str, data: str, row: int, **how: Any) -> Result:
    """The linear regression that MODEL is at one row of DATA."""
    from unbend.bends import near as verb

    return verb(model, data, row=row, **how)


@unbend.command()
@options.model
@options.data
@options.maybe_target
@options.exclude
@options.scale
@shows()
def bends(model: str, data: str, **how: Any) -> Result:
    """Every bend of MODEL: does it do anything on DATA?"""
    from unbend.bends import bends as verb

    return verb(model, data, **how)


@unbend.command()
@options.data
@options.target_or_formula
@options.formula
@click.option(
    "--degree",
    type=click.IntRange(1),
    default=1,
    metavar="K",
    help="All powers and products up to degree K, such as 2.",
)
@click.option("--ridge", type=options.Strength(), help="Shrink the coefficients; auto chooses how much.")
@click.option(
    "--collinear",
    type=click.Choice(["error", "drop", "least-norm"]),
    default="error",
    show_default=True,
    help="What to do with a column that the others determine.",
)
@options.classes
@options.weights
@click.option("--no-intercept", "intercept", flag_value=False, default=True, help="The fit passes through the origin.")
@click.option("--digits", is_flag=True, help="Read decimals as they are written; show all digits that are right.")
@options.covariance
@options.lags
@options.cluster
@options.order
@options.exclude
@options.level
@options.save
@options.update
@options.rows
@options.predict
@options.scheduler
@shows()
def fit(data: str, target: str | None, force: bool, **how: Any) -> Result:
    """Linear regression on the columns of DATA; logistic if the target is a class."""
    from unbend.regression import fit as verb

    if target is None and how["formula"] is None:
        raise click.UsageError("missing option '--target' (or '--formula')", click.get_current_context())
    return verb(data, target, force=force, **how)


@unbend.command()
@options.data
@options.target
@options.order
@options.exclude
@options.level
@shows()
def check(data: str, target: str, **how: Any) -> Result:
    """May that regression be trusted? Its assumptions, one by one."""
    from unbend.checks import check as verb

    return verb(data, target, **how)


@unbend.command()
@options.data
@options.maybe_model
@options.target
@options.order
@options.holdout
@options.classes
@options.scale
@options.exclude
@options.folds
@options.seed
@options.level
@shows()
def compare(data: str, model: str | None, target: str, **how: Any) -> Result:
    """Would a regression do as well as MODEL?

    Constant, linear, quadratic and, if given, MODEL, on the same held-out rows.
    """
    from unbend.compare import compare as verb

    return verb(data, target, model, **how)


@unbend.command()
@click.argument("case", required=False)
@click.option("--list", "listing", is_flag=True, help="Name the cases.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to leave the files.")
@shows()
def demo(case: str | None, listing: bool, folder: Path | None, force: bool) -> Result:
    """A first run that needs no file.

    Takes real data, trains a small network on it, examines it, and leaves the files. CASE is one that --list names.
    """
    from unbend.demo import cases
    from unbend.demo import demo as verb

    return cases() if listing else verb(case, folder, force=force)


@unbend.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Let your shell complete commands and columns.

    \b
    bash   eval "$(unbend completion bash)"              in ~/.bashrc
    zsh    eval "$(unbend completion zsh)"               in ~/.zshrc
    fish   unbend completion fish | source               in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None  # the choice above names only shells that click knows
    click.echo(script(unbend, {}, "unbend", "_UNBEND_COMPLETE").source())
