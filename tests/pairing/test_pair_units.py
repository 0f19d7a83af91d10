"""A scaler outside the network, a target in another unit; and networks that are simply bad."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from unbend.data import open_table
from unbend.errors import ModelError, UsageError
from unbend.network import read
from unbend.pairing import Learning, pair
from unbend.pairing.scaling import minmax, standard

N = 300
SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler}


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(N, 3)) * [10, 0.1, 1000] + [50, 2, -4000]
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return x, 200 + 30 * (z[:, 0] - np.abs(z[:, 1]) + 0.5 * z[:, 2]) + 3 * rng.normal(size=N)


def table_of(x: np.ndarray, y: np.ndarray):
    return open_table(pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=y), "y")


def matched(network, x, y, **options):
    table = table_of(x, y)
    found = pair(read(network), table, **options)
    return found, found.predict(table.load())


def test_a_scaler_inside_is_left_alone(rows, trained):
    x, y = rows
    network = make_pipeline(StandardScaler(), trained(StandardScaler().fit_transform(x), y))
    network[0].fit(x)
    found, predicted = matched(network, x, y)
    assert (found.scaling, found.rescale, len(found.notes)) == (None, None, 1)
    np.testing.assert_allclose(predicted, network.predict(x), rtol=1e-4)


@pytest.mark.parametrize("kind", SCALERS)
def test_a_scaler_outside_is_found_and_said(kind, rows, trained):
    x, y = rows
    scaled = SCALERS[kind]().fit_transform(x)
    network = trained(scaled, y)
    found, predicted = matched(network, x, y)
    assert found.scaling is not None
    assert found.scaling.kind == kind
    assert any("it was trained with a scaler outside it" in note and "--scale none" in note for note in found.notes)
    np.testing.assert_allclose(predicted, network.predict(scaled), rtol=1e-3, atol=1e-3)
    asked, same = matched(network, x, y, scale=kind)
    assert any("as asked" in note for note in asked.notes)
    np.testing.assert_array_equal(same, predicted)


def test_none_leaves_the_columns_alone(rows, trained):
    x, y = rows
    network = trained(StandardScaler().fit_transform(x), y)
    found, predicted = matched(network, x, y, scale="none")
    assert found.scaling is None
    np.testing.assert_allclose(predicted, network.predict(x), rtol=1e-3)


def test_a_standardised_target_is_found_and_said(rows, trained):
    x, y = rows
    scaled = StandardScaler().fit_transform(x)
    network = trained(scaled, (y - y.mean()) / y.std())
    found, predicted = matched(network, x, y)
    assert found.rescale == pytest.approx((y.mean(), y.std()))
    assert any("on another scale than y" in note and "standardised" in note for note in found.notes)
    np.testing.assert_allclose(predicted, y.mean() + y.std() * network.predict(scaled), rtol=1e-3)


@pytest.mark.parametrize(("to", "a", "b"), [(lambda y: y / 1000, 0, 1000), (lambda y: y - y.mean(), None, 1)])
def test_a_target_in_another_unit(to, a, b, rows, trained):
    x, y = rows
    scaled = StandardScaler().fit_transform(x)
    found, _ = matched(trained(scaled, to(y), solver="lbfgs"), x, y)
    assert found.rescale == pytest.approx((y.mean() if a is None else a, b))


def test_a_network_that_knows_nothing_is_not_repaired(rows, linear):
    x, y = rows
    for seed in range(20):
        weight = np.random.default_rng(seed).normal(size=3)
        found, predicted = matched(linear(weight, 3.0), x, y)
        assert (found.scaling, found.rescale) == (None, None)
        assert any("worse than a constant" in note and "scored as it is" in note for note in found.notes)
        np.testing.assert_allclose(predicted, x @ weight + 3, rtol=1e-4)


def test_a_network_that_fits_noise_is_not_repaired(trained):
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(120, 3)), rng.normal(size=120)
    network = trained(x, rng.normal(size=120), hidden_layer_sizes=(60, 60))
    found, predicted = matched(network, x, y)
    assert (found.scaling, found.rescale) == (None, None)
    np.testing.assert_allclose(predicted, network.predict(x), rtol=1e-3, atol=1e-4)


def test_a_biased_network_is_not_recalibrated(rows, linear):
    x, y = rows
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    weight = np.linalg.lstsq(np.column_stack([np.ones(N), z]), y, rcond=None)[0]
    found, predicted = matched(linear(weight[1:], weight[0] + 90), z, y)
    assert found.rescale is None
    np.testing.assert_allclose(predicted, z @ weight[1:] + weight[0] + 90, rtol=1e-5)


def test_scaler_for_classes(trained):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 3)) * [10, 0.1, 1000] + [500, 2, -4000]
    scaled = StandardScaler().fit_transform(x)
    y = np.where(scaled[:, 0] + scaled[:, 1] > 0, "yes", "no")
    network = trained(scaled, y, classes=True)
    found, predicted = matched(network, x, y)
    assert found.scaling is not None
    np.testing.assert_allclose(predicted, network.predict_proba(scaled), atol=1e-4)
    assert any("% of rows right" in note for note in found.notes)


def test_statistics_are_those_of_all_rows_in_blocks():
    x = np.random.default_rng(0).normal(size=(1000, 4)) * [1, 1e-3, 1e6, 0] + [0, 10, -1e8, 7]
    blocks = np.array_split(x, 7)
    for ours, theirs in ((standard(blocks), StandardScaler().fit(x)), (minmax(blocks), MinMaxScaler().fit(x))):
        np.testing.assert_allclose(ours(x), theirs.transform(x), rtol=1e-9, atol=1e-9)


def test_an_answer_that_is_no_number_names_the_row(linear):
    x = np.ones((30, 3))
    x[:, 0] = np.arange(30)
    x[17, 1] = 3e38
    table = table_of(x, np.arange(30.0))
    found = pair(read(linear([1, 10, 1])), table, scale="none")
    with pytest.raises(ModelError) as caught:
        found.predict(table.load())
    assert caught.value.what == "graph gives inf as its answer"
    assert "row 17" in caught.value.where


def test_unknown_scaling(linear):
    with pytest.raises(UsageError, match="no scaling is called log"):
        pair(read(linear([1, 1, 1])), table_of(np.eye(3), np.arange(3.0)), scale="log")  # pyright: ignore[reportArgumentType]


# Rows that are held out teach nothing


@pytest.mark.parametrize("kind", SCALERS)
def test_what_is_learned_from_rows_is_not_learned_from_those_held_out(kind, rows, trained):
    x, y = rows
    held = np.arange(N) % 4 == 0
    x = x + 500 * held[:, None]
    table = table_of(x, y)
    fitted = SCALERS[kind]().fit(x[~held])
    network = trained(fitted.transform(x[~held]), (y[~held] - y[~held].mean()) / y[~held].std())
    learning = Learning(table, int((~held).sum()), lambda rows: held[rows.index], "the rows that are not held out")
    found = pair(read(network), table, learning=learning)
    assert found.scaling is not None
    np.testing.assert_allclose(found.inputs(table.load()), fitted.transform(x), atol=1e-9)
    assert found.rescale == pytest.approx((y[~held].mean(), y[~held].std()))
    assert any("are those of the rows that are not held out." in note for note in found.notes)


def test_the_rows_on_which_a_network_fails_are_named(rows, trained):
    x, y = rows
    table = table_of(x, y)
    network = read(trained(StandardScaler().fit_transform(x), np.random.default_rng(0).permutation(y), alpha=0))
    some = pair(network, table, learning=Learning(table, 200, lambda part: part.index >= 200, "the first 200 rows"))
    assert some.failing.startswith("On the first 200 rows the network predicts y worse than a constant")
    assert some.failing in some.notes
    assert pair(network, table).failing.startswith("On these rows")


def test_rows_that_gave_the_scaler_are_named(rows, trained):
    x, y = rows
    found, _ = matched(trained(StandardScaler().fit_transform(x), y), x, y)
    said = "The mean and the standard deviation of the columns are those of all 300 rows of pandas DataFrame."
    assert said in found.notes
