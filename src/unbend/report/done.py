"""What was done: how rows and columns were read, and how to do the same again."""

from __future__ import annotations

from unbend.document import Block, Bullets, Code, Paragraph
from unbend.report.answer import Answer
from unbend.report.sections import section

GRADES = (
    "exact: holds for every input; proved on the range: holds on a stated range; measured on held-out rows: estimated "
    "on rows that nothing was fitted to, with an interval; measured on these rows: counted or fitted on them."
)


@section(60, "What was done")
def done(answer: Answer) -> list[Block]:
    """The notes, the words for how sure a number is, and the command."""
    blocks: list[Block] = [Bullets(answer.notes)] if answer.notes else []
    blocks.append(Paragraph(f"How sure a number is: {GRADES}", "quiet"))
    if answer.command:
        blocks += [Paragraph("The same again:"), Code(answer.command)]
    return blocks
