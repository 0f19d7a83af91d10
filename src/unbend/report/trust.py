"""May the linear fit be trusted?"""

from __future__ import annotations

from unbend.document import Block, Paragraph
from unbend.report.answer import Answer
from unbend.report.sections import part, section


@section(50, "May the linear fit be trusted?")
def trust(answer: Answer) -> list[Block]:
    """The assumptions behind it."""
    if answer.checks is None:
        return [Paragraph(f"Not asked: {answer.unasked.get('checks', '')}.", "quiet")]
    said = answer.checks.sentence
    blocks = part(answer.checks.document(), answer.checks.notes)
    return [block for block in blocks if not (isinstance(block, Paragraph) and block.text == said)]
