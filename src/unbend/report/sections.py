"""THE SECTION TABLE: one file a section, text and page together; the package finds its own files.

A section is a function from the Answer to blocks. It only reads the Answer: whatever it shows can be found there, and
so the terminal, the page and the JSON cannot disagree.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import unbend.report
from unbend.document import Block, Bullets, Heading, Paragraph
from unbend.report.answer import Answer

Function = Callable[[Answer], list[Block]]
NOT_SECTIONS = frozenset({"answer", "sections"})


@dataclass(frozen=True)
class Section:
    """An entry of the table: where it stands, its title, the function that fills it."""

    order: int
    title: str
    function: Function


_TABLE: list[Section] = []


def section(order: int, title: str) -> Callable[[Function], Function]:
    """Put a function into the table. Sections stand in the order of their numbers; no blocks means no section."""

    def register(function: Function) -> Function:
        _TABLE.append(Section(order, title, function))
        return function

    return register


@cache
def table() -> tuple[Section, ...]:
    """Every section in order; the files of this package are imported on the first call."""
    for module in pkgutil.iter_modules(unbend.report.__path__):
        if module.name not in NOT_SECTIONS:
            importlib.import_module(f"unbend.report.{module.name}")
    return tuple(sorted(_TABLE, key=lambda entry: entry.order))


def document(answer: Answer) -> list[Block]:
    """The whole report. A sentence that stands in the summary already is not said again below it."""
    blocks: list[Block] = [
        Heading(f"{answer.model} on {answer.data}", 1),
        Paragraph(answer.comparison.headline, "strong", answer.comparison.answer.grade),
    ]
    said: set[str] = set()
    for entry in table():
        found = [block for block in entry.function(answer) if not (isinstance(block, Paragraph) and block.text in said)]
        if found:
            blocks += [Heading(entry.title, 2), *found]
        said |= {finding.sentence for finding in answer.findings}
    return blocks


def part(blocks: list[Block], notes: Sequence[str]) -> list[Block]:
    """A part's own document, to stand within a section: without its title, and without its notes, which stand last."""

    def left_out(block: Block) -> bool:
        if isinstance(block, Heading):
            return block.level == 1 or block.text == "Notes"
        return isinstance(block, Bullets) and tuple(block.items) == tuple(notes)

    return [block for block in blocks if not left_out(block)]
