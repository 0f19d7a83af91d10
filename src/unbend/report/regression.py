"""Is this network a linear regression? The stretches and the bends, W_z and b_z, how straight it is."""

from __future__ import annotations

from unbend.bends import LocalRegression
from unbend.bends.straightness import sentence
from unbend.collapse.collapse import answer as collapse_answer
from unbend.collapse.collapse import certificate_blocks, sizes, strip
from unbend.document import Block, Bullets, Cell, Column, Details, Paragraph, Table
from unbend.report.answer import Answer
from unbend.report.sections import section


@section(20, "Is this network a linear regression?")
def is_it_one(answer: Answer) -> list[Block]:
    """The structure, the regression where it is one, the straightness."""
    found = answer.collapse
    blocks: list[Block] = [Paragraph(collapse_answer(found), "plain", "exact")]
    blocks += _unknown(answer)
    if answer.regression is not None:  # and how straight it is need not be measured
        blocks += [Paragraph(_title(answer), grade=answer.regression.grade), _coefficients(answer.regression)]
    elif answer.straightness is not None:
        blocks.append(Paragraph(sentence(answer.straightness), "plain", "measured on held-out rows"))
        blocks += _per_output(answer)
    elif answer.unasked.get("straightness"):
        blocks.append(Paragraph(f"How straight it is was not measured: {answer.unasked['straightness']}.", "quiet"))
    details: list[Block] = [strip(found)]
    if found.changed:
        details = [sizes(found), *details]
    if found.certificate is not None:
        details += certificate_blocks(found.certificate)
    if found.kept:
        details.append(Bullets([f"{kept.op_type} {kept.label} is left alone: {kept.reason}" for kept in found.kept]))
    return [*blocks, Details("The stretches, and what collapses", details, in_terminal=True)]


def _coefficients(found: LocalRegression) -> Table:
    """W_z and b_z, which hold for every input: nothing of a row."""
    names = found.outputs if len(found.outputs) > 1 else ("coefficient",)
    rows: list[tuple[Cell, ...]] = [(c.name, *c.weights) for c in found.coefficients]
    return Table([Column("column", "left"), *map(Column, names)], [*rows, ("(intercept)", *found.intercept)])


def _title(answer: Answer) -> str:
    if answer.until:
        return f"Before its last {answer.until} it is this regression, for every input:"
    return "It is this regression, for every input:"


def _unknown(answer: Answer) -> list[Block]:
    unknown = [bend for bend in answer.collapse.bends if not bend.known]
    if not unknown:
        return []
    named = ", ".join(f"{bend.op_type} ({bend.label})" for bend in unknown)
    return [Paragraph(f"unbend does not know {named}, and takes it for a bend.", "warning")]


def _per_output(answer: Answer) -> list[Block]:
    found = answer.straightness
    if found is None or len(found.outputs) < 2:
        return []
    named = answer.classes is not None and len(answer.classes) == len(found.outputs)
    names = (answer.classes or ()) if named else tuple(str(i) for i in range(len(found.outputs)))
    rows = [(name, value) for name, value in zip(names, found.outputs, strict=True)]
    table = Table([Column("output", "left"), Column("straightness", digits=3)], rows, limit=20)
    return [Details("Each output", [table], in_terminal=False)]
