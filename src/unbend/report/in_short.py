"""In short: each question with its answer in a sentence."""

from __future__ import annotations

from unbend.document import Block, Paragraph
from unbend.report.answer import Answer
from unbend.report.sections import section


@section(10, "In short")
def in_short(answer: Answer) -> list[Block]:
    """The findings."""
    return [Paragraph(finding.sentence, "plain", finding.grade) for finding in answer.findings]
