"""What holds for the op table as a whole."""

import pkgutil
import re

import op_contract
import pytest

from unbend.network import ops
from unbend.network.graph import Node
from unbend.network.local import Unsupported


def test_every_entry_has_an_example():
    covered = {(example.domain, example.op_type) for example in op_contract.every_example()}
    assert set(ops.table()) - covered == set()


def test_every_file_registers_something():
    files = {module.name for module in pkgutil.iter_modules(ops.__path__)}
    assert files == {entry.family for entry in ops.table().values()}


def test_every_entry_says_its_formula_and_what_it_was_checked_against():
    for entry in ops.table().values():
        text = entry.function.__doc__ or ""
        assert "y = " in text or "y_" in text, entry.name
        assert re.search(r"Checked against: onnx(\.reference|runtime)", text), entry.name


def test_an_unknown_op_is_a_bend_and_is_named():
    node = Node("Frobnicate", "org.example", 1, "f", ("x",), ("y",))
    assert ops.reach_of(node, (0,)) == "point"
    with pytest.raises(Unsupported, match=r"does not know the op org\.example\.Frobnicate"):
        ops.local(node, [])
