"""A fitted scikit-learn network, with the scaler before it, as an ONNX model.

Steps that are understood: StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler and PCA, and at the end
MLPRegressor, MLPClassifier, LinearRegression, Ridge or LogisticRegression. The model computes in float32 unless asked
otherwise; a classifier's output is its probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass
from onnx_ir.tape import Tape

from unbend.errors import ModelError
from unbend.network.metadata import describe

OPSET = 18
ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "exp": "Exp"}


class _Writer:
    """Writes nodes one after the other; arrays become initializers of the model's type."""

    def __init__(self, columns: int, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.tape = Tape()
        self.count = 0
        self.input = ir.val("input", ir.DataType.from_numpy(dtype), ["batch", columns])
        self.value = self.input

    def constant(self, array: np.ndarray | float) -> ir.Value:
        """An initializer."""
        self.count += 1
        numbers = np.ascontiguousarray(np.asarray(array, dtype=self.dtype))
        return self.tape.initializer(ir.tensor(numbers, name=f"constant_{self.count}"), name=f"constant_{self.count}")

    def then(self, op_type: str, *arrays: np.ndarray | float, **attributes: Any) -> None:
        """The next node: it reads the current value and the given constants."""
        inputs = [self.value, *(self.constant(array) for array in arrays)]
        self.value = self.tape.op(op_type, inputs, attributes or None)


def convert(estimator: Any, dtype: type = np.float32) -> ir.Model:
    """The fitted estimator or pipeline as an ONNX model.

    Raises
    ------
    ModelError
        It is not fitted, or one of its steps is not understood.
    """
    steps = _steps(estimator)
    columns = getattr(steps[0], "n_features_in_", None)
    if columns is None:
        raise ModelError(f"{type(estimator).__name__} is not fitted", try_="call its fit(X, y) first")
    writer = _Writer(int(columns), np.dtype(dtype))
    for step in steps:
        _find(step)(writer, step)
    return _model(writer, estimator, steps[-1])


def _model(writer: _Writer, estimator: Any, last: Any) -> ir.Model:
    writer.value.name = "output"
    writer.value.dtype = ir.DataType.from_numpy(writer.dtype)
    graph = ir.Graph(
        [writer.input],
        [writer.value],
        nodes=writer.tape.nodes,
        initializers=writer.tape.initializers,
        opset_imports={"": OPSET},
        name=type(last).__name__,
    )
    model = ir.Model(graph, ir_version=9, producer_name="unbend")
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(last, "classes_", None)
    ShapeInferencePass()(model)
    describe(model, features=names, classes=None if classes is None else [str(c) for c in classes])
    return model


def _steps(estimator: Any) -> list[Any]:
    steps = getattr(estimator, "steps", None)
    if steps is None:
        return [estimator]
    kept = [step for _, step in steps if step is not None and not isinstance(step, str)]
    return [inner for step in kept for inner in _steps(step)]


def _find(step: Any) -> Callable[[_Writer, Any], None]:
    """What writes the step; a subclass is its base as long as it computes as that does."""
    own = ""
    for base in type(step).__mro__:
        if base.__module__.startswith("sklearn.") and base.__name__ in WRITERS:
            if not (own := _own_method(type(step), base)):
                return WRITERS[base.__name__]
            break
    raise ModelError(
        f"unbend does not read the scikit-learn step {type(step).__name__}",
        where=f"it has a {own} of its own" if own else "understood are " + ", ".join(sorted(WRITERS)),
        try_="convert the pipeline with skl2onnx, and pass the .onnx file",
    )


def _own_method(kind: type, base: type) -> str:
    """A method that says what comes out, and that `kind` does not share with `base`; empty if there is none."""
    names = ("transform", "predict", "predict_proba", "decision_function", "_predict", "_forward_pass_fast")
    return next((name for name in names if getattr(kind, name, None) is not getattr(base, name, None)), "")


def _standard_scaler(writer: _Writer, step: Any) -> None:
    _shift_and_divide(writer, step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None)


def _robust_scaler(writer: _Writer, step: Any) -> None:
    _shift_and_divide(writer, step.center_ if step.with_centering else None, step.scale_ if step.with_scaling else None)


def _max_abs_scaler(writer: _Writer, step: Any) -> None:
    _shift_and_divide(writer, None, step.scale_)


def _shift_and_divide(writer: _Writer, shift: np.ndarray | None, scale: np.ndarray | None) -> None:
    if shift is not None:
        writer.then("Sub", shift)
    if scale is not None:
        writer.then("Div", scale)


def _min_max_scaler(writer: _Writer, step: Any) -> None:
    writer.then("Mul", step.scale_)
    writer.then("Add", step.min_)
    if step.clip:
        writer.then("Clip", *(np.asarray(bound) for bound in step.feature_range))


def _pca(writer: _Writer, step: Any) -> None:
    components = step.components_.T
    if step.whiten:
        components = components / np.sqrt(step.explained_variance_)
    writer.then("Sub", step.mean_)
    writer.then("MatMul", components)


def _linear(writer: _Writer, step: Any) -> None:
    weight = np.atleast_2d(step.coef_)
    writer.then("Gemm", weight, np.broadcast_to(step.intercept_, weight.shape[:1]), transB=1)


def _logistic_regression(writer: _Writer, step: Any) -> None:
    _linear(writer, step)
    writer.then("Sigmoid") if len(step.classes_) == 2 else writer.then("Softmax", axis=-1)


def _layers(writer: _Writer, step: Any) -> None:
    last = len(step.coefs_) - 1
    for layer, (weight, bias) in enumerate(zip(step.coefs_, step.intercepts_, strict=True)):
        writer.then("Gemm", weight.T, bias, transB=1)
        _activate(writer, step.activation if layer < last else step.out_activation_)


def _activate(writer: _Writer, name: str) -> None:
    if name == "softmax":
        writer.then("Softmax", axis=-1)
    elif name in ACTIVATIONS:
        writer.then(ACTIVATIONS[name])
    elif name != "identity":
        raise ModelError(f"unbend does not read the activation {name} of a scikit-learn network")


WRITERS: dict[str, Callable[[_Writer, Any], None]] = {
    "StandardScaler": _standard_scaler,
    "RobustScaler": _robust_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "MinMaxScaler": _min_max_scaler,
    "PCA": _pca,
    "LinearRegression": _linear,
    "Ridge": _linear,
    "LogisticRegression": _logistic_regression,
    "MLPRegressor": _layers,
    "MLPClassifier": _layers,
}
