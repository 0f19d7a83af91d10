"""Does this data need a network?"""

from __future__ import annotations

from unbend.document import Block
from unbend.report.answer import Answer
from unbend.report.sections import part, section


@section(40, "Does this data need a network?")
def ladder(answer: Answer) -> list[Block]:
    """The rungs on the same held-out rows, and the steps between them."""
    return part(answer.comparison.document(), answer.comparison.notes)
