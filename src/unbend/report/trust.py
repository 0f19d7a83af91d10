"""May the linear fit be trusted?"""

from __future__ import annotations

from unbend.document import Block, Paragraph
from unbend.report.answer import Answer
from unbend.report.sections import section, without_title


@section(50, "May the linear fit be trusted?")
def trust(answer: Answer) -> list[Block]:
    """The assumptions behind it."""
    if answer.checks is None:
        return [Paragraph(f"Not asked: {answer.unasked.get('checks', '')}.", "quiet")]
    return without_title(answer.checks.document())
