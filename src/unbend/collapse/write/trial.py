"""Both forms of a stretch, in float64, on random values of its sources: a reduced form is written only if they agree.

The two are run side by side, node by node. Values are dropped when nothing reads them any more, and each edge gives
its float64 weights for those that will be written as soon as it has run: a stretch takes little more room than its
own weights.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from unbend.collapse.find.stretches import Stretch, in_new_units, in_own_units, through
from unbend.collapse.reduce.elsewhere import Elsewhere, Fixed, covered, moved
from unbend.collapse.reduce.reduce import Edge, Reduction
from unbend.collapse.reduce.target import LEFT_OUT, slack
from unbend.collapse.write.activations import Activations, activations
from unbend.collapse.write.rounding import is_half
from unbend.collapse.write.write import Seen, as_written, in_nodes
from unbend.network import Network
from unbend.network.paged import let_go

AGREES = 1e-9
"""A reduced stretch and its own nodes, both in float64, differ by rounding only: about n · 1e-16 relative to scale."""

SMALL = 1e-3
"""An output that is smaller than this share of the largest is compared relative to this share."""

ROWS = 2

Values = dict[str, np.ndarray]


@dataclass(eq=False)
class Trial:
    """The run of both forms: `edges` is what is left to run, `done` the edges that ran, as they will be written.

    What rounding left of numbers may be `settled`, which moves an output by at most this share of the largest.
    In half precision weights are rounded on rows of `activations`.
    """

    network: Network
    stretch: Stretch
    graph: Reduction
    edges: list[Edge]
    done: list[Edge] = field(default_factory=list)
    settled: float = 0.0
    activations: Activations | None = None

    def run(self) -> str:
        """Why the two forms are not the same; empty if they are."""
        tried = self._random()
        new, own, outputs = self._with_activations(tried), in_own_units(self.stretch, tried), set(self.stretch.outputs)
        last = _last_read(self.stretch, self.edges)
        for at, (node, answers) in enumerate(zip(self.stretch.nodes, self.stretch.locals, strict=True)):
            for name, one in zip(node.outputs, answers, strict=False):
                own[name] = through(node, one, own)
                if node in self.graph.closed:
                    new[name] = through(node, one, new)
                elif (value := self._made(name, new)) is not None:
                    new[name] = value
                alone = new[name][:ROWS] if name in outputs else None
                if alone is not None and not _agree(in_new_units(self.stretch, name, own), alone, self.settled):
                    return f"its certificate failed at {name}"
            for values in (own, new):
                _forget(values, last, at)
            let_go(self.network.bytes_read(node))
        return ""

    def _random(self) -> Values:
        rng = np.random.default_rng(0)
        return {name: rng.standard_normal((ROWS, *self.network.shapes[name])) for name in self.stretch.sources}

    def _with_activations(self, tried: Values) -> Values:
        """The random rows and those on which weights are rounded behind them."""
        seen = self.activations.fitting(self.stretch) if self.activations is not None else None
        return tried if seen is None else {name: np.concatenate([rows, seen[name]]) for name, rows in tried.items()}

    def _made(self, name: str, values: Values) -> np.ndarray | None:
        """The value that the reduced form makes; its edges become those that are written."""
        terms = []
        while self.edges and self.edges[0].target == name:
            edge = self.edges.pop(0)
            terms.append(self._along(edge, values[edge.source]))
        return sum(terms, start=self.graph.offsets[name]) if terms else None

    def _along(self, edge: Edge, y: np.ndarray) -> np.ndarray:
        """What the edge makes of a value; its steps become those that are written."""
        dtype, steps = self.network.dtype(edge.target), []
        for step in in_nodes(edge.steps):
            steps.append(as_written(step, dtype, self._seen(y)))
            y = step.affine.apply(y)
        self.done.append(replace(edge, steps=tuple(steps)))
        return y

    def _seen(self, y: np.ndarray) -> Seen | None:
        return Seen(y[ROWS:], self.activations.width) if self.activations is not None and len(y) > ROWS else None


def tried(
    network: Network, stretch: Stretch, graph: Reduction, edges: list[Edge], rules: Collection[str]
) -> tuple[list[Edge], str]:
    """The edges as they will be written, or none and the reason to keep the stretch.

    What `edges` hold is given up on the way.
    """
    settled = slack(rules, graph.target.unit) + (graph.target.unit if LEFT_OUT in rules else 0.0)
    if network.elsewhere and (reason := _tried_elsewhere(network, stretch, graph, edges, settled)):
        return [], reason
    half = any(is_half(network.dtype(edge.target)) for edge in edges)
    trial = Trial(network, stretch, graph, edges, settled=settled, activations=activations(network) if half else None)
    reason = trial.run()
    return ([], reason) if reason else (trial.done, "")


def _tried_elsewhere(
    network: Network, stretch: Stretch, graph: Reduction, edges: Sequence[Edge], settled: float
) -> str:
    """Why the form does not hold for every length of the free axes; empty if it does."""
    done: list[Elsewhere] = []
    open_ = ""
    for make in network.elsewhere:
        try:
            one = moved(other, stretch, graph, edges) if (other := make()) is not None else None
            if one is None:
                continue
            if reason := Trial(one.network, one.stretch, one.graph, list(one.edges), settled=settled).run():
                return reason
        except Fixed as reason:
            return str(reason)
        except ValueError:
            continue
        done.append(one)
        if not (open_ := covered(done)):
            return ""
    return open_ or "it runs at none of the lengths of its free axes that were tried"


def _agree(own: np.ndarray, new: np.ndarray, settled: float) -> bool:
    """Whether two values are the same but for rounding; settled numbers may be off by that share of the largest."""
    scale = np.max(np.abs(own), axis=0, initial=1e-300)
    error = np.max(np.abs(own - new), axis=0, initial=0.0)
    largest = scale.max(initial=1e-300)
    return bool(np.all(error <= AGREES * np.maximum(scale, SMALL * largest) + settled * largest))


def _last_read(stretch: Stretch, edges: Sequence[Edge]) -> Mapping[str, int]:
    """The number of the node after which nobody reads a value any more, in either form."""
    order = {name: at for at, node in enumerate(stretch.nodes) for name in node.outputs}
    last = dict(order)
    for at, node in enumerate(stretch.nodes):
        last |= dict.fromkeys(node.inputs, at)
    for edge in edges:
        last[edge.source] = max(last.get(edge.source, 0), order[edge.target])
    return last


def _forget(values: Values, last: Mapping[str, int], at: int) -> None:
    for name in [name for name in values if last.get(name, at) <= at]:
        del values[name]
