"""Large arrays in a file that has no name, mapped into memory: what is not in use is handed back to the system.

A network's numbers are read now and then, one stretch at a time, while programs that run it hold copies of their own.
Where the system cannot keep room for such a file, arrays stay where they are.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock
from weakref import WeakSet

import numpy as np

LARGE = 1 << 16
"""Arrays of fewer bytes stay in memory (64 KiB)."""

CHUNK = 1 << 24
"""So many bytes are mapped at once, more where one array is larger (16 MiB); the first of them are fewer."""

FIRST = 1 << 20

ENOUGH = 1 << 23
"""So many bytes are read of mapped arrays before they are handed back (8 MiB)."""

LINE = 64
"""Arrays begin at a multiple of this."""

_MAPS: WeakSet[mmap.mmap] = WeakSet()
"""Every map that some array still lies in."""


class Pages:
    """Room for arrays in a file; it lasts as long as any array in it. Threads may share it, and so may forks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._map: mmap.mmap | None = None
        self._used = 0
        self._next = FIRST
        self._owner = 0

    def keep(self, array: np.ndarray) -> np.ndarray:
        """The same numbers in the same order, in the file; the array itself if it is small, or there is no room."""
        if array.nbytes < LARGE or not (array.flags.c_contiguous or array.flags.f_contiguous):
            return array
        if not array.flags.c_contiguous:
            return self.keep(array.T).T
        try:
            room = self._room(array.nbytes)
        except (OSError, AttributeError, ValueError):
            return array
        kept = room.view(array.dtype).reshape(array.shape)
        np.copyto(kept, array)
        kept.flags.writeable = False
        let_go(kept.nbytes)
        return kept

    def _room(self, size: int) -> np.ndarray:
        """So many bytes of a map."""
        with self._lock:
            if self._map is None or self._used + size > len(self._map) or self._owner != os.getpid():
                self._map, self._used, self._owner = _mapped(max(size, self._next)), 0, os.getpid()
                self._next = min(2 * self._next, CHUNK)
            start = self._used
            self._used += -(-size // LINE) * LINE
            return np.frombuffer(self._map, np.uint8, size, start)


PAGES = Pages()
"""Where the numbers of networks are."""


def _mapped(size: int) -> mmap.mmap:
    """A map of a new file, for which the system has put the room aside."""
    with tempfile.TemporaryFile(prefix="unbend-") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        made = mmap.mmap(file.fileno(), size)
    _MAPS.add(made)
    return made


def of_file(path: Path) -> np.ndarray:
    """The bytes of a file."""
    with path.open("rb") as file:
        made = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _MAPS.add(made)
    return np.frombuffer(made, np.uint8)


class _Reading:
    """How many bytes were read since mapped arrays were handed back last."""

    count = 0


def let_go(read: int = ENOUGH) -> None:
    """Hand mapped arrays back to the system, which brings them again, once enough was `read` of them."""
    _Reading.count += read
    if _Reading.count < ENOUGH:
        return
    _Reading.count = 0
    for each in list(_MAPS):
        with suppress(OSError, ValueError, AttributeError):
            each.madvise(mmap.MADV_DONTNEED)


def give_back() -> None:
    """Hand back mapped arrays, and memory that is free where the C library keeps it for later (glibc)."""
    let_go()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
