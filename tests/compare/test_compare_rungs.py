"""Each rung against a direct computation on the same folds, and the rung table's contract."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from unbend.compare.climb import climb, fit
from unbend.compare.compare import _expansion, split_rows
from unbend.compare.gather import gather
from unbend.compare.ladder import rungs
from unbend.compare.loss import divergence, losses
from unbend.compare.training import LeftOutError
from unbend.data import open_table
from unbend.data.folds import fold_of


def gathered_from(table: pa.Table, target: str = "y", classes: bool | None = None):
    opened = open_table(table, target, classes=classes)
    split = split_rows(opened, None, None, 5, 0)
    return gather(split, _expansion(split, "classes" if opened.classes else "number"), in_memory=True)


@pytest.fixture
def numbers(frame):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(240, 4)) * [1, 10, 0.1, 3] + [0, 100, 5, -2]
    y = x @ [1.0, 0.2, -3.0, 0.5] + 0.3 * x[:, 0] ** 2 + rng.normal(size=240)
    return x, y, frame(x, y=y)


def test_linear_predicts_as_scikit_learn_does_on_the_same_folds(numbers):
    x, y, table = numbers
    fold = fold_of(np.arange(240), 5, 0)
    models = fit(gathered_from(table), rungs("number")[:2])[0]["linear"]
    for k, model in enumerate(models):
        direct = LinearRegression(tol=1e-300).fit(x[fold != k], y[fold != k])
        np.testing.assert_allclose(model.predict(x[fold == k]), direct.predict(x[fold == k]), rtol=1e-8, atol=1e-8)


def gcv_strength(z: np.ndarray, y: np.ndarray) -> float:
    """By brute force on a fine grid, from the singular values of the standardised columns."""
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    along, centred = u.T @ (y - y.mean()), y - y.mean()

    def error(strength: float) -> float:
        keep = s**2 / (s**2 + strength)
        return len(y) * np.sum((centred - u @ (keep * along)) ** 2) / (len(y) - 1 - keep.sum()) ** 2

    return min(np.geomspace(1e-3, 1e4, 20_000), key=error)


def test_quadratic_predicts_as_ridge_with_the_strength_of_cross_validation(numbers):
    x, y, table = numbers
    fold = fold_of(np.arange(240), 5, 0)
    models = fit(gathered_from(table), rungs("number")[2:3])[0]["quadratic"]
    for k, model in enumerate(models):
        scaler = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler()).fit(x[fold != k])
        z = scaler.transform(x[fold != k])
        strength = gcv_strength(z, y[fold != k])
        direct = Ridge(alpha=strength).fit(z, y[fold != k]).predict(scaler.transform(x[fold == k]))
        np.testing.assert_allclose(model.predict(x[fold == k]), direct, rtol=1e-3, atol=1e-3)


def test_quadratic_predicts_as_scikit_learn_does_with_the_same_strength(numbers):
    from unbend.regression import Moments, ridge

    x, y, table = numbers
    fold = fold_of(np.arange(240), 5, 0)
    gathered = gathered_from(table)
    models = fit(gathered, rungs("number")[2:3])[0]["quadratic"]
    for k, model in enumerate(models):
        expanded = gathered.expansion.expand(x[fold != k])
        strength = ridge(Moments.of(np.column_stack([expanded, y[fold != k]])), "gcv").strength
        steps = (PolynomialFeatures(2, include_bias=False), StandardScaler(), Ridge(alpha=strength, solver="svd"))
        direct = make_pipeline(*steps).fit(x[fold != k], y[fold != k])
        np.testing.assert_allclose(model.predict(x[fold == k]), direct.predict(x[fold == k]), rtol=1e-6, atol=1e-6)


def test_the_losses_are_those_of_a_direct_cross_validation(numbers):
    x, y, table = numbers
    fold = fold_of(np.arange(240), 5, 0)
    judged = climb(gathered_from(table), rungs("number")[:2], None)
    np.testing.assert_array_equal(judged.fold, fold)
    means = np.array([y[fold != k].mean() for k in range(5)])
    np.testing.assert_allclose(judged.losses["constant"], (y - means[fold]) ** 2, rtol=1e-9)
    direct = [LinearRegression(tol=1e-300).fit(x[fold != k], y[fold != k]).predict(x) for k in range(5)]
    linear = np.choose(fold, direct)
    np.testing.assert_allclose(judged.losses["linear"], (y - linear) ** 2, rtol=1e-6, atol=1e-9)
    assert judged.apart["constant", "linear"] == pytest.approx(np.mean((linear - means[fold]) ** 2))


@pytest.fixture
def classes(frame):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 3)) * [1, 20, 0.1]
    y = (x[:, 0] + x[:, 1] / 20 + rng.normal(size=300) > 0).astype(int) + (x[:, 2] > 0.1)
    return x, y, frame(x, y=np.array(["low", "mid", "top"])[y])


def test_class_folds_hold_each_class_in_the_same_share(classes):
    _, y, table = classes
    fold = climb(gathered_from(table), rungs("classes")[:1], None).fold
    counts = np.array([np.bincount(y[fold == k], minlength=3) for k in range(5)])
    assert np.ptp(counts, axis=0).max() <= 1


def test_class_shares_and_logistic_lose_what_scikit_learn_says(classes):
    x, y, table = classes
    gathered = gathered_from(table)
    judged = climb(gathered, rungs("classes")[:2], None)
    models = fit(gathered, rungs("classes")[1:2])[0]["logistic"]
    shares, logistic = np.empty((300, 3)), np.empty((300, 3))
    for k in range(5):
        here = judged.fold == k
        shares[here] = np.bincount(y[~here], minlength=3) / (~here).sum()
        scaler = StandardScaler().fit(x[~here])
        candidates = [
            LogisticRegression(C=1 / (strength * (~here).sum()), max_iter=500)
            .fit(scaler.transform(x[~here]), y[~here])
            .predict_proba(scaler.transform(x[here]))
            for strength in (1e-1, 1e-2, 1e-3, 1e-4)
        ]
        logistic[here] = models[k].predict(x[here])
        assert min(np.abs(logistic[here] - one).max() for one in candidates) < 1e-9
    assert judged.losses["constant"].mean() == pytest.approx(log_loss(y, shares))
    assert judged.losses["logistic"].mean() == pytest.approx(log_loss(y, logistic))
    assert judged.right["logistic"].mean() == pytest.approx(np.mean(logistic.argmax(axis=1) == y))


def test_a_probability_of_zero_costs_sixteen_nats():
    found = losses(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(found, [-np.log(1e-7), np.log(2)])


def test_divergence_is_what_the_other_would_lose_if_one_were_true():
    one, other = np.array([[0.2, 0.8]]), np.array([[0.5, 0.5]])
    forward = 0.2 * np.log(0.2 / 0.5) + 0.8 * np.log(0.8 / 0.5)
    back = 0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.8)
    assert divergence(one, other) == pytest.approx((forward + back) / 2)
    assert divergence(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == 5


@pytest.mark.parametrize("task", ["number", "classes"])
def test_every_rung_fits_predicts_and_is_named_once(task, numbers, classes):
    x, _, table = numbers if task == "number" else classes
    gathered = gathered_from(table)
    assert len({entry.name for entry in rungs(task)}) == len(rungs(task)) >= 4
    assert rungs(task)[0].name == "constant"
    for entry in rungs(task):
        assert entry.fit.__doc__
        model = entry.fit(gathered.training(0))
        again = entry.fit(gathered.training(0))
        predicted = model.predict(x[:7])
        assert predicted.shape == ((7,) if task == "number" else (7, 3))
        assert model.parameters > 0
        np.testing.assert_array_equal(predicted, again.predict(x[:7]))
        if task == "classes":
            np.testing.assert_allclose(predicted.sum(axis=1), 1)


def test_a_rung_that_needs_moments_does_not_see_rows(numbers):
    opened = open_table(numbers[2], "y")
    split = split_rows(opened, None, None, 5, 0)
    training = gather(split, _expansion(split, "number"), in_memory=False).training(0)
    for entry in rungs("number"):
        if entry.needs == "moments":
            assert np.isfinite(entry.fit(training).predict(numbers[0][:3])).all()
        else:
            with pytest.raises(LeftOutError, match="0 rows"):
                entry.fit(training)


@pytest.mark.parametrize("classes", [None, True])
def test_rows_in_an_order_are_held_out_in_blocks(classes):
    rng = np.random.default_rng(3)
    day = rng.permutation(103)
    table = pa.table({"x": rng.normal(size=103), "day": day, "y": (day % 2).astype(float)})
    split = split_rows(open_table(table, "y", order="day", classes=classes), None, None, 5, 0)
    parts = list(split.judging(10))
    of_row = np.empty(103, dtype=int)
    for rows, fold in parts:
        of_row[rows.index] = fold
    assert len(parts) > 5
    np.testing.assert_array_equal(of_row[np.argsort(day)], np.sort(of_row))
    assert set(np.bincount(of_row)) == {20, 21}
    assert split.how == "103 rows, each held out once in 5 blocks in the order of day"
