"""Who says that two models compute the same: ONNX's reference evaluator in float64, and onnxruntime in their own type.

The truth is the original with all its numbers in float64. The collapsed model in float64 differs from it by the one
rounding of its weights alone; both in their own type differ by what running them rounds as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from kinds import in_type
from onnx import helper
from onnx.reference import ReferenceEvaluator

STRANGE = helper.make_function(
    "nobody", "Strange", ["x"], ["y"], [helper.make_node("Tanh", ["x"], ["y"])], [helper.make_opsetid("", 18)]
)
"""What the op that nobody knows is, for the witness only."""

WEIGHTS = 2.0
"""Outputs may be so many units of the type off, relative to the largest output, and twice as many where the truth is
rounded itself, besides …"""

RUNS = 4.0
"""… so many times what the original's own run is from the truth."""

LACKING = {"GlobalLpPool", "LpPool", "ConvTranspose", "MaxPool", "MeanVarianceNormalization", "Pad", "Optional"}
"""Ops that the reference evaluator has not, or not with every attribute."""

MISREAD = {"BatchNormalization": 15, "Dropout": 12, "Resize": 11, "Upsample": 11}
MISREAD |= dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), 13)
MISREAD |= dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), 19)
"""Ops that it has, or has rightly, from an opset on: before, its BatchNormalization is that of training, and so on."""

Feeds = Mapping[str, np.ndarray]
Run = Callable[[Feeds], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Witness:
    """A model as two programs see it.

    `truth` gives every output in float64, from inputs in float64; where it is not `exact` it is a run in float32,
    which rounds itself. `session` is None where onnxruntime cannot run the model.
    """

    truth: Run
    exact: bool
    names: Sequence[str]
    session: onnxruntime.InferenceSession | None

    @staticmethod
    def of(model: onnx.ModelProto) -> Witness:
        known = onnx.ModelProto()
        known.CopyFrom(model)
        if any(node.domain == "nobody" for node in model.graph.node):
            known.functions.append(STRANGE)
        names = [output.name for output in model.graph.output]
        return Witness(_truth(known), _is_known(known), names, None if _is_bfloat16(known) else _session(known))

    def run(self, feeds: Feeds) -> list[np.ndarray] | None:
        """Every output as onnxruntime gives it; None where it does not run."""
        return None if self.session is None else self.session.run(list(self.names), dict(feeds))


def _truth(model: onnx.ModelProto) -> Run:
    """The reference evaluator; onnxruntime in float32 for ops that the evaluator lacks, or has wrong in old opsets."""
    if _is_known(model):
        exact = ReferenceEvaluator(in_type(model, "float64"))
        return lambda feeds: exact.run(None, {name: _as(np.float64, x) for name, x in feeds.items()})
    session = _session(in_type(model, "float32"))
    assert session is not None
    return lambda feeds: session.run(None, {name: _as(np.float32, x) for name, x in feeds.items()})


def _is_known(model: onnx.ModelProto) -> bool:
    """Whether the reference evaluator has every op of it."""
    opset = _opset(model)
    return not any(
        node.op_type in LACKING or opset < MISREAD.get(node.op_type, 0) for node in (*model.graph.node, *_bodies(model))
    )


def _bodies(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes of the model's functions."""
    return [node for function in model.functions for node in function.node]


def _is_bfloat16(model: onnx.ModelProto) -> bool:
    """Which nobody runs here."""
    return model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16


def _opset(model: onnx.ModelProto) -> int:
    return next(one.version for one in model.opset_import if not one.domain)


def _as(dtype: type, x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "iub" else x.astype(dtype)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession | None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:
        return None


def assert_agree(
    before: onnx.ModelProto, after: onnx.ModelProto, shapes: Sequence[tuple[int, ...]], floor: float = 0.0
) -> None:
    """Both models compute the same at inputs of these shapes.

    Outputs that cancel to less than the share `floor` of the largest input are held against that.
    """
    port = before.graph.input[0]
    dtype = helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
    own, new = Witness.of(before), Witness.of(after)
    assert own.session is None or new.session is not None, "onnxruntime runs the original, and not the collapsed one"
    for seed, shape in enumerate(shapes):
        x = np.random.default_rng(seed).normal(size=shape)
        feeds = {port.name: np.rint(9 * x).astype(dtype) if dtype.kind in "iu" else x.astype(dtype)}
        with np.errstate(all="ignore"):
            least = floor * float(np.max(np.abs(x), initial=0.0))
            _assert_same(own, new, feeds, _unit(dtype), least)


def _assert_same(own: Witness, new: Witness, feeds: Feeds, unit: float, least: float) -> None:
    truths, founds = own.truth(feeds), new.truth(feeds)
    units = WEIGHTS * unit * (1 if own.exact else 2)
    before = own.run(feeds) or [None] * len(truths)
    after = new.run(feeds) if own.session is not None else None
    for truth, found, first, second in zip(truths, founds, before, after or before, strict=True):
        error = _error(first, truth) + unit * least
        assert_near(found, truth, units, RUNS * error)
        if first is None or second is None:
            continue
        assert first.shape == second.shape
        assert first.dtype == second.dtype
        if first.dtype.kind not in "OSU":
            assert_near(second, truth, units, RUNS * error, given=first)


def _error(found: np.ndarray | None, truth: np.ndarray) -> float:
    """How far a run is from the truth, where both are finite: what bends make of rounding."""
    if found is None or found.dtype.kind in "OSU":
        return 0.0
    both = np.isfinite(truth) & np.isfinite(found.astype(np.float64))
    return float(np.max(np.abs(found.astype(np.float64) - truth)[both], initial=0.0))


def assert_near(
    found: np.ndarray, truth: np.ndarray, relative: float, more: float = 0.0, given: np.ndarray | None = None
) -> None:
    """Equal up to a share of the largest number; what is not finite is the same, or as the original gives it."""
    assert found.shape == truth.shape
    if truth.dtype.kind not in "fV":
        np.testing.assert_array_equal(found, truth)
        return
    found = found.astype(np.float64)
    finite = np.isfinite(truth) if given is None else np.isfinite(given.astype(np.float64)) & np.isfinite(truth)
    if given is None:
        np.testing.assert_array_equal(found[~finite], truth[~finite])
    scale = float(np.max(np.abs(truth[finite]), initial=1e-30))
    np.testing.assert_allclose(found[finite], truth[finite], rtol=0, atol=relative * scale + more)


def _unit(dtype: np.dtype) -> float:
    return float(ml_dtypes.finfo(dtype).eps) if dtype.kind not in "iub" else 0.0


def assert_kept(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    """Names, types and shapes of inputs and outputs, opsets and metadata are as they were."""
    initializers = {one.name for one in before.graph.initializer} if before.ir_version < 4 else ()
    for ports, own in ((before.graph.input, after.graph.input), (before.graph.output, after.graph.output)):
        kept = [one for one in own if one.name not in initializers]
        assert [_port(one) for one in ports if one.name not in initializers] == [_port(one) for one in kept]
    opsets, found = ({one.domain: one.version for one in model.opset_import} for model in (before, after))
    assert found == opsets
    assert {one.key: one.value for one in before.metadata_props}.items() <= {
        one.key: one.value for one in after.metadata_props
    }.items()
    for name in ("doc_string", "domain", "model_version"):
        assert getattr(before, name) == getattr(after, name)
    assert before.graph.name == after.graph.name
    assert before.graph.doc_string == after.graph.doc_string


def _port(value: onnx.ValueInfoProto) -> tuple[str, bytes]:
    return value.name, value.type.SerializeToString()
