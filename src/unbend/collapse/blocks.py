"""What a collapse says to its reader: the answer, the sizes, each stretch, the evidence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from unbend.collapse.certificate import Certificate
from unbend.document import Block, Bullets, Column, Heading, Paragraph, Table, number

if TYPE_CHECKING:
    from unbend.collapse.collapse import Collapse


def document(result: Collapse) -> list[Block]:
    """The whole report of a collapse."""
    blocks: list[Block] = [Heading(f"Collapse of {result.name}", 1), Paragraph(answer(result), "strong", "exact")]
    if result.changed:
        blocks.append(sizes(result))
    if result.stretches:
        blocks.append(strip(result))
    if result.kept:
        items = [f"{kept.op_type} {kept.label}: {kept.reason}" for kept in result.kept]
        blocks += [Heading("Affine, and yet left alone", 3), Bullets(items)]
    if result.certificate is not None:
        blocks += [Heading("Certificate", 3), *certificate_blocks(result.certificate)]
    return blocks


def answer(result: Collapse) -> str:
    """What the network is, and what collapses, in sentences."""
    if result.affine:
        first = "This network has no bend: it is one linear regression, W_z x + b_z."
    elif result.mixes_rows:
        first = (
            "This network has no bend, and yet is no regression of one row: it mixes the rows of a batch, so that its "
            "answer for a row depends on the others."
        )
    elif not result.bends:
        first = f"This network has no bend; {len(result.kept)} of its affine nodes are left alone, and say below why."
    else:
        kinds = Counter(bend.op_type for bend in result.bends)
        listed = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
        count = len(result.stretches)
        bends = f"{len(result.bends)} bend{'s' if len(result.bends) != 1 else ''}"
        stretches = f"{count} affine stretch{'es' if count != 1 else ''}"
        first = f"This network has {bends} ({listed}) and {stretches}{' between them' if count > 1 else ''}."
    if result.kept and result.bends:
        first += f" {len(result.kept)} more affine nodes are left alone, and say below why."
    if not result.stretches:
        return first
    if not result.changed:
        return f"{first} No stretch can be written cheaper than it is."
    done = sum(stretch.collapsed for stretch in result.stretches)
    return f"{first} {done} of {len(result.stretches)} collapse, which saves {_saved(result)}."


def _saved(result: Collapse) -> str:
    """What is saved: multiplications where there are fewer, else nodes; and products that became more, said openly."""
    share = 1 - result.after.macs / result.before.macs if result.before.macs else 0.0
    nodes = result.before.nodes - result.after.nodes
    text = f"{number(100 * share, 3)} % of the multiplications" if share > 0 else f"{nodes} nodes"
    more = result.after.heavy - result.before.heavy
    return f"{text} (with {more} more products among them)" if more > 0 else text


def sizes(result: Collapse) -> Table:
    """The sizes before and after."""
    rows = [
        (name, getattr(result.before, key), getattr(result.after, key))
        for name, key in (
            ("nodes", "nodes"),
            ("Conv, Gemm, MatMul", "heavy"),
            ("multiplications for a row", "macs"),
            ("numbers stored", "parameters"),
        )
    ]
    return Table([Column("", "left"), Column("before"), Column("after")], rows)


def strip(result: Collapse) -> Table:
    """A row for each stretch: what it is, what it becomes, why it is kept."""
    rows = [
        (
            stretch.label,
            " → ".join(stretch.ops) if len(stretch.ops) <= 6 else f"{len(stretch.ops)} nodes",
            " → ".join(stretch.into) if stretch.collapsed else "kept",
            "" if stretch.collapsed else stretch.reason,
        )
        for stretch in result.stretches
    ]
    columns = [Column("stretch", "left"), Column("is", "left"), Column("becomes", "left"), Column("why kept", "left")]
    return Table(columns, rows, title="Stretches")


def certificate_blocks(certificate: Certificate) -> list[Block]:
    """The evidence in sentences."""
    what = "the collapsed network is" if certificate.whole else "each collapsed stretch, run on its own, is"
    rest = (
        ""
        if certificate.whole
        else " The network as a whole was not run: no program here runs all of its ops, or knows their float64 values."
    )
    return [
        Paragraph(
            f"Composed in float64 and rounded once. On {certificate.inputs} inputs {what} at most "
            f"{number(certificate.collapsed_error, 2)} from the {certificate.truth}, the original "
            f"{number(certificate.original_error, 2)}; the largest output is {number(certificate.scale, 3)}. "
            f"Run by {certificate.witness}.{rest}",
            "quiet",
        )
    ]
