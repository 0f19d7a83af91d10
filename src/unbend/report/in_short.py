"""In short: each question with its answer in a sentence."""

from __future__ import annotations

from unbend.document import Block, Paragraph
from unbend.report.answer import Answer
from unbend.report.sections import section

LEADING = ("is_regression", "enough")


@section(10, "In short")
def in_short(answer: Answer) -> list[Block]:
    """The findings; the two that answer the title question stand out."""
    return [Paragraph(one.sentence, "strong" if one.name in LEADING else "plain", one.grade) for one in answer.findings]
