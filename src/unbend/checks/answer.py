"""What `unbend check` answers: one sentence, a table of verdicts, and each assumption with its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from unbend.checks.pictures import pictures
from unbend.checks.sample import Sample
from unbend.checks.verdict import Check, Verdict, p_text, percent
from unbend.document import Block, Bullets, Column, Details, Heading, Paragraph, Table, number
from unbend.document.blocks import Tone
from unbend.regression import LinearFit
from unbend.result import Result

QUESTION = "May the linear fit be trusted?"

BEND_FIRST = "See to linearity first: what a bend leaves in the residuals looks like an uneven spread."

_TONES: dict[Verdict, Tone] = {"harmful": "bad", "noticeable": "warning"}


@dataclass(frozen=True, eq=False)
class Checks(Result):
    """The assumptions of a linear regression, each with a verdict.

    Attributes
    ----------
    sentence : may the linear fit be trusted, in a sentence or two
    verdict : the gravest verdict of all
    source, target : what was regressed
    order : the column that orders the rows, None without
    n : rows that were used
    level : of the intervals that the verdicts are about
    checks : one answer an assumption
    notes : what was done to the data
    fit : the regression itself
    sample : the rows that the pictures show
    """

    verb: ClassVar[str] = "check"

    sentence: str
    verdict: Verdict
    source: str
    target: str
    order: str | None
    n: int
    level: float
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    fit: LinearFit = field(repr=False, metadata={"json": False})
    sample: Sample = field(repr=False, metadata={"json": False})

    def __getitem__(self, assumption: str) -> Check:
        """The answer to one assumption, such as "even spread"."""
        for check in self.checks:
            if check.assumption == assumption:
                return check
        raise KeyError(f"no assumption {assumption!r}; there are {', '.join(c.assumption for c in self.checks)}")

    def document(self) -> list[Block]:
        """The answer, the verdicts, then each assumption with its consequence, remedy and table, the gravest first."""
        gravest_first = by_gravity(self.checks)
        blocks: list[Block] = [
            Heading(QUESTION, 1),
            Paragraph(self.sentence, _TONES.get(self.verdict, "strong"), "measured on these rows"),
            verdict_table(gravest_first, self),
        ]
        if {self["linearity"].verdict, self["even spread"].verdict} <= {"noticeable", "harmful"}:
            blocks.append(Paragraph(BEND_FIRST))
        for check in gravest_first:
            blocks += _section(check)
        blocks += pictures(self.sample, self.target, self.order)
        return [*blocks, Bullets(self.notes)] if self.notes else blocks


def verdict_table(checks: Sequence[Check], whole: Checks) -> Table:
    """One row an assumption: verdict, test, statistic, p."""
    columns = (
        Column("assumption", "left"),
        Column("verdict", "left"),
        Column("test", "left"),
        Column("statistic"),
        Column("p", digits=2),
    )
    rows = [(check.assumption, check.verdict, check.test, check.statistic, check.p) for check in checks]
    note = (
        f"{number(whole.n)} rows of {whole.source}. A verdict rests on what {percent(whole.level)} intervals really "
        "cover, not on p."
    )
    return Table(columns, rows, note=note)


def _section(check: Check) -> list[Block]:
    heading = Heading(f"{check.assumption[0].upper()}{check.assumption[1:]}: {check.verdict}", 3)
    if check.verdict == "not asked":
        return [heading, Paragraph(f"{check.consequence} {check.remedy}", "quiet")]
    paragraph = Paragraph(check.consequence, _TONES.get(check.verdict, "plain"), check.effect.grade)
    detail = Paragraph(f"{check.effect.sentence} {_record(check)}", "quiet")
    table = [check.table] if check.table else []
    notes = [Bullets(check.notes)] if check.notes else []
    if check.verdict == "fine":
        return [heading, paragraph, *notes, Details("the numbers", [detail, *table])]
    if check.verdict == "unsure":
        to_be_safe = Paragraph(f"To be safe: {check.remedy}")
        return [heading, paragraph, to_be_safe, *notes, Details("the numbers", [detail, *table])]
    return [heading, paragraph, detail, Paragraph(f"What to do: {check.remedy}"), *table, *notes]


def _record(check: Check) -> str:
    if check.statistic is None or check.p is None:
        return ""
    record = f"{check.test}: {number(check.statistic)}, {p_text(check.p)}."
    if check.chance is None:
        return record
    share = "less than 0.1 %" if check.chance < 0.001 else percent(check.chance)
    return f"{record} Rows without the fault show as much in {share} of tables."


def by_gravity(checks: Sequence[Check]) -> list[Check]:
    """The gravest verdict first; of equals linearity, since a bend disturbs what the others measure."""
    return sorted(checks, key=lambda check: (-check.severity, check.assumption != "linearity"))


def summary(checks: Sequence[Check], n: int) -> str:
    """The verdicts as one or two sentences that stand alone."""
    ordered = by_gravity(checks)
    consequence = ordered[0].consequence
    named = {word: [c.assumption for c in ordered if c.verdict == word] for word in ("harmful", "noticeable", "unsure")}
    unasked = [c.assumption for c in checks if c.verdict == "not asked"]
    if named["harmful"] == ["collinearity"]:
        answer = "For predictions yes; its single coefficients say little. " + consequence
    elif named["harmful"]:
        answer = f"Not as it stands: see {_joined(named['harmful'])}. {consequence}"
    elif named["noticeable"]:
        answer = f"With care: see {_joined(named['noticeable'])}. {consequence}"
    elif named["unsure"]:
        answer = f"Perhaps: {number(n)} rows cannot tell about {_joined(named['unsure'])}."
    elif "even spread" in unasked:
        asked = _joined([c.assumption for c in checks if c.verdict != "not asked"] or ["nothing"])
        reason = next(c.consequence for c in checks if c.assumption == "even spread")
        return f"It cannot be told: only {asked} could be asked. {reason}"
    else:
        answer = "Yes: these rows show nothing that spoils its intervals."
    return f"{answer} Not asked: {_joined(unasked)}." if unasked else answer


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
