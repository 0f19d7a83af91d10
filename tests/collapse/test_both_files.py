"""A network and its certificate: both are written, or neither."""

import errno
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_graphs import Graph, a

import unbend.network.run
from unbend.cli.collapsing import save
from unbend.collapse import collapse
from unbend.errors import UsageError
from unbend.output import all_or_none
from unbend.verify import verify


@pytest.fixture
def original(tmp_path):
    graph = Graph("N", 4)
    path = tmp_path / "in" / "model.onnx"
    path.parent.mkdir()
    onnx.save(graph.model(graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 3))), path)
    return str(path)


@pytest.fixture
def no_room(monkeypatch):
    def write_text(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_text)


def test_no_room_for_the_certificate_leaves_neither(original, tmp_path, no_room):
    with pytest.raises(UsageError, match="No space left on device"):
        save(collapse(original), tmp_path / "out.onnx", None, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_was_there_before_is_there_again(original, tmp_path, monkeypatch):
    found = collapse(original)
    out = tmp_path / "out.onnx"
    save(found, out, None, force=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert sorted(before) == ["out.certificate.json", "out.onnx"]

    def fails(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "write_text", fails)
    with pytest.raises(OSError, match="Input/output"):
        save(found, out, None, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_certificate_that_cannot_be_opened_leaves_no_network(original, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="cannot write"):
        save(collapse(original), tmp_path / "out.onnx", tmp_path / "file" / "c.json", force=False)
    assert not (tmp_path / "out.onnx").exists()


def test_a_missing_folder_for_the_certificate_leaves_no_network(original, tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        save(collapse(original), tmp_path / "out.onnx", tmp_path / "missing" / "c.json", force=False)
    assert not (tmp_path / "out.onnx").exists()


def test_all_or_none_copies_where_there_are_no_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    with pytest.raises(ZeroDivisionError), all_or_none(old, new):
        _write_both(old, new)
    assert old.read_text() == "old"
    assert not new.exists()


def _write_both(old, new):
    old.write_text("changed")
    new.write_text("new")
    raise ZeroDivisionError


def test_a_model_that_is_too_large_to_be_run_says_so(monkeypatch):
    graph = Graph("N", 4)
    value = graph("Relu", graph("MatMul", graph("MatMul", "x", a(4, 6)), a(6, 200)))
    model = graph.model(graph("MatMul", graph("MatMul", value, a(200, 8)), np.ones((8, 2))))
    largest = unbend.network.run.MAX_MODEL
    monkeypatch.setattr(unbend.network.run, "MAX_MODEL", 7000)
    found = collapse(model)
    assert largest > 7000
    assert found.changed
    assert not found.certificate.evidence.whole
    text = " ".join(str(found).split())
    assert "The network as a whole was not run: graph has 0.0 GB of numbers, too many to be run whole" in text
    assert "runs all of its ops" not in text


def test_from_python_too_the_certificate_is_written_beside(original, tmp_path):
    found = collapse(original)
    found.save(tmp_path / "model.small.onnx")
    assert verify(original, tmp_path / "model.small.onnx", tmp_path / "model.small.certificate.json").holds
    found.save(tmp_path / "other.onnx", certificate=tmp_path / "c.json")
    assert verify(original, tmp_path / "other.onnx", tmp_path / "c.json").holds
    with pytest.raises(UsageError, match="cannot both be"):
        found.save(tmp_path / "one", certificate=tmp_path / "one")


def test_a_missing_folder_is_said_of_the_file_that_was_named(original, tmp_path):
    with pytest.raises(UsageError, match=r"cannot write .*missing/s\.onnx: No such file"):
        save(collapse(original), tmp_path / "missing" / "s.onnx", None, force=False)
