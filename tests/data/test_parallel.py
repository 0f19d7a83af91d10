"""Work on blocks by several cores: in order, in constant memory, and with the sum that one core gives."""

import threading
import time

import numpy as np
import pytest

from unbend.data import open_table
from unbend.data.parallel import LIMITS, added, cores, mapped
from unbend.regression.columns import column_moments
from unbend.regression.moments import Moments


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order(workers: int) -> None:
    def slower_first(i: int) -> int:
        time.sleep(0.002 * (10 - i))
        return i

    assert list(mapped(slower_first, range(10), workers)) == list(range(10))


def test_items_are_read_only_as_far_ahead_as_there_are_cores() -> None:
    read, ahead = [], []
    for done, _ in enumerate(mapped(lambda i: i, (read.append(i) or i for i in range(50)), 3)):
        ahead.append(len(read) - done)
    assert max(ahead) <= 4


def test_an_error_of_a_worker_is_raised_and_ends_the_work() -> None:
    def fails(i: int) -> float:
        return 1 / (i - 5)

    with pytest.raises(ZeroDivisionError):
        list(mapped(fails, range(10**9), 2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("unbend")]


def test_the_sum_does_not_depend_on_the_number_of_workers() -> None:
    rng = np.random.default_rng(0)
    blocks = [list(rng.normal(1e6, 1.0, (5, 3000))) for _ in range(20)]
    one, three = (added(column_moments, blocks, workers) for workers in (1, 3))
    assert one is not None
    assert three is not None
    np.testing.assert_array_equal(one.products, three.products)
    np.testing.assert_array_equal(one.sums, three.sums)
    np.testing.assert_allclose(one.centred, Moments.of(np.hstack(blocks).T).centred, rtol=1e-12, atol=1e-9)


def test_moments_hold_nothing_of_the_memory_that_the_next_block_takes() -> None:
    rng = np.random.default_rng(0)
    for rows in (1, 3000):
        found = column_moments(list(rng.normal(size=(5, rows))))
        kept = [np.copy(part) for part in (found.shift, found.sums, found.products)]
        column_moments([np.full(3000, np.nan)] * 5)  # the same thread's, so the same memory
        for part, before in zip((found.shift, found.sums, found.products), kept, strict=True):
            np.testing.assert_array_equal(part, before)


def test_nothing_to_add() -> None:
    assert added(column_moments, []) is None


def test_fewer_cores_are_used_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    every = cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert 1 == cores() <= every
    monkeypatch.setenv("OMP_NUM_THREADS", "1000")
    assert cores() == every


def test_moments_are_gathered_while_columns_are_surveyed() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(1e7, 2.0, (70_000, 4))
    x[::11, 1] = np.nan
    data = {"a": x[:, 0], "same": np.ones(70_000), "b": x[:, 1], "half": np.ones(70_000), "y": x[:, 2] + x[:, 0]}
    table = open_table(data, "y", gather=column_moments)
    assert table.gathered is not None
    rows = table.load()
    expected = Moments.of(np.column_stack([rows.x, rows.y]))
    gathered = table.gathered.total.of_columns(table.gathered.columns)
    assert (gathered.n, table.names) == (expected.n, ("a", "b"))
    np.testing.assert_allclose(gathered.mean, expected.mean, rtol=1e-15)
    np.testing.assert_allclose(gathered.centred, expected.centred, rtol=1e-12, atol=1e-8)


def test_nothing_is_gathered_where_columns_are_text() -> None:
    data = {"a": [1.0, 2.0, 3.0, 4.0], "b": ["x", "y", "x", "y"], "y": [1.0, 2.0, 3.0, 5.0]}
    assert open_table(data, "y", gather=column_moments).gathered is None
    assert open_table(data, "y", exclude=["b"], gather=column_moments).gathered is not None
    assert open_table(data, "y", exclude=["b"]).gathered is None


class Terms(tuple[int, ...]):
    """What was added, in which order."""

    def __add__(self, other: tuple) -> "Terms":
        return Terms((*self, *other))


@pytest.mark.parametrize("blocks", [1, 2, 64, 65, 66, 129, 200])
def test_all_parts_are_added_in_order(blocks: int) -> None:
    assert added(lambda i, first: Terms((i,)), range(blocks), 1) == tuple(range(blocks))


def test_thousands_of_blocks_cost_no_digits() -> None:
    tenth = np.float64(0.1)
    total = added(lambda i, first: tenth, range(100_000), 1)
    assert total == pytest.approx(10_000, rel=1e-13)
