"""Every trap in half precision as it is shipped: with the limit on what a collapse may lose."""

from functools import cache

import ml_dtypes
import numpy as np
import onnx
import pytest
from test_traps import CASES, shapes
from trap_graphs import TRAPS
from witness import assert_agree, assert_kept

from unbend.collapse import collapse
from unbend.collapse.certify.precision import ALLOWED
from unbend.collapse.certify.settled import KEPT, settled
from unbend.verify import verify

HALF = [(name, kind) for name, kind in CASES if kind in ("float16", "bfloat16")]


def digits(found):
    """The stretches that stay for their digits."""
    return [one for one in found.stretches if "float64 truth" in one.reason]


@cache
def collapsed(name, kind):
    """Asked more than once."""
    return collapse(TRAPS[name].model(kind), cost="macs")


@pytest.mark.parametrize(("name", "kind"), HALF)
def test_a_trap_in_half_precision(name, kind):
    one = TRAPS[name]
    model, found = one.model(kind), collapsed(name, kind)
    smaller = found.to_onnx()
    assert found.after.heavy == one.answers[kind] or digits(found)
    assert found.certificate is None or found.certificate.holds
    assert_kept(model, smaller)
    assert_agree(model, smaller, shapes(model, one))
    assert not collapse(smaller).changed


@pytest.mark.parametrize(("name", "kind"), HALF)
def test_its_certificate_can_be_checked(name, kind, tmp_path):
    before, after = tmp_path / "model.onnx", tmp_path / "smaller.onnx"
    onnx.save(TRAPS[name].model(kind), before)
    collapsed(name, kind).save(after, certificate=tmp_path / "certificate.json")
    found = verify(before, after, tmp_path / "certificate.json")
    assert found.holds, str(found)


def test_few_traps_stay_for_their_digits():
    """Each reason says how many times as far, and that is more than is allowed."""
    far = [float(one.reason.split()[7]) for case in HALF for one in digits(collapsed(*case))]
    assert min(far) >= ALLOWED
    assert 0 < len(far) < len(HALF) / 4


def test_what_was_kept_is_kept_when_the_file_is_read_again():
    found = collapse(TRAPS["scales_of_both_signs"].model("bfloat16"))
    (kept,) = digits(found)
    again = collapse(found.to_onnx())
    assert found.changed
    assert not again.changed
    (reason,) = (one.reason for one in again.stretches if one.label == kept.label)
    assert reason.endswith("when unbend wrote the file")


@pytest.mark.parametrize("text", ["", "{", "1", "[1]", "[null]", "[[]]", '[[["a"]]]', '{"a": 1}', '["y"]'])
def test_a_note_of_somebody_else_is_no_trouble(text):
    model = TRAPS["linear_mlp"].model("float16")
    onnx.helper.set_model_props(model, {KEPT: text})
    assert collapse(model).changed


def test_the_note_says_only_what_was_kept():
    found = collapse(TRAPS["linear_mlp"].model("float32"))
    assert KEPT not in found.model.metadata_props
    assert not settled(found.model)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_the_witness_notices_one_weight_that_is_a_few_units_off(kind):
    """A weight of the collapsed network that is 16 units in the last place off, where two are allowed of an output."""
    model, found = TRAPS["linear_mlp"].model(kind), collapsed("linear_mlp", kind)
    wrong = found.to_onnx()
    stored = next(one for one in wrong.graph.initializer if len(one.dims) == 2)
    weights = onnx.numpy_helper.to_array(stored).astype(float)
    unit = float(ml_dtypes.finfo(onnx.numpy_helper.to_array(stored).dtype).eps)
    largest = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    weights[largest] *= 1 + 16 * unit
    array = weights.astype(onnx.numpy_helper.to_array(stored).dtype)
    stored.CopyFrom(onnx.numpy_helper.from_array(array, stored.name))
    with pytest.raises(AssertionError):
        assert_agree(model, wrong, shapes(model, TRAPS["linear_mlp"]))
