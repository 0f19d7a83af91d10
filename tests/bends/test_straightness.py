"""Straightness against a direct cross-validation by numpy.linalg.lstsq, and against theory."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx_graphs import Graph
from scipy.special import ndtri

from unbend.bends import straightness
from unbend.bends.straightness import percent, sentence, share_interval, why_not
from unbend.data.folds import fold_of

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 4))


def direct(x: np.ndarray, f: np.ndarray, folds: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors and spreads (n, outputs) on the held-out rows, by lstsq on the same folds."""
    fold = fold_of(np.arange(len(x)), folds, seed)
    errors, spreads = np.empty_like(f), np.empty_like(f)
    for k in range(folds):
        held = fold == k
        mean = x[~held].mean(axis=0), f[~held].mean(axis=0)
        design = np.column_stack([np.ones((~held).sum()), x[~held] - mean[0]])
        coef = np.linalg.lstsq(design, f[~held] - mean[1], rcond=None)[0]
        errors[held] = (f[held] - mean[1] - coef[0] - (x[held] - mean[0]) @ coef[1:]) ** 2
        spreads[held] = (f[held] - mean[1]) ** 2
    return errors, spreads


def leaky(slope: float, bias: float = 0.0, dtype: type = np.float64):
    """One hidden layer of LeakyRelu with a slope near 1: nearly affine."""
    graph = Graph("N", 4, dtype=dtype)
    hidden = graph("Gemm", "x", RNG.normal(size=(4, 6)), np.full(6, bias))
    return graph.model(graph("Gemm", graph("LeakyRelu", hidden, alpha=slope), np.ones((6, 1))))


def test_it_is_the_cross_validation_by_lstsq(layers, mlp, matched):
    found_pair = matched(mlp(layers(4, 20, 3), "Relu"), X)
    found = straightness(found_pair)
    assert found is not None
    errors, spreads = direct(X, found_pair.scores(found_pair.table.load()))
    assert found.value == pytest.approx(1 - errors.sum() / spreads.sum(), rel=1e-12)
    assert found.outputs == pytest.approx(1 - errors.sum(axis=0) / spreads.sum(axis=0), rel=1e-12)
    assert (found.rows, found.folds, found.agreement) == (300, 5, None)
    other = straightness(found_pair, folds=3, seed=9)
    assert other is not None
    errors, spreads = direct(X, found_pair.scores(found_pair.table.load()), 3, 9)
    assert other.value == pytest.approx(1 - errors.sum() / spreads.sum(), rel=1e-12)


@pytest.mark.parametrize("lacking", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("mean", [0.0, 1e3])
def test_what_is_missing_to_one_has_its_digits(lacking, mean, matched):
    """Down to 1e-10: the slope differs from 1 by `lacking`, the variance by its square."""
    x = X + mean
    graph = Graph("N", 4, dtype=np.float64)
    centred = graph("Gemm", graph("Sub", "x", np.full(4, mean)), np.random.default_rng(0).normal(size=(4, 6)))
    bent = graph("PRelu", centred, np.array([1 - lacking]))
    model = graph.model(graph("Gemm", bent, np.ones((6, 1))))
    found_pair = matched(model, x)
    found = straightness(found_pair)
    assert found is not None
    errors, spreads = direct(x, found_pair.scores(found_pair.table.load()))
    assert 1 - found.value == pytest.approx(errors.sum() / spreads.sum(), rel=1e-6)
    assert 1 - found.value < lacking**2
    assert found.interval.low < found.value < found.interval.high < 1


def test_an_affine_network_is_a_hundred_percent(layers, matched):
    for dtype in (np.float32, np.float64):
        graph = Graph("N", 4, dtype=dtype)
        found = straightness(matched(graph.model(layers(4, 8, 1)(graph, lambda g, end: end)), X))
        assert found is not None
        assert 1 - found.value < 1e-12
        assert "explains 100 % of the variance" in sentence(found)


def test_a_constant_output(matched):
    graph = Graph("N", 4)
    model = graph.model(graph("Gemm", graph("Relu", "x"), np.zeros((4, 1)), np.array([7.25])))
    assert straightness(matched(model, X)) is None


def test_one_constant_output_among_others(matched):
    graph = Graph("N", 4)
    model = graph.model(graph("Gemm", graph("Relu", "x"), np.eye(4, 2) * [1, 0], np.array([0.0, 3.0])))
    found = straightness(matched(model, X))
    assert found is not None
    assert np.isnan(found.outputs[1])
    assert found.value == pytest.approx(found.outputs[0])
    json.dumps(found.to_dict(), allow_nan=False)


def test_collinear_columns_change_nothing(matched):
    graph = Graph("N", 5, dtype=np.float64)
    model = graph.model(graph("ReduceSum", graph("Relu", "x"), np.array([1], dtype=np.int64)))
    x = np.column_stack([X, X[:, 0] - 2 * X[:, 3] + 5])
    found_pair = matched(model, x)
    found = straightness(found_pair)
    assert found is not None
    errors, spreads = direct(X, found_pair.scores(found_pair.table.load()))
    assert found.value == pytest.approx(1 - errors.sum() / spreads.sum(), rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 12])
def test_too_few_rows_for_its_columns(n, layers, mlp, matched):
    found_pair = matched(mlp(layers(4, 8, 1), "Relu"), X[:n])
    assert straightness(found_pair) is None
    assert "needs at least 10 rows" in why_not(found_pair, 5)
    assert straightness(matched(mlp(layers(4, 8, 1), "Relu"), X[:13])) is not None


def test_theory_of_a_relu(matched):
    """Relu of a normal number: 1 − (1/4) / (1/2 − 1/2π) of its variance is missing (0.2665)."""
    x = np.random.default_rng(0).normal(size=(20_000, 1))
    graph = Graph("N", 1, dtype=np.float64)
    found = straightness(matched(graph.model(graph("Relu", "x")), x))
    assert found is not None
    assert 1 - found.value == pytest.approx(1 - 0.25 / (0.5 - 0.5 / np.pi), abs=0.01)


def test_theory_of_an_absolute_value(matched):
    """|z| of a normal number has no straight part at all."""
    x = np.random.default_rng(0).normal(size=(2_000, 1))
    graph = Graph("N", 1, dtype=np.float64)
    found = straightness(matched(graph.model(graph("Abs", "x")), x))
    assert found is not None
    assert found.value == pytest.approx(0, abs=0.01)
    assert found.interval.low < 0 < found.interval.high or found.value < 0.01


@pytest.mark.parametrize(("n", "least"), [(200, 0.90), (2000, 0.925)])
def test_the_interval_covers_what_it_promises(n, least):
    """About 95 of 100 intervals hold the share of the population; with few rows a little less."""
    truth = 0.25 / (0.5 - 0.5 / np.pi)
    held = 0
    for seed in range(400):
        x = np.random.default_rng(seed).normal(size=n)
        errors, spreads = direct(x[:, None], np.maximum(x, 0)[:, None])
        interval = share_interval(errors[:, 0], spreads[:, 0], 0.95)
        held += interval.low <= truth <= interval.high
    assert least < held / 400 < 0.99


def test_the_interval_is_the_delta_method():
    rng = np.random.default_rng(0)
    errors, spreads = rng.exponential(size=200) * 0.01, rng.exponential(size=200)
    interval = share_interval(errors, spreads, 0.9)
    ratio = errors.sum() / spreads.sum()
    half = (1 - interval.low) / ratio
    spread = np.std(errors / errors.mean() - spreads / spreads.mean(), ddof=1)
    assert np.log(half) == pytest.approx(ndtri(0.95) * spread / np.sqrt(200))
    assert share_interval(0 * errors, spreads, 0.95).low == 1


def test_the_class_that_the_affine_map_predicts(layers, matched):
    for outputs in (1, 3):
        graph = Graph("N", 4)
        end = layers(4, 16, outputs, seed=outputs)(graph, lambda g, end: g("Relu", end))
        model = graph.model(graph("Sigmoid", end) if outputs == 1 else graph("Softmax", end, axis=-1))
        found_pair = matched(model, X, np.where(X[:, 0] > 0, "b", "c") if outputs == 1 else np.arange(300) % 3 + 5.0,
                             **({} if outputs == 1 else {"classes": True}))  # fmt: skip
        found = straightness(found_pair)
        assert found is not None
        scores = found_pair.scores(found_pair.table.load())
        fold, same = fold_of(np.arange(300), 5, 0), np.empty(300, dtype=bool)
        for k in range(5):
            held = fold == k
            design = np.column_stack([np.ones(300), X])
            fitted = design[held] @ np.linalg.lstsq(design[~held], scores[~held], rcond=None)[0]
            classes = [s.argmax(axis=1) if outputs > 1 else s[:, 0] > 0 for s in (scores[held], fitted)]
            same[held] = classes[0] == classes[1]
        assert found.agreement == same.mean()
        assert found.agreement_interval is not None
        assert found.agreement_interval.low < found.agreement < found.agreement_interval.high
        assert "predicts the same class" in sentence(found)
        assert found.what.startswith("scores before its S")


def test_nothing_explained_is_said_in_words(matched):
    x = np.random.default_rng(1).normal(size=(60, 6))
    graph = Graph("N", 6)
    model = graph.model(graph("ReduceSum", graph("Abs", "x"), np.array([1], dtype=np.int64)))
    found = straightness(matched(model, x))
    assert found is not None
    if found.value <= 0:
        assert "No affine map explains anything" in sentence(found)
    else:
        assert "One affine map explains" in sentence(found)


@pytest.mark.parametrize("lacking", 10.0 ** np.arange(-10.0, 0))
def test_a_percentage_never_rounds_up_to_a_hundred(lacking):
    for factor in (1, 2.5, 5.05, 9.96):
        text = percent(1 - lacking * factor).removesuffix(" %")
        assert text != "100"
        assert float(text) / 100 == pytest.approx(1 - lacking * factor, abs=0.06 * lacking * factor + 1e-13)
