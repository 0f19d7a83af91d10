"""What the collapse of many networks comes to, in Markdown: a summary, the structures, times and errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.collapse_networks import Line
    from benchmarks.latency import Ratio

OURS, ORIGINAL, HAND = "unbend", "original", "by hand"
GENERAL = (ORIGINAL, "torch.fx", "onnxsim", "OnnxSlim")
"""Tools that take any network, all run by onnxruntime with all of its own optimisations."""

SLOWER = 0.98
"""A collapse whose ratio is below this is called slower; networks that it left unchanged vary by as much."""

GAINING = ["a1", "a2", "b2", "c", "d", "e", "f", "g1", "g2", "h2", "m", "q", "t"]
SURVEYED = [*GAINING, "b1", "h1", "i", "j", "k", "l", "n", "o", "p", "r", "s"]
"""Networks of a survey of all tools; the first were faster by more than a tenth in the best form known."""


def tables(lines: Sequence[Line]) -> str:
    """All of it."""
    return "\n".join([summary(lines), structures(lines), speeds(lines)])


def summary(lines: Sequence[Line]) -> str:
    """What it comes to, in sentences."""
    surveyed, gaining = _of(lines, SURVEYED), _of(lines, GAINING)
    shrunk = [one for one in lines if shrinks(one)]
    hand = [one for one in lines if HAND in one.forms]
    slow = [
        f"{one.name} ({speed(one).median:.2f}{'' if one.changed else ', unchanged: noise'})"
        for one in lines
        if speed(one).median < SLOWER
    ]
    openvino = [one.times.ratio("OpenVINO", "OpenVINO, collapsed").median for one in lines if one.openvino]
    worst = max(one.collapsed_error / max(one.original_error, 1e-300) for one in lines if one.changed)
    tools = sorted({name for one in lines for name, why in one.missing.items() if why == "not installed"})
    sentences = [
        f"Time of the best general tool over unbend's: geometric mean {_mean(surveyed)} over the {len(surveyed)} "
        f"networks a–t of a survey, {_mean(gaining)} over the {len(gaining)} of them with much to gain "
        f"({', '.join(GAINING)}), {_mean(lines)} over all {len(lines)}, {_mean(shrunk)} over the {len(shrunk)} whose "
        f"heavy ops become fewer.",
        f"Below {SLOWER}: {', '.join(slow) or 'none'}.",
        f"Of {len(hand)} networks that are merged by hand, unbend has no more heavy ops, multiplications and numbers "
        f"in {sum(not_worse(one) for one in hand)}, and is strictly better (no more of any, nodes included, and fewer "
        f"of one) in {sum(better(one) for one in hand)}"
        f"{_named(one.name for one in hand if better(one))}.",
        f"Every collapse has a certificate that holds: {_yes(all(one.certified for one in lines if one.changed))}. "
        f"Largest error against float64, as a multiple of the original's own: {worst:.2g}.",
    ]
    if openvino:
        sentences.append(f"OpenVINO gains as well: geometric mean {_geometric(openvino):.2f} over all.")
    if tools:
        sentences.append(f"Not installed: {', '.join(tools)}.")
    return "".join(f"- {one}\n" for one in sentences)


def _of(lines: Sequence[Line], keys: Sequence[str]) -> list[Line]:
    return [one for one in lines if one.name.split()[0] in keys]


def shrinks(one: Line) -> bool:
    """Whether the collapse leaves fewer heavy ops."""
    return one.forms[OURS].heavy < one.forms[ORIGINAL].heavy


def speed(one: Line) -> Ratio:
    """Time of the best general tool over unbend's."""
    return one.times.ratio(best_tool(one), OURS)


def best_tool(one: Line) -> str:
    """The general tool whose network is fastest."""
    return min((name for name in GENERAL if name in one.times.seconds), key=one.times.median)


def not_worse(one: Line) -> bool:
    """No more heavy ops, multiplications or numbers than the form merged by hand."""
    return all(ours <= theirs for ours, theirs in list(_pairs(one))[1:])


def better(one: Line) -> bool:
    """No more of anything than the form merged by hand, and less of something."""
    pairs = list(_pairs(one))
    return all(ours <= theirs for ours, theirs in pairs) and any(ours < theirs for ours, theirs in pairs)


def _pairs(one: Line) -> Iterable[tuple[int, int]]:
    ours, theirs = one.forms[OURS], one.forms[HAND]
    for name in ("nodes", "heavy", "macs", "parameters"):
        yield getattr(ours, name), getattr(theirs, name)


def structures(lines: Sequence[Line]) -> str:
    """Nodes and heavy ops of every form; multiplications and numbers of three of them."""
    forms = (ORIGINAL, "torch.fx", "onnxsim", "OnnxSlim", "onnxruntime", "OpenVINO", HAND, OURS)
    sized = (ORIGINAL, HAND, OURS)
    heads = ["nodes / Conv + Gemm + MatMul", *forms, "multiplications (M)", "numbers stored (k)"]
    rows = [
        [
            one.name,
            *(_short(one, form) for form in forms),
            " → ".join(_amount(one, form, "macs", 1e6) for form in sized),
            " → ".join(_amount(one, form, "parameters", 1e3) for form in sized),
        ]
        for one in lines
    ]
    note = "The last two: original → by hand → unbend, for one row. onnxruntime's and OpenVINO's are what they run."
    return f"{note}\n\n{_table(heads, rows)}"


def speeds(lines: Sequence[Line]) -> str:
    """Times over unbend's, errors, and what the collapse itself takes."""
    forms = (ORIGINAL, "torch.fx", "onnxsim", "OnnxSlim", HAND)
    heads = ["time / unbend's", *forms, "best general tool", "OpenVINO", "error / scale", "collapse, s"]
    heads += ["the process, MiB", "Python, MiB"]
    rows = [
        [
            one.name,
            *(_ratio(one, form) for form in forms),
            _spread(speed(one)),
            f"{one.times.ratio('OpenVINO', 'OpenVINO, collapsed').median:.2f}" if one.openvino else "",
            f"{one.original_error / one.scale:.1e} → {one.collapsed_error / one.scale:.1e}",
            f"{one.seconds:.2g}",
            *_memory(one),
        ]
        for one in lines
    ]
    note = (
        "CPU time of one row (a2 and b2: eight rows) under onnxruntime, one thread: medians over rounds; for the best "
        "general tool with the middle half of the rounds. OpenVINO: the original over the collapsed network, both "
        "under OpenVINO. Error: the largest of the original and of the collapsed network against the file in float64. "
        "Memory: the most that the process holds during the collapse above what a collapse of nine numbers leaves, and "
        "the most that Python and NumPy hold; both also as a multiple of the file. Some 20 MiB do not grow with it."
    )
    return f"{note}\n\n{_table(heads, rows)}"


def _short(one: Line, form: str) -> str:
    if form == "OpenVINO":
        return "" if one.openvino is None else f"{one.openvino[0]}/{one.openvino[1]}"
    if form in one.forms:
        return one.forms[form].short
    return "fails" if "fails" in one.missing[form] else "–"


def _amount(one: Line, form: str, name: str, unit: float) -> str:
    return f"{getattr(one.forms[form], name) / unit:.4g}" if form in one.forms else "–"


def _ratio(one: Line, form: str) -> str:
    return f"{one.times.ratio(form, OURS).median:.2f}" if form in one.times.seconds else "–"


def _memory(one: Line) -> list[str]:
    found = [] if one.memory is None else [one.memory.process, one.memory.python]
    return [f"{each / 2**20:.3g} ({each / one.file:.2g} ×)" for each in found] or ["", ""]


def _spread(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f} – {ratio.high:.2f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _mean(lines: Sequence[Line]) -> str:
    return f"{_geometric([speed(one).median for one in lines]):.2f}" if lines else "–"


def _geometric(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _named(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f" ({listed})" if listed else ""
