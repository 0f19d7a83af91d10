"""Writing files: whole or not at all, never over an input, over nothing that somebody else made."""

from __future__ import annotations

import errno
import os

import pytest

from unbend.errors import UsageError
from unbend.output import made_by_unbend, replacing, write


def test_writes_text_and_bytes(tmp_path):
    assert write(tmp_path / "a.txt", "größer").read_text(encoding="utf-8") == "größer"
    assert write(tmp_path / "b.bin", b"\x00\xff").read_bytes() == b"\x00\xff"


def test_an_error_leaves_nothing_behind(tmp_path):
    with pytest.raises(OSError, match="disk full"), replacing(tmp_path / "a.txt") as draft:
        _write_half(draft)
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said_and_leaves_nothing(tmp_path):
    with (
        pytest.raises(UsageError, match=r"cannot write .*a.txt: No space left on device"),
        replacing(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_device_or_a_pipe_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="device or a pipe"):
        write(pipe, "new", force=True)
    assert pipe.is_fifo()


def _write_half(path):
    path.write_text("half")
    raise OSError("disk full")


def test_an_error_leaves_the_old_file(tmp_path):
    path = write(tmp_path / "a.json", '{\n  "verb": "fit"\n}')
    with pytest.raises(ZeroDivisionError), replacing(path):
        raise ZeroDivisionError
    assert made_by_unbend(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        b'<!doctype html><meta name="generator" content="unbend 0.1.0">',
        b'{\n  "verb": "collapse"',
        b"\x08\x09\x12\x06unbend",
    ],
)
def test_its_own_files_are_replaced(content, tmp_path):
    path = write(tmp_path / "own", content)
    assert write(path, "new").read_text() == "new"


def test_an_empty_file_is_nobodys(tmp_path):
    path = tmp_path / "made-by-mktemp"
    path.touch()
    assert write(path, "new").read_text() == "new"


def test_a_file_of_somebody_else_needs_force(tmp_path):
    path = tmp_path / "a.html"
    path.write_text("<html>mine")
    with pytest.raises(UsageError, match="did not make it"):
        write(path, "new")
    assert write(path, "new", force=True).read_text() == "new"


def test_an_input_is_refused_even_with_force(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x")
    with pytest.raises(UsageError, match="never overwritten"):
        write(path, "new", inputs=[path], force=True)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        write(tmp_path, "new")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        write(tmp_path / "no" / "a.txt", "new")


def test_the_file_has_the_usual_permissions(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    assert write(tmp_path / "a.txt", "x").stat().st_mode == usual.stat().st_mode
