"""The choice among the forms of small chains, against every way there is to bracket and cut them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_graphs import Graph, a

from unbend.collapse import collapse
from unbend.collapse.find.stretches import stretches
from unbend.collapse.reduce.steps import Price
from unbend.collapse.reduce.target import WORTH
from unbend.collapse.write.rewrite import plan
from unbend.network import read

SIZE = 24
WIDTHS = st.lists(st.integers(1, 9), min_size=2, max_size=6)


def least(widths: list[int]) -> int:
    """The fewest multiplications of a product of matrices cut in any way: Σ rows × columns of what is left."""
    inner = range(1, len(widths) - 1)
    cuts = (cut for count in range(len(inner) + 1) for cut in itertools.combinations(inner, count))
    return min(sum(widths[i] * widths[j] for i, j in itertools.pairwise((0, *cut, len(widths) - 1))) for cut in cuts)


@settings(max_examples=50)
@given(WIDTHS, st.booleans(), st.sampled_from(["Gemm", "MatMul"]))
def test_a_chain_of_matrices_is_cut_where_it_is_cheapest(widths, biased, op):
    graph = Graph("N", widths[0]) if op == "Gemm" else Graph("N", 3, widths[0])
    value = "x"
    for wide, high in itertools.pairwise(widths):
        value = graph(op, value, a(wide, high), *([a(high)] if biased and op == "Gemm" else []))
        if biased and op == "MatMul":
            value = graph("Add", value, a(high))
    found = collapse(graph.model(value), cost="macs")
    rows = 1 if op == "Gemm" else 3
    assert found.after.macs == rows * least(widths)
    assert found.after.nodes <= found.before.nodes
    assert found.after.parameters <= found.before.parameters


def splits(count: int):
    """Every way to cut `count` things in a row into runs."""
    for cut in itertools.chain.from_iterable(itertools.combinations(range(1, count), n) for n in range(count)):
        yield list(itertools.pairwise((0, *cut, count)))


@st.composite
def convolutions(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Channels in, channels out, size and stride of each."""
    channels = draw(st.lists(st.integers(1, 6), min_size=3, max_size=5))
    kinds = [(draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2]))) for _ in channels[1:]]
    return [(i, o, *kind) for (i, o), kind in zip(itertools.pairwise(channels), kinds, strict=True)]


def price(layers: list[tuple[int, int, int, int]], sizes: list[int], start: int, stop: int) -> Price:
    """A run as one convolution without padding, with a dilation where its taps leave out every other place."""
    apart, step = [], 1
    for _, _, own, stride in layers[start:stop]:
        apart += [step] * (own - 1)
        step *= stride
    taps = 1 + sum(apart) // math.gcd(*apart) if apart else 1
    numbers = layers[start][0] * layers[stop - 1][1] * taps**2
    return Price(sizes[stop - 1] ** 2 * numbers, numbers, 1)


@settings(max_examples=50)
@given(convolutions(), st.booleans())
def test_a_chain_of_convolutions_is_cut_where_it_is_cheapest(layers, growth):
    sizes, places = [], SIZE
    graph, value = Graph("N", layers[0][0], SIZE, SIZE), "x"
    for inner, outer, taps, stride in layers:
        value = graph("Conv", value, a(outer, inner, taps, taps), strides=[stride] * 2)
        places = (places - taps) // stride + 1
        sizes.append(places)
    single = [price(layers, sizes, i, i + 1) for i in range(len(layers))]

    def allowed(start: int, stop: int) -> bool:
        """Whether a run may be one: no dearer than its own layers, or worth its numbers where they may grow."""
        one, own = price(layers, sizes, start, stop), sum(single[start:stop], Price())
        worth = own.macs - one.macs >= WORTH * max(1, one.parameters - own.parameters)
        return one.no_dearer(own) or (growth and worth)

    ways = [way for way in splits(len(layers)) if all(allowed(*run) for run in way)]
    cheapest = min(sum((price(layers, sizes, *run) for run in way), Price()) for way in ways)
    network = read(graph.model(value))
    (stretch,) = stretches(network).stretches
    found = plan(network, replace(stretch, growth=growth))
    assert (found.after if found.collapses else found.before) == cheapest


@pytest.mark.parametrize("pooled", [True, False])
def test_branches_side_by_side_stay_so(pooled):
    def normed(value: str, channels: int) -> str:
        numbers = (a(channels) for _ in range(3))
        return graph("BatchNormalization", value, *numbers, np.exp(a(channels)))

    graph = Graph("N", 8, 12, 12)
    parts = [normed(graph("Conv", "x", a(4, 8, 1, 1)), 4), normed(graph("Conv", "x", a(4, 8, 3, 3), pads=[1] * 4), 4)]
    parts += [graph("AveragePool", "x", kernel_shape=[3, 3], pads=[1] * 4)] if pooled else []
    value = graph("Conv", graph("Concat", *parts, axis=1), a(8, 16 if pooled else 8, 1, 1))
    found = collapse(graph.model(graph("Relu", normed(value, 8))), cost="macs")
    ops = {"Conv": 3, "Concat": 1, "Relu": 1} | ({"AveragePool": 1} if pooled else {})
    assert Counter(node.op_type for node in found.to_onnx().graph.node) == ops
