"""The verdict in a sentence: which rung is enough, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unbend.compare.steps import Step, beats, might_beat
from unbend.compare.words import between, points
from unbend.document import number
from unbend.findings import Finding, Grade

HOLD_OUT = "--holdout FILE or --holdout-column NAME"
SEEN = "the network may have been trained on"


@dataclass(frozen=True)
class Case:
    """What the verdict rests on.

    Attributes
    ----------
    labels : by rung, lowest first, what sentences call it
    steps : from every rung to every higher one
    target : what is predicted
    how : which rows are held out
    rope, unit : the gain that matters
    may_flatter : whether the network may have seen the rows in training
    warning : a sentence about the network's score that the verdict must not stand without, "" if none
    """

    labels: dict[str, str]
    steps: Sequence[Step]
    target: str
    how: str
    rope: float
    unit: str
    may_flatter: bool
    warning: str = ""

    @property
    def enough(self) -> str:
        """The lowest rung that no higher one beats by more than what matters."""
        beaten = {step.lower for step in self.steps if beats(step, self.rope)}
        return next(name for name in self.labels if name not in beaten)

    @property
    def above(self) -> list[Step]:
        """The steps from that rung to higher ones."""
        return [step for step in self.steps if step.lower == self.enough]

    @property
    def below(self) -> Step | None:
        """The step to that rung from the next lower one."""
        return next((step for step in reversed(self.steps) if step.upper == self.enough), None)

    @property
    def sure(self) -> bool:
        """Whether no higher rung may be better by more than what matters."""
        return not any(might_beat(step, self.rope) for step in self.above)

    @property
    def unheard(self) -> bool:
        """Whether the network wins on rows that it may have learned by heart: then nothing can be said."""
        return self.may_flatter and self.enough == "network"

    @property
    def grade(self) -> Grade:
        """How sure the sentence is: it speaks of the network."""
        return "measured on these rows" if self.may_flatter else "measured on held-out rows"


def headline(case: Case) -> str:
    """The verdict in a few words."""
    how = f": say which were held out, with {HOLD_OUT}" if case.unheard else ""
    return " ".join(filter(None, [f"{_head(case)}{how}.", case.warning]))


def finding(case: Case) -> Finding:
    """The verdict."""
    sentence = f"{_head(case)}: on {case.how}, {_gains(case)}."
    extra = [case.warning, _needed(case), _flatters(case)]
    deciding = case.below or case.above[0]
    return Finding(
        "enough",
        " ".join([sentence, *filter(None, extra)]),
        case.grade,
        deciding.gain,
        deciding.interval,
        case.how,
    )


def _head(case: Case) -> str:
    doubt = "" if case.sure else " as far as these rows can tell"
    if case.enough == "constant":
        return f"Nothing predicts {case.target} better than {case.labels['constant']}{doubt}"
    if case.unheard:
        return f"Whether {case.target} needs more than a regression cannot be said on rows that {SEEN}"
    if case.enough == "network":
        return f"{case.target} needs more than a regression"
    label = case.labels[case.enough]
    return f"{label[0].upper()}{label[1:]} is enough{doubt}"


def _gains(case: Case) -> str:
    adds, unit, to = ("adds", " in R²", "to") if case.unit == "R²" else ("saves", " nats of log-loss", "over")
    said: list[str] = []
    if case.below is not None:
        it = case.labels["network"] if case.enough == "network" else "it"
        said.append(f"{it} {adds} {_gain(case, case.below, unit)} {to} {case.labels[case.below.lower]}")
    for i, step in enumerate(case.above):
        verb = f"{adds} " if i == 0 else ""
        said.append(f"{case.labels[step.upper]} {verb}{_gain(case, step, '' if said else unit)}")
    return _listed(said)


def _gain(case: Case, step: Step, unit: str) -> str:
    return f"{points(step.gain, case.rope)}{unit} ({between(step.interval, case.rope)})"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _needed(case: Case) -> str:
    rows = [step.rows_needed for step in case.above if step.rows_needed is not None]
    return "" if case.sure or not rows else f"About {number(max(rows))} rows would be needed to tell."


def _flatters(case: Case) -> str:
    if not case.may_flatter:
        return ""
    if case.unheard:
        return f"Its score may flatter it: say which rows it has not seen, with {HOLD_OUT}."
    return "The network may have seen these rows in training, which can only flatter it."
