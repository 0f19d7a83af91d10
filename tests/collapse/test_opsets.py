"""Every opset from 7 to the newest: what is collapsed in it stays in it, and computes the same."""

import zlib

import onnx
import pytest
from opsets import NEWEST, in_opset
from test_traps import UNINFERRED, shapes
from trap_graphs import TRAPS
from witness import assert_agree, assert_kept

from unbend.collapse import collapse
from unbend.verify import verify

OLDEST = 7
OLD = range(OLDEST, 13)
NEW = range(13, NEWEST + 1)

ALONE = {"op_of_an_unknown_domain", "one_name_for_every_node", "rows_along_the_second_axis"}
ALONE |= {"mean_variance_normalization"}
"""Traps that onnxruntime, or onnx's checker at its strictest, takes in no opset."""


def _existing(name, opsets):
    """The trap in an opset in which it exists, every trap in another one; None if there is none."""
    model, start = TRAPS[name].model("float32"), zlib.crc32(name.encode()) % len(opsets)
    turned = (*opsets[start:], *opsets[:start])
    return next((one for opset in turned if (one := in_opset(model, opset)) is not None), None)


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name, tmp_path):
    models = [one for opsets in (OLD, NEW) if (one := _existing(name, opsets)) is not None]
    assert models or name in ALONE
    for model in models:
        onnx.save(model, tmp_path / "a.onnx")
        found = collapse(tmp_path / "a.onnx")
        assert found.after.heavy == TRAPS[name].answers["float32"]
        smaller = onnx.load(found.save(tmp_path / "b.onnx"))
        onnx.checker.check_model(smaller, full_check=name not in UNINFERRED)
        assert list(smaller.opset_import) == list(model.opset_import)
        assert smaller.ir_version == max(model.ir_version, 4)
        assert_kept(model, smaller)
        assert_agree(model, smaller, shapes(model, TRAPS[name]))
        assert verify(tmp_path / "a.onnx", tmp_path / "b.onnx").holds
        assert not collapse(smaller).changed


def test_most_traps_exist_in_old_opsets():
    some = list(TRAPS)[::8]
    assert sum(in_opset(TRAPS[name].model("float32"), OLDEST) is not None for name in some) > len(some) / 2
