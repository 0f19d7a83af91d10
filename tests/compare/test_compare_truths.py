"""Data on which each rung must win, known by construction."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_diabetes

from unbend.compare import compare


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_noise_needs_nothing_but_a_constant(rng, frame):
    found = compare(frame(rng.normal(size=(600, 3)), y=rng.normal(size=600)), "y")
    assert found.enough == "constant"
    assert found.answer.sentence.startswith("Nothing predicts y better than a constant")


def test_a_linear_truth_needs_linear_regression(rng, frame):
    x = rng.normal(size=(800, 4))
    found = compare(frame(x, y=x @ [1.0, -2, 0.5, 0] + rng.normal(size=800)), "y")
    assert found.enough == "linear"
    assert found.step("constant", "linear").verdict == "better"
    assert found.step("linear", "network").verdict != "better"
    assert found.score("linear").r2 == pytest.approx(5.25 / 6.25, abs=0.03)


def test_a_quadratic_truth_needs_the_quadratic(rng, frame):
    x = rng.normal(size=(800, 4))
    found = compare(frame(x, y=x[:, 0] + x[:, 1] * x[:, 2] + x[:, 3] ** 2 + rng.normal(size=800)), "y")
    assert found.enough == "quadratic"
    assert found.step("linear", "quadratic").gain == pytest.approx(3 / 5, abs=0.1)
    assert found.answer.sentence.startswith("The quadratic is enough")


@pytest.mark.parametrize("bent", [np.abs, lambda z: np.sin(3 * z)], ids=["abs", "sin"])
def test_a_bent_truth_needs_the_network(rng, frame, bent):
    x = rng.uniform(-2, 2, size=(1500, 2))
    found = compare(frame(x, y=bent(x[:, 0]) + 0.2 * rng.normal(size=1500)), "y")
    assert found.enough == "network"
    assert found.step("quadratic", "network").verdict == "better"
    assert "needs more than a regression" in found.answer.sentence


def two_normals(rng: np.random.Generator, n: int, p: int, rings: bool) -> tuple[np.ndarray, np.ndarray]:
    """Breiman's twonorm (two means) or ringnorm (two spreads)."""
    which = rng.integers(0, 2, n)
    z, mean = rng.normal(size=(n, p)), 2 / np.sqrt(p)
    if rings:
        return np.where(which[:, None] == 1, 2 * z, z + mean), np.array(["in", "out"])[which]
    return z + mean * (2 * which[:, None] - 1), np.array(["left", "right"])[which]


def test_two_means_need_logistic_regression(rng, frame):
    x, y = two_normals(rng, 1500, 8, rings=False)
    found = compare(frame(x, y=y), "y")
    assert (found.enough, found.unit) == ("logistic", "nats")
    assert found.score("logistic").accuracy == pytest.approx(0.977, abs=0.015)


def test_two_rings_need_the_quadratic(rng, frame):
    x, y = two_normals(rng, 1500, 8, rings=True)
    found = compare(frame(x, y=y), "y")
    assert found.enough == "quadratic"
    assert found.answer.sentence.count("nats") == 1


def test_a_chessboard_needs_the_network(rng, frame):
    x = rng.uniform(-1, 1, size=(2000, 2))
    y = np.where(np.sin(4 * x[:, 0]) * np.sin(4 * x[:, 1]) > 0, "black", "white")
    found = compare(frame(x, y=y), "y")
    assert found.enough == "network"
    accuracy = [score.accuracy for score in found.scores]
    assert accuracy[-1] is not None
    assert accuracy[-1] > 0.85


def test_whole_numbers_are_classes_if_asked(rng, frame):
    x = rng.normal(size=(300, 2))
    table = frame(x, y=(x[:, 0] > 0).astype(int))
    assert compare(table, "y", classes=True).unit == "nats"
    as_number = compare(table, "y")
    assert as_number.unit == "R²"
    assert any("y is 0 or 1 and is taken for a number" in note for note in as_number.notes)


def test_diabetes_needs_linear_regression():
    data = load_diabetes(scaled=False)
    table = pa.table(dict(zip(data.feature_names, data.data.T, strict=True)) | {"y": data.target})
    found = compare(table, "y")
    assert found.enough == "linear"
    assert found.n == 442
    assert found.score("linear").r2 == pytest.approx(0.489, abs=0.01)
    assert found.score("quadratic").r2 == pytest.approx(0.498, abs=0.02)
    assert found.step("linear", "quadratic").verdict == "cannot tell"
    assert not found.sure
    assert "as far as these rows can tell" in found.answer.sentence


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_parameters_of_classes_are_those_that_are_free(rng, frame, classes):
    x = rng.normal(size=(400, 2))
    y = np.array(list("abcde"))[np.arange(400) % classes]
    found = compare(frame(x, y=y), "y")
    counts = [found.score(name).parameters for name in ("constant", "logistic", "quadratic")]
    assert counts == [classes - 1, 3 * (classes - 1), 6 * (classes - 1)]
