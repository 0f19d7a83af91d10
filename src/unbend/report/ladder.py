"""Does this data need a network?"""

from __future__ import annotations

from unbend.document import Block, Paragraph
from unbend.report.answer import Answer
from unbend.report.sections import part, section


@section(40, "Does this data need a network?")
def ladder(answer: Answer) -> list[Block]:
    """The rungs on the same held-out rows, and the steps between them."""
    blocks = part(answer.comparison.document(), answer.comparison.notes)
    return blocks if answer.bends is not None else [_not_the_users(answer), *blocks]


def _not_the_users(answer: Answer) -> Paragraph:
    return Paragraph(
        f"The network on this ladder is a small one that was fitted for the comparison: {answer.model} cannot be run.",
        "warning",
    )
