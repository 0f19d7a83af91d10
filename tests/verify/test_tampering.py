"""Collapsed files that somebody changed, and certificates: each is refused, with what is wrong and where."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import Graph, a
from tampering import tamper, written
from trap_graphs import TRAPS

from unbend.collapse.certify import precision
from unbend.verify import verify

NETWORKS = (
    "conv_then_batch_normalization",
    "mean_subtracted_before_pads",
    "asymmetric_pads_and_dilation",
    "grouped_conv_with_scale",
    "transposed_then_pointwise",
    "three_branches",
    "relu_among_four",
    "residual_of_two_layers",
    "low_rank_adapter",
    "scaler_before_and_after",
    "split_into_two",
    "first_token_behind_the_output_of_heads",
)
KINDS = ("float32", "float16", "bfloat16")

SHARE = {"float32": 0.01, "float16": 0.01, "bfloat16": 0.05}
"""By what share a weight is moved. One unit in the last place of bfloat16 is up to 0.8 %, which the bound allows."""

FEWEST = 7
"""So many of the changes can be made to each of the networks, at least."""

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)

Change = Callable[[onnx.ModelProto, onnx.ModelProto, str], Any]
"""Changes a collapsed model, given the original and the kind; what is false if it has nothing to change."""


def _edit(tensor: TensorProto | None, change: Callable[[np.ndarray], np.ndarray]) -> bool:
    if tensor is None:
        return False
    array = numpy_helper.to_array(tensor)
    new = change(array.astype(np.float64)).astype(array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    return not np.array_equal(new, array)


def _weight(model: onnx.ModelProto, *others: str) -> TensorProto | None:
    """The first float initializer of several axes whose name is not among others."""
    found = (one for one in model.graph.initializer if one.data_type in FLOATS and len(one.dims) > 1)
    return next((one for one in found if one.name not in others and min(one.dims[:2]) > 1), None)


def a_weight(model, original, kind):
    def moved(array):
        at = np.unravel_index(np.argmax(np.abs(array)), array.shape)
        array[at] *= 1 + SHARE[kind]
        return array

    return _edit(_weight(model), moved)


def a_sign(model, original, kind):
    def turned(array):
        at = np.unravel_index(np.argmax(np.abs(array)), array.shape)
        array[at] *= -1
        return array

    return _edit(_weight(model), turned)


def two_channels(model, original, kind):
    return _edit(_weight(model), lambda array: array[[1, 0, *range(2, len(array))]])


def a_bias(model, original, kind):
    nodes = (node for node in model.graph.node if node.op_type in ("Conv", "Gemm") and len(node.input) == 3)
    if (node := next(nodes, None)) is not None:
        del node.input[2]
    return node


def the_pads(model, original, kind):
    for node in model.graph.node:
        for one in node.attribute:
            if one.name == "pads" and node.op_type == "Conv" and any(one.ints):
                axes = len(one.ints) // 2
                one.ints[0], one.ints[axes] = one.ints[0] - 1, one.ints[axes] + 1
                return min(one.ints) >= 0
    return False


def a_bend(model, original, kind):
    bends = {"Relu": "Softplus", "Sigmoid": "Tanh", "Tanh": "Sigmoid", "Softmax": "LogSoftmax", "MaxPool": "LpPool"}
    for node in model.graph.node:
        if node.op_type in bends:
            node.op_type = bends[node.op_type]
            return True
    return False


def what_was_kept(model, original, kind):
    names = {one.name for one in original.graph.initializer}
    kept = [one for one in model.graph.initializer if one.name in names and one.data_type in FLOATS]
    return _edit(kept[0] if kept else None, lambda array: array * 1.5 + 0.5)


def the_opset(model, original, kind):
    model.opset_import[0].version -= 1
    return True


def the_input(model, original, kind):
    for node in model.graph.node:
        node.input[:] = ["renamed" if name == "x" else name for name in node.input]
    model.graph.input[0].name = "renamed"
    return True


def one_more_output(model, original, kind):
    element = model.graph.input[0].type.tensor_type.elem_type
    model.graph.node.append(helper.make_node("Identity", ["x"], ["more"]))
    model.graph.output.append(helper.make_tensor_value_info("more", element, None))
    return True


def the_type_of_the_input(model, original, kind):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    return True


CHANGES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "a weight": (a_weight, ("random signs", "at the origin", "reads other values")),
    "a sign": (a_sign, ("random signs", "at the origin", "reads other values")),
    "two channels": (two_channels, ("random signs", "at the origin", "reads other values")),
    "a bias": (a_bias, ("at the origin", "reads other values")),
    "the pads": (the_pads, ("random signs", "at the origin", "has the shape", "its attribute pads")),
    "a bend": (a_bend, ("has no equal",)),
    "what was kept": (what_was_kept, ("reads other values", "has no equal", "random signs", "at the origin")),
    "the opset": (the_opset, ("the opset is",)),
    "the input": (the_input, ("the inputs are x",)),
    "one more output": (one_more_output, ("the outputs are",)),
    "the type of the input": (the_type_of_the_input, ("x is",)),
}

Edit = Callable[[dict[str, Any]], None]


def _wider(key: str, times: float) -> Edit:
    def apply(stated: dict[str, Any]) -> None:
        for one in stated["stretches"]:
            one["bound"][key] = max(one["bound"][key], 1e-13) * times

    return apply


def _without(key: str) -> Edit:
    def apply(stated: dict[str, Any]) -> None:
        stated[key] = stated[key][1:]

    return apply


def _other_output(stated: dict[str, Any]) -> None:
    for one in stated["stretches"]:
        one["outputs"][0]["collapsed"] = one["sources"][0]["collapsed"]


def _scaled(stated: dict[str, Any]) -> None:
    stated["stretches"][0]["outputs"][0]["scale"] = 2.0


EDITS: dict[str, tuple[Edit, str]] = {
    "a wide bound of the weights": (_wider("collapsed", 30.0), "wider than rounding explains"),
    "a wide bound of the offsets": (_wider("offset", 30.0), "wider than rounding explains"),
    "a wide bound of the original": (_wider("original", 1e3), "wider than rounding explains"),
    "a wide bound of settled offsets": (_wider("settled", 1e10), "wider than rounding explains"),
    "a stretch less": (_without("stretches"), ""),
    "no size": (lambda stated: stated.update(sizes=[]), "names no size"),
    "an output that is a source": (_other_output, ""),
    "an output in other units": (_scaled, ""),
}


@pytest.fixture(autouse=True)
def whatever_it_loses(monkeypatch):
    """Half precision refuses some of these stretches for their digits, which is not asked here."""
    monkeypatch.setattr(precision, "ALLOWED", math.inf)


def _copied(files: tuple[Path, Path, Path], folder: Path) -> tuple[Path, Path, Path]:
    folder.mkdir()
    one, two, three = (Path(shutil.copy(file, folder)) for file in files)
    return one, two, three


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_change_is_refused(name, kind, tmp_path):
    files = written(tmp_path, TRAPS[name].model(kind))
    original, smaller = onnx.load(files[0]), onnx.load(files[1])
    assert verify(*files).holds
    made = 0
    for i, (what, (change, words)) in enumerate(CHANGES.items()):
        model = onnx.ModelProto()
        model.CopyFrom(smaller)
        if not change(model, original, kind):
            continue
        copied = _copied(files, tmp_path / str(i))
        tamper(copied[1], copied[2], lambda one, new=model: one.CopyFrom(new))
        found = verify(*copied)
        assert found.wrong, what
        assert any(word in line for line in found.wrong for word in words), (what, found.wrong)
        made += 1
    assert made >= FEWEST


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_edit_of_the_certificate_is_refused(name, kind, tmp_path):
    files = written(tmp_path, TRAPS[name].model(kind))
    stated = json.loads(files[2].read_text())
    assert stated["stretches"]
    for what, (edit, words) in EDITS.items():
        edited = json.loads(json.dumps(stated))
        edit(edited)
        files[2].write_text(json.dumps(edited))
        found = verify(*files)
        assert found.wrong, what
        assert any(words in line for line in found.wrong), (what, found.wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_the_certificate_of_another_network_is_refused(kind, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    files = written(tmp_path / "one", TRAPS["conv_then_batch_normalization"].model(kind))
    other = json.loads(written(tmp_path / "two", TRAPS["relu_among_four"].model(kind))[2].read_text())
    own = json.loads(files[2].read_text())
    files[2].write_text(json.dumps(other))
    assert "was made for other files" in verify(*files).wrong[0]
    files[2].write_text(json.dumps(other | {key: own[key] for key in ("original", "collapsed")}))
    assert verify(*files).wrong


@pytest.mark.parametrize(
    ("op_type", "axes", "same"),
    [("Add", (1, 1, 6), True), ("Mul", (1, 6), True), ("Sub", (1, 1, 6), False), ("Add", (1, 1, 1, 6), False)],
    ids=str,
)
def test_a_sum_outside_the_stretches_may_have_its_terms_in_another_order(tmp_path, op_type, axes, same):
    """And a constant term may have leading axes of length one: they change nothing but where they are too many."""
    graph = Graph("N", 4, 6)
    bent = graph("Softmax", graph(op_type, a(6), graph("Tanh", "x")), axis=-1)
    files = written(tmp_path, graph.model(graph("MatMul", graph("MatMul", bent, a(6, 9)), a(9, 3))))

    def turn(model: onnx.ModelProto) -> None:
        node = next(one for one in model.graph.node if one.op_type == op_type)
        shift = next(one for one in model.graph.initializer if one.name == node.input[0])
        shift.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(shift).reshape(axes), shift.name))
        node.input[:] = node.input[::-1]

    tamper(*files[1:], turn)
    found = verify(*files)
    assert found.stretches
    assert found.holds is same
    if not same:
        assert any(line.endswith("which is not made from the same values in both files") for line in found.wrong)
