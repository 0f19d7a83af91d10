"""What `compare` returns: every rung's score on the held-out rows, every step's gain, and which rung is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from unbend.compare.picture import picture
from unbend.compare.steps import Step
from unbend.compare.words import between, points
from unbend.document import Block, Bullets, Cell, Column, Heading, Paragraph, Table, number
from unbend.findings import Finding, Grade, Interval
from unbend.result import Result


@dataclass(frozen=True)
class Score:
    """A rung on the held-out rows.

    Attributes
    ----------
    name, label : its name, and what sentences call it
    loss : mean squared error, or log-loss in nats
    r2 : 1 − loss / the loss of a constant fitted on the same rows as the rung, so that it differs a little from
        `sklearn.metrics.r2_score` on the held-out rows, whose constant is their own mean; None for classes
    accuracy : share of rows whose most probable class is right; None for a number
    interval : of `r2`, or of the log-loss; None for the constant's R², which is 0 by definition
    parameters : numbers that were fitted; for K classes those that are free: K − 1 shares, (K − 1)(columns + 1)
    grade : whether the rows were held out from the rung
    """

    name: str
    label: str
    loss: float
    r2: float | None
    accuracy: float | None
    interval: Interval | None
    parameters: int
    grade: Grade

    @property
    def value(self) -> float:
        """What the ladder is measured in: R², or the log-loss."""
        return self.loss if self.r2 is None else self.r2


@dataclass(frozen=True)
class Comparison(Result):
    """The ladder on held-out rows.

    Attributes
    ----------
    source, target : what was predicted from what
    model : the user's network, None for the small default one
    unit : "R²", or "nats" for a target of classes
    n : held-out rows that every rung was judged on
    how : which they are
    folds : 1 with a hold-out
    rope : the gain that matters, in `unit`
    scores : the rungs, lowest first
    steps : from every rung to every higher one
    enough : the lowest rung that no higher one beats by more than `rope`; if that is a network that `may_flatter`, it
        says nothing of other rows, and neither does the headline
    sure : whether no higher rung may beat it by more than `rope`, as far as the intervals say
    may_flatter : whether the network may have seen the rows in training
    headline : the verdict in a few words
    answer : the verdict with its figures
    notes : what was done to the data, what was left out, what limits the answer
    """

    verb: ClassVar[str] = "compare"

    source: str
    target: str
    model: str | None
    unit: Literal["R²", "nats"]
    n: int
    how: str
    folds: int
    seed: int
    level: float
    rope: float
    scores: tuple[Score, ...]
    steps: tuple[Step, ...]
    enough: str
    sure: bool
    may_flatter: bool
    headline: str
    answer: Finding
    notes: tuple[str, ...]

    def score(self, name: str) -> Score:
        """The rung of that name."""
        return next(score for score in self.scores if score.name == name)

    def step(self, lower: str, upper: str) -> Step:
        """The step between two rungs."""
        return next(step for step in self.steps if (step.lower, step.upper) == (lower, upper))

    def document(self) -> list[Block]:
        """The verdict, the rungs, the steps between them, the notes and a picture."""
        blocks: list[Block] = [
            Heading(f"Does {self.target} need a network?", 1),
            Paragraph(self.answer.sentence, "strong", self.answer.grade),
            self._rungs(),
            self._steps(),
            picture(self),
        ]
        return [*blocks, Heading("Notes", 3), Bullets(self.notes)] if self.notes else blocks

    def _rungs(self) -> Table:
        accuracy = [Column("accuracy", digits=3)] if self.unit == "nats" else []
        measure = "log-loss" if self.unit == "nats" else "R²"
        columns = [Column("rung", "left"), Column(measure), Column(f"{number(100 * self.level, 3)} % interval")]
        rows: list[list[Cell]] = []
        for score in self.scores:
            interval = "" if score.interval is None else between(score.interval, self.rope)
            row: list[Cell] = [score.name, points(score.value, self.rope), interval]
            rows.append([*row, *([score.accuracy] if accuracy else []), score.parameters])
        note = "The network may have seen these rows in training; the other rungs have not." if self.may_flatter else ""
        return Table(
            [*columns, *accuracy, Column("parameters", digits=9)], rows, title=f"Judged on {self.how}", note=note
        )

    def _steps(self) -> Table:
        columns = [
            Column("step", "left"),
            Column("gain"),
            Column("interval"),
            Column("verdict", "left"),
            Column("rows needed"),
        ]
        rows = [
            (
                f"{step.lower} → {step.upper}",
                points(step.gain, self.rope),
                between(step.interval, self.rope),
                step.verdict,
                "" if step.rows_needed is None else number(step.rows_needed),
            )
            for step in self.shown_steps
        ]
        gain = "in R²" if self.unit == "R²" else "log-loss saved, in nats"
        title = f"What each step gains ({gain}; it matters from {number(self.rope, 2)})"
        return Table(columns, rows, title=title)

    @property
    def shown_steps(self) -> tuple[Step, ...]:
        """The steps without those that jump from the constant over a rung: the rungs' own figures say the same."""
        first, second = self.scores[0].name, self.scores[1].name
        return tuple(step for step in self.steps if step.lower != first or step.upper == second)
