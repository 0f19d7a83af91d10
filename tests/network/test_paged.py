"""Arrays in a file that is mapped into memory: the same numbers, whoever else writes, and whatever is handed back."""

import gc
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

from unbend.network import paged
from unbend.network.paged import CHUNK, LARGE, Pages, give_back, let_go, of_file


def numbers(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, ml_dtypes.bfloat16])
def test_numbers_and_type_stay(dtype):
    array = (100 * numbers(LARGE)).astype(dtype).reshape(4, -1)
    kept = Pages().keep(array)
    assert kept.dtype == array.dtype
    assert not np.shares_memory(kept, array)
    give_back()
    np.testing.assert_array_equal(kept, array)


def test_the_order_in_memory_stays():
    array = np.asfortranarray(numbers(LARGE).reshape(256, -1))
    kept = Pages().keep(array)
    assert kept.flags.f_contiguous
    np.testing.assert_array_equal(kept, array)


def test_what_is_small_or_has_gaps_stays_where_it_is():
    small, gaps = numbers(8), numbers(2 * LARGE)[::2]
    assert Pages().keep(small) is small
    assert Pages().keep(gaps) is gaps


def test_nobody_can_write_to_them():
    with pytest.raises(ValueError, match="read-only"):
        Pages().keep(numbers(LARGE))[0] = 1.0


def test_arrays_of_several_files_do_not_meet():
    pages = Pages()
    arrays = [numbers(CHUNK // 20, seed) for seed in range(7)]
    kept = [pages.keep(one) for one in arrays]
    let_go()
    for one, other in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(one, other)


def test_threads_do_not_write_over_each_other():
    pages = Pages()
    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(lambda seed: pages.keep(np.full(LARGE, float(seed))), range(40)))
    assert [set(one.tolist()) for one in kept] == [{float(seed)} for seed in range(40)]


def _keep_in_child(pages: Pages, done) -> None:
    pages.keep(np.full(LARGE, -1.0))
    done.send(True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_does_not_write_over_its_parent():
    pages = Pages()
    first = pages.keep(np.full(LARGE, 1.0))
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    child = context.Process(target=_keep_in_child, args=(pages, sender))
    child.start()
    assert receiver.recv()
    child.join()
    second = pages.keep(np.full(LARGE, 2.0))
    assert (first == 1.0).all()
    assert (second == 2.0).all()


def test_without_room_arrays_stay_in_memory(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paged.os, "posix_fallocate", full, raising=False)
    array = numbers(LARGE)
    assert Pages().keep(array) is array


def test_maps_go_when_nobody_reads_them_any_more():
    pages = Pages()
    gc.collect()
    before = len(paged._MAPS)
    kept = pages.keep(numbers(LARGE))
    assert len(paged._MAPS) == before + 1
    del kept, pages
    gc.collect()
    assert len(paged._MAPS) == before


def test_the_bytes_of_a_file(tmp_path):
    array = numbers(LARGE)
    array.tofile(tmp_path / "numbers")
    found = of_file(tmp_path / "numbers").view(np.float64)
    let_go()
    np.testing.assert_array_equal(found, array)
