"""What a collapse says to its reader: the answer, the sizes, each stretch, the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unbend.collapse.certify.certificate import Certificate
from unbend.collapse.certify.half import Half
from unbend.collapse.find.stretches import Kept
from unbend.document import Block, Bullets, Column, Heading, Paragraph, Table, number

if TYPE_CHECKING:
    from unbend.collapse.collapse import Collapse


def document(result: Collapse) -> list[Block]:
    """The whole report of a collapse."""
    blocks: list[Block] = [Heading(f"Collapse of {result.name}", 1), Paragraph(answer(result), "strong", "exact")]
    if result.changed:
        blocks.append(sizes(result))
        blocks += [*timing_blocks(result), *(Paragraph(note, "quiet") for note in result.notes)]
    if result.stretches:
        blocks += [Paragraph(places(result)), strip(result)]
    if result.kept:
        blocks += [Heading("Affine, and yet left alone", 3), Bullets(left_alone(result.kept))]
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
    """What is saved: multiplications where there are fewer, else nodes; and what became more, said openly."""
    share = 1 - result.after.macs / result.before.macs if result.before.macs else 0.0
    nodes = result.before.nodes - result.after.nodes
    text = f"{number(100 * share, 3)} % of the multiplications" if share > 0 else _counted(nodes, "node")
    if (more := result.after.heavy - result.before.heavy) > 0:
        text += f" (with {_counted(more, 'more product')} than before)"
    if (more := result.after.parameters - result.before.parameters) > 0:
        text += f" and stores {number(more)} more numbers"
    return text


def _counted(count: int, what: str) -> str:
    """A number of things.

    >>> _counted(1, "node"), _counted(3, "more product")
    ('1 node', '3 more products')
    """
    return f"{count} {what}{'s' if count != 1 else ''}"


def sizes(result: Collapse) -> Table:
    """What is saved: the sizes, the time and the distance from the truth, before and after."""
    rows = [
        (name, *(number(getattr(one, key)) for one in (result.before, result.after)))
        for name, key in (
            ("nodes", "nodes"),
            ("Conv, Gemm, MatMul", "heavy"),
            ("multiplications for a row", "macs"),
            ("numbers stored", "parameters"),
        )
    ]
    files = (result.before.file, result.after.file)
    rows.append(("file", *(weight(one) for one in files if one is not None)))
    if result.timing is not None:
        times = (result.timing.before, result.timing.after)
        rows.append(("time for a row", *(duration(one.median) for one in times)))
    if (found := result.certificate) is not None:
        errors = (found.evidence.original_error, found.evidence.collapsed_error)
        rows.append(("largest error against float64", *(number(one, 2) for one in errors)))
    note = f"Counted at {lengths_text(result.lengths)}." if result.lengths else ""
    return Table([Column("", "left"), Column("before"), Column("after")], rows, note=note)


def lengths_text(lengths: Mapping[str, int]) -> str:
    """Free axes with the length at which the network is looked at.

    >>> lengths_text({"height": 9, "axis 3 of x": 13})
    'height = 9, axis 3 of x = 13'
    """
    return ", ".join(f"{name} = {length}" for name, length in lengths.items())


def weight(count: int) -> str:
    """A number of bytes as people say it.

    >>> weight(946), weight(3_729_979), weight(2_100_000_000)
    ('946 bytes', '3.73 MB', '2.1 GB')
    """
    units = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
    unit, size = next(((unit, size) for unit, size in units if count >= size), ("bytes", 1))
    return f"{number(count / size, 3)} {unit}"


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(0.0000123), duration(0.01234), duration(2.5)
    ('12.3 µs', '12.3 ms', '2.5 s')
    """
    unit, size = next(((unit, size) for unit, size in (("s", 1.0), ("ms", 1e-3)) if seconds >= size), ("µs", 1e-6))
    return f"{number(seconds / size, 3)} {unit}"


def timing_blocks(result: Collapse) -> list[Block]:
    """How the times were measured, or why they were not."""
    if result.timing is None:
        return [Paragraph(f"Not timed: {result.untimed}.", "quiet")] if result.untimed else []
    found, ratio = result.timing, result.timing.ratio
    before, after = (f"{duration(one.low)} to {duration(one.high)}" for one in (found.before, found.after))
    return [
        Paragraph(
            f"It takes {number(ratio.median, 3)} of the time it took (the middle half of {found.rounds} rounds is "
            f"{number(ratio.low, 3)} to {number(ratio.high, 3)}): {before} before, {after} after. Processor time of "
            "onnxruntime with one thread on this machine, the two in turns.",
            "quiet",
        )
    ]


DONE, KEPT = "■", "□"
ELSEWHERE = "part of another"
"""What becomes of a stretch whose matrices are written behind a product of two values."""

MOST_PLACES = 60
"""So many signs are shown of a long network."""


def places(result: Collapse) -> str:
    """Stretches and bends in the order of the network, what comes again and again once."""
    signs = [(one.place, DONE if one.collapsed else KEPT) for one in result.stretches]
    signs += [(one.place, one.op_type) for one in result.bends]
    shown = repeated([sign for _, sign in sorted(signs)])
    text = " ".join(shown[:MOST_PLACES]) + (" …" if len(shown) > MOST_PLACES else "")
    legend = [(DONE, "a stretch that collapses"), (KEPT, "one that is kept")]
    return f"{text}   ({', '.join(f'{sign} {meaning}' for sign, meaning in legend if sign in text)})"


LONGEST_PATTERN = 12


def repeated(signs: Sequence[str]) -> list[str]:
    """The signs with runs of a repeated pattern as (pattern) × count, the longest run first at each place.

    >>> " ".join(repeated("a b a b a b c c c".split()))
    '(a b) × 3 c × 3'
    """
    found, at = [], 0
    while at < len(signs):
        options = [(_times(signs, at, size), size) for size in range(1, LONGEST_PATTERN + 1)]
        times, size = max(options, key=lambda option: (option[0] - 1) * option[1])
        pattern = " ".join(signs[at : at + size]) if times > 1 else signs[at]
        found.append(pattern if times == 1 else f"({pattern}) × {times}" if size > 1 else f"{pattern} × {times}")
        at += times * size if times > 1 else 1
    return found


def _times(signs: Sequence[str], at: int, size: int) -> int:
    """How often the pattern of that size stands there in a row."""
    pattern, times = signs[at : at + size], 1
    while len(pattern) == size and signs[at + times * size : at + (times + 1) * size] == pattern:
        times += 1
    return times


def strip(result: Collapse) -> Table:
    """A row for each kind of stretch: what it is, what it becomes, why it is kept."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for stretch in result.stretches:
        what = " → ".join(stretch.ops) if len(stretch.ops) <= 6 else f"{len(stretch.ops)} nodes"
        becomes = (" → ".join(stretch.into) or ELSEWHERE) if stretch.collapsed else "kept"
        kinds.setdefault((what, becomes, "" if stretch.collapsed else stretch.reason), []).append(stretch.label)
    rows = [(_and_more(labels), *kind) for kind, labels in kinds.items()]
    columns = [Column("stretch", "left"), Column("is", "left"), Column("becomes", "left"), Column("why kept", "left")]
    return Table(columns, rows, title="Stretches")


def _and_more(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"


TOLD = 0.01
"""A merge that takes a smaller share than this of what a branch does is not worth a sentence."""

NAMED = 4
"""Of nodes that are left alone for one reason, so many are named."""


def left_alone(kept: Sequence[Kept]) -> list[str]:
    """The affine nodes that are left alone, those of one kind and reason together."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for one in kept:
        kinds.setdefault((one.op_type, _general(one.reason)), []).append(one.label)
    return [_of_one_kind(op_type, reason, labels) for (op_type, reason), labels in kinds.items()]


def _of_one_kind(op_type: str, reason: str, labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"{op_type} {labels[0]}: {reason}"
    more = f", … and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return f"{len(labels)} {op_type} ({', '.join(labels[:NAMED])}{more}): {reason}"


def _general(reason: str) -> str:
    """A reason that names the value at hand, as it is for all such values."""
    return "the shape of what it reads or makes is not known" if reason.startswith("the shape of ") else reason


def half_blocks(half: Half | None) -> list[Block]:
    """What half precision costs, op by op, and what merging takes of a small branch."""
    if half is None:
        return []
    text = ""
    if (found := half.rounding) is not None:
        text = (
            f"Where the result of each op is rounded to {half.dtype}, as on an accelerator, the collapsed network is "
            f"{_percent(found.collapsed)} of its numbers from the float64 evaluation, the original "
            f"{_percent(found.original)} (root mean square)."
        )
    if (branch := half.branch) is not None and branch.merged >= TOLD:
        text += (
            f" The branch that ends at {branch.label} makes {_percent(branch.share)} of its sum. Merged weights are "
            f"rounded to {half.dtype}, which takes {_percent(branch.merged)} of what the branch does; op by op, "
            f"rounding takes {_percent(branch.rounding.collapsed)} of it now, and took "
            f"{_percent(branch.rounding.original)} before."
        )
    return [Paragraph(text.strip())] if text else []


def _percent(share: float) -> str:
    return f"{number(100 * share, 2)} %"


def certificate_blocks(certificate: Certificate) -> list[Block]:
    """The bound that holds for every input, and what was seen, in sentences."""
    seen = certificate.evidence
    what = "the collapsed network is" if seen.whole else "each collapsed stretch, run on its own, is"
    count = len(certificate.promises)
    each = "the part that was rewritten" if count == 1 else f"each of the {count} parts that were rewritten"
    rest = "" if seen.whole else f" The network as a whole was not run: {seen.why_not}."
    return [
        Paragraph(
            f"For every finite input: composed in float64 and rounded once, {each} gives what the original gives but "
            f"for {number(certificate.relative, 2)} of the sum of the absolute values that it adds up."
        ),
        Paragraph(
            f"On {seen.inputs} inputs {what} at most {number(seen.collapsed_error, 2)} from the float64 evaluation, "
            f"the original {number(seen.original_error, 2)}; the largest output is {number(seen.scale, 3)}. "
            f"Run by {seen.witness}.{rest}",
            "quiet",
        ),
        *half_blocks(certificate.half),
    ]
