"""The demo: real data, a small network trained on it, and everything that unbend has to say about the two."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from unbend.demo.cases import CASES, Case, find
from unbend.demo.training import Trained, train
from unbend.document import Block, Code, Heading, Paragraph, Table, render_page
from unbend.document import Column as Heads
from unbend.output import made_by_unbend, refuse, replacing, write
from unbend.result import Result

if TYPE_CHECKING:
    from unbend.report import Answer

HELD_OUT = "held_out"
"""The column that says which rows the network has not seen."""


@dataclass(frozen=True)
class Demo(Result):
    """What the demo left behind, and the answer that it shows.

    `command` repeats the examination on the two files.
    """

    verb: ClassVar[str] = "demo"

    case: str
    question: str
    shows: str
    origin: str
    model: Path
    data: Path
    page: Path
    command: str
    answer: Answer

    def document(self) -> list[Block]:
        """What was done, the answer, and how to go on."""
        return [
            Heading(f"Demo: {self.case}", level=1),
            Paragraph(self.question, "strong"),
            Paragraph(
                f"Data: {self.origin}. A small ReLU network was trained just now on two thirds of the rows, and is "
                f"judged on the rest. What this case is there to show: {self.shows}."
            ),
            *self.answer.document(),
            Heading("Go on from here"),
            Table(
                [Heads("file", "left"), Heads("what it is", "left")],
                [
                    [str(self.model), "the network"],
                    [str(self.data), f"the data; {HELD_OUT} is true where the network has not seen the row"],
                    [str(self.page), "this answer as a page"],
                ],
            ),
            Paragraph("Your own network and data, and the other cases:"),
            Code("\n".join(["unbend examine MODEL.onnx DATA.csv --target NAME", *self._others()])),
        ]

    def _others(self) -> list[str]:
        return [f"unbend demo {name}" for name in CASES if name != self.case]


@dataclass(frozen=True)
class Cases(Result):
    """The cases of the demo, with what each is about."""

    verb: ClassVar[str] = "demo"

    cases: tuple[tuple[str, str, str, str], ...]

    def document(self) -> list[Block]:
        """A paragraph and the command, case by case."""
        return [block for case in self.cases for block in self._case(*case)]

    def _case(self, name: str, question: str, shows: str, origin: str) -> list[Block]:
        return [
            Heading(name, 3),
            Paragraph(f"{question} {_sentence(shows)} Data: {origin}."),
            Code(f"unbend demo {name}"),
        ]


def cases() -> Cases:
    """The cases that `demo` knows: name, question, what it shows, where the data are from."""
    return Cases(tuple((case.name, case.question, case.shows, case.origin) for case in CASES.values()))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def demo(case: str | None = None, folder: str | Path | None = None, *, force: bool = False) -> Demo:
    """Train a small network on real data that comes with a dependency, examine it, and leave the files in `folder`.

    Parameters
    ----------
    case
        The name of a case (see `cases`); by default the first, in which a linear regression is enough.
    folder
        Where the network, the data and the page are left; by default `unbend-demo/<case>`. It is made if need be.
    force
        Overwrite files in the folder that unbend did not make.

    Raises
    ------
    UsageError
        There is no such case, or the folder holds files that unbend did not make.
    """
    chosen = find(case)
    from unbend.examine import examine

    where = Path("unbend-demo", chosen.name) if folder is None else Path(folder)
    model, data, page = (where / f"{chosen.name}{suffix}" for suffix in (".onnx", ".csv", ".html"))
    force = force or (model.exists() and made_by_unbend(model))
    for path in (model, data, page):
        refuse(path, force=force)
    trained = train(chosen)
    where.mkdir(parents=True, exist_ok=True)
    _write_model(model, chosen, trained, force)
    write(data, _as_csv(trained), force=force)
    answer = examine(model, data, chosen.target, holdout_column=HELD_OUT)
    write(page, render_page(answer.document(), f"unbend demo {chosen.name}"), force=force)
    return Demo(
        case=chosen.name,
        question=chosen.question,
        shows=chosen.shows,
        origin=chosen.origin,
        model=model,
        data=data,
        page=page,
        command=answer.command,
        answer=answer,
    )


def _write_model(path: Path, case: Case, trained: Trained, force: bool) -> None:
    """The network as ONNX, with the names of its columns."""
    import onnx_ir as ir

    from unbend.network import read
    from unbend.network.metadata import describe

    network = read(trained.network, name=case.name)
    describe(network.model, features=[name for name in trained.columns if name != case.target])
    with replacing(path, force=force) as draft:
        ir.save(network.model, draft)


def _as_csv(trained: Trained) -> str:
    columns = {name: _written(values) for name, values in trained.columns.items()}
    columns[HELD_OUT] = ["true" if held_out else "false" for held_out in trained.held_out]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _written(values: np.ndarray) -> Sequence[str]:
    """Each number in as few digits as give it back: 59, not 59.0."""
    return [np.format_float_positional(value, trim="-") for value in values]
