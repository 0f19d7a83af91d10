"""Classes: which is which, and what the network's answers are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from unbend.data import open_table
from unbend.errors import DataError
from unbend.network import read
from unbend.pairing import head, pair

N = 200
RNG = np.random.default_rng(6)
X = RNG.normal(size=(N, 2))
W3 = RNG.normal(size=(2, 3)) * 2
LOGITS = X @ W3
THREE = LOGITS.argmax(axis=1)
NAMES = np.array(["ant", "bee", "cow"])


def paired(model, y, **options):
    table = open_table(pd.DataFrame(X, columns=["a", "b"]).assign(y=y), "y", **options)
    found = pair(read(model), table)
    return found, found.predict(table.load())


@pytest.mark.parametrize(
    ("ops", "last", "note"),
    [
        (["Softmax"], "Softmax", ""),
        (["LogSoftmax"], "LogSoftmax", ""),
        ([], "", "ends in no Softmax"),
        (["Softmax", "Identity"], "Softmax", ""),
    ],
)
def test_scores_of_classes(ops, last, note, ending):
    found, predicted = paired(ending(W3, *ops), NAMES[THREE])
    assert found.head.last == last
    np.testing.assert_allclose(predicted, softmax(LOGITS, axis=1), atol=1e-5)
    assert any(note in one for one in found.notes)
    assert any("in this order, ant, bee, cow" in one for one in found.notes)


def test_scores_are_those_before_the_last_softmax(ending):
    found, _ = paired(ending(W3, "Softmax"), NAMES[THREE])
    np.testing.assert_allclose(found.scores(found.table.load()), LOGITS, atol=1e-5)
    assert found.classifier


def test_classes_in_the_order_of_the_metadata(ending):
    found, predicted = paired(ending(W3, "Softmax", classes=["cow", "ant", "bee"]), NAMES[THREE])
    assert found.order == (1, 2, 0)
    np.testing.assert_allclose(predicted, softmax(LOGITS, axis=1)[:, [1, 2, 0]], atol=1e-5)
    assert len(found.notes) <= 2


@pytest.mark.parametrize("names", [["1.0", "0.0"], ["True", "False"]])
def test_classes_in_another_spelling(names, ending):
    y = (X[:, 0] < 0).astype(int) if "1.0" in names else X[:, 0] < 0
    found, predicted = paired(ending(np.array([[3.0], [0.0]]), "Sigmoid", classes=names), y, classes=True)
    assert found.order == (1, 0)
    np.testing.assert_allclose(predicted[:, 0], expit(3 * X[:, 0]), atol=1e-5)


def test_other_names_for_the_classes_are_said(ending):
    found, _ = paired(ending(W3, "Softmax", classes=["0", "1", "2"]), NAMES[THREE])
    assert found.order is None
    assert any("calls them 0, 1, 2; they are taken to be, in this order, ant, bee, cow" in one for one in found.notes)


def test_binary_sigmoid(ending):
    y = np.where(X[:, 0] > 0, "yes", "no")
    found, predicted = paired(ending(np.array([[3.0], [0.0]]), "Sigmoid"), y)
    assert found.head.kind == "binary"
    np.testing.assert_allclose(predicted, np.column_stack([expit(-3 * X[:, 0]), expit(3 * X[:, 0])]), atol=1e-6)
    assert any("speak for yes and against no" in one for one in found.notes)


def test_log_odds_without_a_sigmoid(ending):
    found, predicted = paired(ending(np.array([[3.0], [0.0]])), np.where(X[:, 0] > 0, "yes", "no"))
    assert found.meaning == "log-odds"
    np.testing.assert_allclose(predicted[:, 1], expit(3 * X[:, 0]), atol=1e-6)
    assert any("log-odds" in one for one in found.notes)


def test_probabilities_that_end_in_another_op(ending):
    """As skl2onnx writes them: the probabilities are joined or divided after the Softmax."""
    found, predicted = paired(ending(W3, "Softmax", "Abs"), NAMES[THREE])
    assert (found.meaning, found.head.last) == ("probabilities", "")
    np.testing.assert_allclose(predicted, softmax(LOGITS, axis=1), atol=1e-5)
    found, predicted = paired(ending(np.array([[3.0], [0.0]]), "Sigmoid", "Abs"), np.where(X[:, 0] > 0, "yes", "no"))
    assert found.meaning == "probability"
    np.testing.assert_allclose(predicted[:, 1], expit(3 * X[:, 0]), atol=1e-5)


def test_one_sigmoid_a_class(ending):
    found, predicted = paired(ending(W3, "Sigmoid"), NAMES[THREE])
    np.testing.assert_allclose(predicted, expit(LOGITS) / expit(LOGITS).sum(axis=1, keepdims=True), atol=1e-5)
    assert any("divided by their sum" in one for one in found.notes)


def test_whole_numbers_are_classes_when_asked(ending):
    found, predicted = paired(ending(W3, "Softmax"), THREE, classes=True)
    assert found.classes == ("0", "1", "2")
    assert (predicted.argmax(axis=1) == THREE).all()


def test_a_classifier_against_a_number(ending):
    with pytest.raises(DataError, match="gives class scores for a row; y is one number"):
        paired(ending(W3, "Softmax"), X[:, 0])


def test_several_numbers_against_a_number(ending):
    with pytest.raises(DataError) as caught:
        paired(ending(W3), X[:, 0])
    assert caught.value.what == "graph gives 3 numbers for a row; y is one number"
    assert "--target" in caught.value.try_


def test_another_number_of_classes(ending):
    with pytest.raises(DataError, match="tells 3 classes apart; y has 2"):
        paired(ending(W3, "Softmax"), np.where(X[:, 0] > 0, "yes", "no"))


def test_scikit_learns_probabilities(trained):
    network = trained(X, NAMES[THREE], classes=True)
    found, predicted = paired(network, NAMES[THREE])
    assert found.order == (0, 1, 2)
    np.testing.assert_allclose(predicted, network.predict_proba(X), atol=1e-5)


def test_head_passes_ops_that_only_move_numbers(ending):
    assert head(read(ending(W3, "Softmax", "Identity", "Flatten"))).kind == "classes"
