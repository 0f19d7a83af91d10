"""scikit-learn estimators as networks: the same predictions as scikit-learn's own, also by way of skl2onnx."""

import warnings

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from unbend.collapse import collapse
from unbend.errors import ModelError
from unbend.network import Runner, read

x, y = load_diabetes(return_X_y=True)
flowers, kinds = load_iris(return_X_y=True)
SINGLE = 2e-5


def fitted(estimator, x=x, y=y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, y)


def small(kind=MLPRegressor, **options):
    return kind(hidden_layer_sizes=(8, 5), max_iter=20, random_state=0, **options)


def answers(network, x):
    found = Runner(network)(x)[network.output.name]
    return found.reshape(len(x), -1)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_regressor(activation):
    model = fitted(small(activation=activation))
    network = read(model)
    np.testing.assert_allclose(answers(network, x)[:, 0], model.predict(x), rtol=1e-3, atol=SINGLE * np.abs(y).max())
    assert collapse(network).affine == (activation == "identity")


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False), MinMaxScaler(),
        MinMaxScaler((-1, 2), clip=True), MaxAbsScaler(), RobustScaler(), RobustScaler(with_scaling=False), PCA(4),
        PCA(3, whiten=True), "passthrough",
    ],
)  # fmt: skip
def test_pipeline(scaler):
    model = fitted(make_pipeline(scaler, small()))
    network = read(model)
    expected = model.predict(x)
    np.testing.assert_allclose(answers(network, x)[:, 0], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["network", "logistic"])
def test_classifier(kind, classes):
    rows = kinds < classes
    estimator = small(MLPClassifier) if kind == "network" else LogisticRegression(max_iter=500)
    model = fitted(make_pipeline(StandardScaler(), estimator), flowers[rows], kinds[rows])
    network = read(model)
    expected = model.predict_proba(flowers[rows])
    found = answers(network, flowers[rows])
    np.testing.assert_allclose(found[:, -1], expected[:, -1], atol=1e-5)
    assert network.classes == tuple(str(c) for c in range(classes))


@pytest.mark.parametrize("estimator", [LinearRegression(), Ridge()])
def test_scaler_and_regression_collapse_to_one_product(estimator):
    model = fitted(make_pipeline(StandardScaler(), PCA(5), estimator))
    found = collapse(model)
    assert found.affine
    assert found.after.nodes == 1


def test_unfitted():
    with pytest.raises(ModelError, match="not fitted"):
        read(MLPRegressor())


def test_step_that_is_not_understood():
    with pytest.raises(ModelError, match="PolynomialFeatures") as caught:
        read(fitted(make_pipeline(PolynomialFeatures(2), LinearRegression())))
    assert "skl2onnx" in str(caught.value)
    with pytest.raises(ModelError, match="DecisionTreeRegressor"):
        read(fitted(DecisionTreeRegressor(max_depth=2)))


class Named(StandardScaler):
    """The same as its base."""


class Doubled(StandardScaler):
    def transform(self, X, copy=None):
        return 2 * super().transform(X, copy)


class Clipped(MLPRegressor):
    def predict(self, X):
        return np.clip(super().predict(X), 0, 1)


def test_a_subclass_that_computes_something_else_is_not_its_base():
    assert read(fitted(make_pipeline(Named(), LinearRegression()))).nodes
    with pytest.raises(ModelError, match="Doubled") as caught:
        read(fitted(make_pipeline(Doubled(), LinearRegression())))
    assert "a transform of its own" in caught.value.where
    with pytest.raises(ModelError, match="Clipped"):
        read(fitted(Clipped(hidden_layer_sizes=(4,), max_iter=10)))


def test_nested_pipelines():
    model = fitted(make_pipeline(make_pipeline(StandardScaler(), "passthrough"), make_pipeline(PCA(3), Ridge())))
    np.testing.assert_allclose(answers(read(model), x)[:, 0], model.predict(x), rtol=1e-4)


def test_column_names_are_kept():
    frame = load_diabetes(as_frame=True).data
    assert read(fitted(small(), frame, y)).features == tuple(frame.columns)


def test_skl2onnx_regression():
    skl2onnx = pytest.importorskip("skl2onnx")
    model = fitted(make_pipeline(StandardScaler(), small()))
    converted = skl2onnx.to_onnx(model, x[:1].astype(np.float32), target_opset=18)
    found = collapse(converted)
    network = read(found.to_onnx())
    expected = model.predict(x)
    np.testing.assert_allclose(answers(network, x)[:, 0], expected, atol=1e-4 * np.abs(expected).max())


def test_shapes_are_known_behind_a_scaler_of_skl2onnx():
    scaler = onnx.helper.make_node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[1.0, 2.0], scale=[0.5, 0.1])
    nodes = [
        scaler,
        onnx.helper.make_node("MatMul", ["s", "w"], ["m"]),
        onnx.helper.make_node("Add", ["m", "b"], ["y"]),
    ]
    element = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", element, [None, 2])],
        [onnx.helper.make_tensor_value_info("y", element, None)],
        [
            onnx.numpy_helper.from_array(np.ones(shape, np.float32), name)
            for name, shape in (("w", (2, 3)), ("b", (3,)))
        ],
    )
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    assert read(model).shapes == {"x": (1, 2), "s": (1, 2), "m": (1, 3), "y": (1, 3)}
    assert collapse(model).affine


@pytest.mark.parametrize("zipmap", [True, False])
def test_skl2onnx_classifier(zipmap, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    model = fitted(make_pipeline(StandardScaler(), small(MLPClassifier)), flowers, kinds)
    options = {id(model): {"zipmap": zipmap}}
    converted = skl2onnx.to_onnx(model, flowers[:1].astype(np.float32), target_opset=18, options=options)
    onnx.save(converted, tmp_path / "model.onnx")
    for source in (converted, tmp_path / "model.onnx"):
        network = read(collapse(source).to_onnx())
        np.testing.assert_allclose(answers(network, flowers), model.predict_proba(flowers), atol=1e-5)
