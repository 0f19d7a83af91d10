"""What the units of each bend do on the rows, counted against NumPy."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pandas as pd
import pytest
from onnx_graphs import Graph

from unbend.bends import Bend, Bends, bends
from unbend.bends.activity import count
from unbend.network import Runner

X = np.random.default_rng(1).normal(size=(500, 3))


def sides(on: np.ndarray) -> tuple[int, int, int]:
    """Units always on, always off, both; `on` is (rows, …)."""
    on = on.reshape(len(on), -1)
    return int(on.all(axis=0).sum()), int((~on).all(axis=0).sum()), int((on.any(axis=0) & ~on.all(axis=0)).sum())


def text(found: Bends) -> str:
    return " ".join(str(found).split())


def counted(bend: Bend) -> tuple[int | None, int | None, int | None]:
    return bend.always_on, bend.always_off, bend.both


ELEMENTWISE = {
    "Relu": ((), {}, lambda z: z > 0, lambda z: np.maximum(z, 0)),
    "LeakyRelu": ((), {"alpha": 0.25}, lambda z: z > 0, lambda z: np.where(z > 0, z, 0.25 * z)),
    "PRelu": ((np.array([0.5]),), {}, lambda z: z > 0, lambda z: np.where(z > 0, z, 0.5 * z)),
    "Clip": ((np.array(-0.5), np.array(1.5)), {}, lambda z: (z > -0.5) & (z < 1.5), lambda z: np.clip(z, -0.5, 1.5)),
    "Abs": ((), {}, lambda z: z > 0, np.abs),
    "Max": ((np.array(0.25),), {}, lambda z: z > 0.25, lambda z: np.maximum(z, 0.25)),
}


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_counts_are_numpys(op, layers, mlp, frame):
    constants, attributes, on, act = ELEMENTWISE[op]
    of = layers(3, 24, 16, 1)
    for bias in of.biases[:2]:
        bias += np.linspace(-4, 4, len(bias))
    found = bends(mlp(of, op, *constants, **attributes), frame(X))
    *before, _ = of.before(X, act)
    assert [counted(bend) for bend in found.bends] == [sides(on(z)) for z in before]
    assert [bend.low for bend in found.bends] == pytest.approx([z.min() for z in before])
    assert [bend.high for bend in found.bends] == pytest.approx([z.max() for z in before])
    assert (found.rows, found.units) == (500, 40)
    assert found.switching == sum(sides(on(z))[2] for z in before)
    assert {bend.reach for bend in found.bends} == {"region"}


def test_counts_in_single_precision(layers, mlp, frame):
    of = layers(3, 24, 16, 1, seed=5)
    found = bends(mlp(of, "Relu", dtype=np.float32), frame(X))
    *before, _ = of.before(X, lambda z: np.maximum(z, 0))
    assert [counted(bend) for bend in found.bends] == [sides(z > 0) for z in before]


def test_counts_do_not_depend_on_the_blocks(layers, mlp, matched):
    found = matched(mlp(layers(3, 24, 16, 1), "Relu"), X)
    whole = count(found)
    with mock.patch.object(Runner, "batch_size", 7):
        assert count(found) == whole
    blocks = type(found.table).blocks
    with mock.patch.object(type(found.table), "blocks", lambda table, rows=0: blocks(table, 11)):
        assert count(found) == whole


def image() -> tuple[object, np.ndarray, list[np.ndarray]]:
    """A convolution, a Relu and a MaxPool, and what NumPy makes of them."""
    from numpy.lib.stride_tricks import sliding_window_view

    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(size=(4, 1, 3, 3)), np.array([-5.0, -1.0, 1.0, 9.0])
    graph = Graph("N", 1, 6, 6)
    pooled = graph(
        "MaxPool",
        graph("Relu", graph("Conv", "x", kernel, bias, kernel_shape=[3, 3])),
        kernel_shape=[2, 2],
        strides=[2, 2],
    )
    model = graph.model(graph("Gemm", graph("Flatten", pooled), rng.normal(size=(16, 1))))
    x = rng.normal(size=(200, 36))
    z = np.einsum("nijab,oab->noij", sliding_window_view(x.reshape(-1, 6, 6), (3, 3), axis=(1, 2)), kernel[:, 0])
    z += bias[:, None, None]
    windows = np.maximum(z, 0).reshape(-1, 4, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(-1, 16, 4)
    return model, x, [z, windows]


def test_a_network_of_convolutions(frame):
    model, x, (z, windows) = image()
    relu, pool = bends(model, frame(x)).bends
    assert counted(relu) == sides(z > 0)
    assert relu.units == 64
    taken = windows.argmax(axis=2)
    same = int((taken == taken[0]).all(axis=0).sum())
    assert counted(pool) == (same, 0, 16 - same)


def test_smooth_bends_have_no_sides(layers, mlp, frame):
    found = bends(mlp(layers(3, 8, 1), "Sigmoid"), frame(X))
    assert counted(found.bends[0]) == (None, None, None)
    assert (found.bends[0].reach, found.bends[0].units, found.units) == ("point", 8, 0)
    assert "Sigmoid_4 has no two sides to count" in text(found)
    assert "nan" not in text(found).lower()


def test_a_bend_that_does_nothing_is_named(layers, mlp, frame):
    of = layers(3, 8, 8, 1)
    of.biases[0] += 50
    of.biases[1] -= of.before(X, lambda z: z)[1].mean(axis=0)
    found = bends(mlp(of, "Relu"), frame(X))
    assert [bend.idle for bend in found.bends] == [True, False]
    assert f"1 of 2 bends do nothing at all ({found.bends[0].name})" in text(found)


def test_a_network_without_bends(layers, frame):
    of = layers(3, 4, 1)
    graph = Graph("N", 3)
    found = bends(graph.model(of(graph, lambda g, end: end)), frame(X))
    assert (found.bends, found.rows) == ((), 500)
    assert "The network has no bend. [exact]" in text(found)


def test_an_op_that_only_onnxruntime_knows(frame):
    graph = Graph("N", 3)
    hidden = graph("SampleOp", graph("MatMul", "x", np.eye(3)), domain="com.microsoft")
    model = graph.model(graph("Relu", hidden), check=False)
    found = bends(model, frame(X))
    unknown = next(bend for bend in found.bends if bend.op_type == "SampleOp")
    assert counted(unknown) == (None, None, None)
    assert "com.microsoft.SampleOp" in unknown.note
    assert "unbend does not know the op com.microsoft.SampleOp" in text(found)
    relu = next(bend for bend in found.bends if bend.op_type == "Relu")
    assert relu.both is not None


def test_a_bend_that_sees_no_numbers_says_so(frame):
    graph = Graph("N", 3)
    found = bends(graph.model(graph("Relu", graph("Log", "x"))), frame(X))
    assert "not finite" in found.bends[1].note
    assert found.bends[1].low is not None


def test_the_target_and_missing_rows_are_no_inputs(layers, mlp, frame):
    data = frame(X).assign(y=1.5)
    data.loc[3, "c1"] = np.nan
    found = bends(mlp(layers(3, 8, 1), "Relu"), data, target="y")
    assert found.rows == 499
    assert any("1 of 500 rows" in note for note in found.notes)


def test_json_is_strict(layers, mlp, frame):
    import json

    dumped = json.dumps(bends(mlp(layers(3, 8, 1), "Relu"), frame(X)).to_dict(), allow_nan=False)
    assert json.loads(dumped)["bends"][0]["units"] == 8


def test_a_category_reaches_the_network(layers, mlp):
    data = pd.DataFrame({"c0": X[:, 0], "k": np.where(X[:, 1] > 0, "a", "b")})
    of = layers(3, 8, 1)
    found = bends(mlp(of, "Relu"), data)
    coded = np.column_stack([X[:, 0], X[:, 1] > 0, X[:, 1] <= 0])
    assert counted(found.bends[0]) == sides(of.before(coded, lambda z: z)[0] > 0)
