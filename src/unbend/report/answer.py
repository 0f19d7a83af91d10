"""The answer of `examine`: what the parts found, and the sentences that say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from unbend.bends import Bends, LocalRegression, Straightness
from unbend.checks import Checks
from unbend.collapse import Collapse
from unbend.compare import Comparison
from unbend.document import Block
from unbend.findings import Finding
from unbend.result import Result


@dataclass(frozen=True)
class Answer(Result):
    """Everything that `examine` found about a network and a table.

    Attributes
    ----------
    model, data, target : what was examined
    collapse : the stretches and the bends of the network
    regression : the regression that the network is, where it is one (up to its last Softmax or Sigmoid); else None
    until : the Softmax or Sigmoid that this regression stands before, "" if none
    straightness : the share of the output that one affine map explains; None if it could not be measured
    bends : what the bends do on the rows; None if the network could not be run
    comparison : the ladder
    checks : the assumptions of the linear regression; None for a target of classes
    findings : the answers in sentences, one a question
    notes : what was done to the data and how they were matched, each once
    command : what to type for the same again
    classes : names of the classes in the network's order, None for a number
    unasked : why a question was not asked, by its name
    """

    verb: ClassVar[str] = "examine"

    model: str
    data: str
    target: str
    collapse: Collapse
    regression: LocalRegression | None
    until: str
    straightness: Straightness | None
    bends: Bends | None
    comparison: Comparison
    checks: Checks | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    command: str = ""
    classes: tuple[str, ...] | None = None
    unasked: dict[str, str] = field(default_factory=dict)

    def finding(self, name: str) -> Finding:
        """The finding of that name."""
        return next(finding for finding in self.findings if finding.name == name)

    def document(self) -> list[Block]:
        """Every section of the report, in order."""
        from unbend.report.sections import document

        return document(self)
