"""Writing files: whole or not at all, never over an input, and over nothing that somebody else made.

A file is written beside its destination under a temporary name and then takes its place in one step, so a reader never
sees half of it, and an error leaves nothing behind.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from unbend.errors import UsageError

HEAD = 4096
"""How much of a file is read to see who made it: the marks below stand at the beginning."""

MARKS = (b'name="generator" content="unbend', b"\x12\x06unbend", b'{\n  "verb": "', b"unbend_fit.npy")
"""In a page its generator; in an ONNX file the field producer_name; in JSON the key that every result begins with; in a
saved fit the array that comes first."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

LAST_MARK = b"unbend.collapsed"
"""At the end of an ONNX file that was collapsed, among its metadata."""

ROWS_MARK = "unbend.rows"
"""Among the metadata of rows that were written: at the beginning of an Arrow file, at the end of a Parquet file."""

ROWS_HEADER = b'"row","prediction"'
"""What a CSV file of such rows begins with: it has no place for a mark."""


@contextmanager
def replacing(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, for the block to write; it becomes `path` when the block ends without an error.

    Raises
    ------
    UsageError
        If `path` is one of `inputs`, if its folder is not there or cannot be written, if there is no room for it, or if
        it is a file that unbend did not make and `force` is not set.
    """
    path = Path(path)
    refuse(path, inputs=inputs, force=force)
    with _folder_for(path) as folder:
        draft = folder / path.name
        try:
            yield draft
        except OSError as error:
            if error.errno in NO_ROOM:
                raise _no_room(path, error) from error
            raise
        draft.replace(path)


@contextmanager
def all_or_none(*paths: Path) -> Iterator[None]:
    """If the block ends with an error, each of the paths is again what it was before: the same file, or none."""
    with ExitStack() as stack:
        kept = {path: stack.enter_context(_folder_for(path)) / path.name for path in paths if path.is_file()}
        for path, copy in kept.items():
            _link(path, copy)
        try:
            yield
        except BaseException:
            for path in paths:
                if path in kept:
                    kept[path].replace(path)
                elif path.is_file():
                    path.unlink()
            raise


def _link(path: Path, copy: Path) -> None:
    """The same file under another name; a copy where the file system knows no second names."""
    try:
        copy.hardlink_to(path)
    except OSError:
        shutil.copy2(path, copy)


def _no_room(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write {path}: {error.strerror}",
        where=f"the folder is {path.parent.resolve()}; nothing was written",
        try_="make room there, or write to another folder",
    )


def write(path: str | Path, content: str | bytes, *, inputs: Iterable[str | Path] = (), force: bool = False) -> Path:
    """Write `content` to `path`, whole or not at all; see `replacing`."""
    with replacing(path, inputs=inputs, force=force) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def made_by_unbend(path: Path) -> bool:
    """Whether the file is a page, a network, a JSON file or a file of rows that unbend wrote."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(path.stat().st_size - HEAD, 0))
        tail = file.read()
    rows = ROWS_MARK.encode() in head + tail or head.startswith(ROWS_HEADER)
    return rows or any(mark in head for mark in MARKS) or LAST_MARK in tail


def refuse(path: Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise UsageError if `path` may not be written; see `replacing`."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file to write", try_="name a file in it")
    if not path.exists():
        return
    if not path.is_file():
        raise UsageError(f"{path} is a device or a pipe, not a file to write", try_="name a file")
    if any(Path(name).exists() and path.samefile(name) for name in inputs):
        raise UsageError(f"{path} is an input, and an input is never overwritten", try_="write to another file")
    if not force and path.stat().st_size and not made_by_unbend(path):
        raise UsageError(
            f"{path} is there already, and unbend did not make it",
            try_="write to another file\nor overwrite it: add --force",
        )


def ready(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise UsageError if `path` cannot be written, before there is anything to write; see `replacing`."""
    refuse(Path(path), inputs=inputs, force=force)
    with _folder_for(Path(path)):
        pass


@contextmanager
def _folder_for(path: Path) -> Iterator[Path]:
    """A temporary folder on the file system of `path`, removed with all that is still in it."""
    try:
        holder = tempfile.TemporaryDirectory(prefix=".unbend-", dir=path.parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}",
            where=f"the folder is {path.parent.resolve()}",
            try_="name a file in a folder that is there and that you may write to",
        ) from error
    with holder as folder:
        yield Path(folder)
