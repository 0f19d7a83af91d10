"""The options and arguments that several commands share, and what the shell may complete for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


NETWORKS = (".onnx",)
TORCH = (".pt", ".pth")
TABLES = (".csv", ".parquet", ".arrow", ".feather", ".ipc", ".npz", ".npy")


class Input(click.ParamType):
    """A file, folder or glob to read. The verb opens it, so that a message about it is the same from Python.

    A file that ends in one of `others` has changed places with another argument.
    """

    name = "file"

    def __init__(self, others: tuple[str, ...] = ()) -> None:
        self.others = others

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path as it is."""
        if Path(value).suffix.lower() in self.others and param is not None:
            kinds = ("a table", "a network") if self.others is TABLES else ("a network", "a table")
            self.fail(f"{value} is {kinds[0]}, and {kinds[1]} belongs here", param, ctx)
        if Path(value).suffix.lower() in TORCH and self.others is TABLES:
            how = "torch.onnx.export(module, (example,), 'model.onnx', dynamo=True)"
            self.fail(f"{value} is torch's own file; write an .onnx file with\n  {how}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names of files, from the shell."""
        return [CompletionItem(incomplete, type="file")]


class ColumnName(click.ParamType):
    """The name of a column of DATA."""

    name = "column"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The columns of the file that stands before it on the line."""
        try:
            names = column_names(_data_on_the_line(ctx).expanduser())
        except Exception:  # a broken file must not break the user's shell
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Strength(click.ParamType):
    """How strong a ridge: `auto`, or a number from 0."""

    name = "auto|number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | float:
        """A number as a float; `auto` and `gcv` are generalised cross-validation, and stay as they are typed."""
        if value in ("auto", "gcv"):
            return value
        try:
            strength = float(value)
        except ValueError:
            self.fail(f'"{value}" is neither auto nor a number', param, ctx)
        if not 0 <= strength < float("inf"):
            self.fail(f"{value} is not a strength: it is a number from 0", param, ctx)
        return strength


def _data_on_the_line(ctx: click.Context) -> Path:
    """DATA on an unfinished line: click leaves the arguments unnamed while the last option has no value."""
    if given := ctx.params.get("data"):
        return Path(given)
    arguments = [param.name for param in ctx.command.params if isinstance(param, click.Argument)]
    return Path(ctx.args[arguments.index("data")])


def column_names(path: Path) -> list[str]:
    """The names in the header of a CSV, Parquet or Arrow file; none of the rows are read."""
    if path.suffix == ".csv":
        import csv

        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_schema(path).names
    import pyarrow.ipc

    return pyarrow.ipc.open_file(path).schema.names


model = click.argument("model", type=Input(others=TABLES))
maybe_model = click.argument("model", type=Input(others=TABLES), required=False)
data = click.argument("data", type=Input(others=NETWORKS))
target = click.option("--target", type=ColumnName(), required=True, metavar="NAME", help="The column to predict.")
target_or_formula = click.option("--target", type=ColumnName(), metavar="NAME", help="The column to predict.")
formula = click.option(
    "--formula", metavar="TEXT", help="Instead of a target, such as 'y ~ a*b + C(region) + poly(x, 3)'."
)
maybe_target = click.option(
    "--target", type=ColumnName(), metavar="NAME", help="A column of DATA that is not an input of the model."
)
order = click.option(
    "--order", type=ColumnName(), metavar="COLUMN", help="The rows have an order, by this column (it is no input)."
)
exclude = click.option(
    "--exclude", type=ColumnName(), metavar="COLUMN", multiple=True, help="Leave this column out. Repeatable."
)
classes = click.option(
    "--classes", is_flag=True, default=None, help="The numbers of the target are classes, such as 0 and 1."
)
covariance = click.option(
    "--covariance",
    type=click.Choice(["classical", "HC0", "HC1", "HC2", "HC3", "HC4", "HAC"], case_sensitive=False),
    default="classical",
    show_default=True,
    help="Standard errors for noise that differs from row to row (HC) and remembers earlier rows (HAC).",
)
lags = click.option(
    "--lags",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many rows HAC remembers; chosen by the number of rows if left out.",
)
cluster = click.option(
    "--cluster",
    type=ColumnName(),
    metavar="COLUMN",
    multiple=True,
    help="Rows that agree here may share noise (it is no input). Once or twice.",
)
cost = click.option(
    "--cost",
    type=click.Choice(["measured", "macs"]),
    default="measured",
    show_default=True,
    help="What says which form is cheapest: where counting leaves a doubt, timing it here; or counting alone.",
)


def example(says: str) -> Decorator:
    """Values of inputs to look at a network with; `says` what is done with them."""
    text = f"{says}, a value of an input with its batch axis. Repeatable."
    return click.option("--example", multiple=True, metavar="NAME=FILE.npy", help=text)


save = click.option(
    "--save", type=click.Path(), metavar="FILE", help="Keep what more rows can be added to, in a small file."
)
update = click.option(
    "--update", type=Input(others=NETWORKS), metavar="FILE", help="A saved fit, which these rows come on top of."
)
rows = click.option(
    "--rows",
    type=click.Path(),
    metavar="FILE",
    help="Write prediction, interval, residual and leverage of each row, or its class (.csv, .parquet, .arrow).",
)
predict = click.option(
    "--predict", type=Input(others=NETWORKS), metavar="FILE", help="Other rows that --rows is for, without a target."
)
scheduler = click.option(
    "--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers read DATA, such as tcp://10.0.0.1:8786."
)
weights = click.option(
    "--weights",
    type=ColumnName(),
    metavar="COLUMN",
    help="How much each row counts: its precision, for a class its repeats (it is no input).",
)
scale = click.option(
    "--scale",
    type=click.Choice(["auto", "none", "standard", "minmax"]),
    default="auto",
    show_default=True,
    help="How the columns were scaled before they entered the network.",
)
level = click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="P",
    default=0.95,
    show_default=True,
    help="Level of the intervals.",
)
folds = click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=5,
    metavar="K",
    show_default=True,
    help="Folds of the cross-validation.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    show_default=True,
    help="Decides how the rows are shuffled.",
)


def holdout(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--holdout FILE` and `--holdout-column NAME`: rows that the network never saw in training."""
    command = click.option(
        "--holdout-column",
        type=ColumnName(),
        metavar="NAME",
        help="A yes/no column of DATA: yes where the network has not seen the row in training.",
    )(command)
    return click.option(
        "--holdout",
        type=Input(others=NETWORKS),
        metavar="FILE",
        help="More rows, that the network has not seen in training.",
    )(command)
