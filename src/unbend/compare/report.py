"""From what the held-out rows said to the comparison: scores, steps, verdict and notes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from unbend.compare.answer import Case, finding, headline
from unbend.compare.climb import Judged
from unbend.compare.comparison import Comparison, Score
from unbend.compare.gather import Gathered
from unbend.compare.intervals import overlap_noise, row_wise
from unbend.compare.ladder import Rung, rungs
from unbend.compare.notes import notes, warning
from unbend.compare.split import Split
from unbend.compare.steps import ROPE, Estimate, Step, estimate, step
from unbend.findings import Grade, Interval
from unbend.pairing import Pair


def report(gathered: Gathered, judged: Judged, pair: Pair | None, level: float) -> Comparison:
    """The comparison; `pair` is the user's network, None if the default one was fitted."""
    split = gathered.split
    ladder = _Ladder(split, judged, pair, level)
    scores = tuple(ladder.score(entry) for entry in ladder.entries)
    case = ladder.case("" if pair is None else warning(gathered, scores))
    return Comparison(
        source=split.table.source.name,
        target=split.table.target,
        model=None if pair is None else pair.network.name,
        unit=ladder.unit,
        n=len(judged.fold),
        how=split.how,
        folds=split.folds,
        seed=split.seed,
        level=level,
        rope=ladder.rope,
        scores=scores,
        steps=ladder.steps,
        enough=case.enough,
        sure=case.sure,
        may_flatter=ladder.may_flatter,
        headline=headline(case),
        answer=finding(case),
        notes=notes(gathered, judged, pair, scores),
    )


@dataclass(frozen=True, eq=False)
class _Ladder:
    """The rungs that were judged, measured in R² for numbers and in nats for classes."""

    split: Split
    judged: Judged
    pair: Pair | None
    level: float

    @property
    def classes(self) -> bool:
        return self.split.table.classes is not None

    @property
    def unit(self) -> Literal["R²", "nats"]:
        return "nats" if self.classes else "R²"

    @property
    def entries(self) -> list[Rung]:
        return [entry for entry in rungs("classes" if self.classes else "number") if entry.name in self.judged.losses]

    @property
    def null(self) -> np.ndarray:
        """What a gain is divided by: the constant's losses for R², 1 for nats; (n,)."""
        return np.ones(len(self.judged.fold)) if self.classes else self.judged.losses["constant"]

    @property
    def rope(self) -> float:
        return ROPE * float(self.judged.losses["constant"].mean()) if self.classes else ROPE

    @property
    def may_flatter(self) -> bool:
        return self.pair is not None and not self.split.holdout

    def unstable(self, entry: Rung) -> bool:
        """A rung whose training is random; a network that was given is not trained here."""
        return entry.unstable and self.pair is None

    def grade(self, *names: str) -> Grade:
        return "measured on these rows" if self.may_flatter and "network" in names else "measured on held-out rows"

    def gain(self, lower: Rung, upper: Rung) -> Estimate:
        """How much less the upper rung loses."""
        names = lower.name, upper.name
        difference = self.judged.losses[lower.name] - self.judged.losses[upper.name]
        overlap = 0.0 if self.split.holdout else overlap_noise(float(difference.mean()), self.judged.apart[names])
        unstable = self.unstable(lower) or self.unstable(upper)
        return estimate(difference, self.null, self.judged.fold, self.level, overlap, unstable)

    def score(self, entry: Rung) -> Score:
        """A rung's own figures."""
        loss, right = self.judged.losses[entry.name], self.judged.right[entry.name]
        r2 = None if self.classes else 1 - float(loss.sum() / self.judged.losses["constant"].sum())
        return Score(
            name=entry.name,
            label=entry.label,
            loss=float(loss.mean()),
            r2=r2,
            accuracy=float(right.mean()) if self.classes else None,
            interval=self._interval(entry, loss),
            parameters=self.judged.parameters[entry.name],
            grade=self.grade(entry.name),
        )

    def _interval(self, entry: Rung, loss: np.ndarray) -> Interval | None:
        """Of the log-loss, or of R², which is the gain over the constant (its own is 0 by definition)."""
        if self.classes:
            return row_wise(loss, self.level)
        return None if entry.name == "constant" else self.gain(self.entries[0], entry).by_rows

    @property
    def steps(self) -> tuple[Step, ...]:
        """From every rung to every higher one."""
        return tuple(self._step(lower, upper) for lower, upper in combinations(self.entries, 2))

    def _step(self, lower: Rung, upper: Rung) -> Step:
        grade = self.grade(lower.name, upper.name)
        return step(lower.name, upper.name, self.gain(lower, upper), len(self.judged.fold), self.rope, grade)

    def case(self, warning: str) -> Case:
        """What the verdict rests on."""
        return Case(
            labels={entry.name: entry.label for entry in self.entries},
            steps=self.steps,
            target=self.split.table.target,
            how=self.split.how,
            rope=self.rope,
            unit=self.unit,
            may_flatter=self.may_flatter,
            warning=warning,
        )
