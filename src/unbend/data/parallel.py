"""Blocks worked on by several cores, with the same result as on one: parts are added in the order of the blocks.

Blocks are read by one thread and handed to the others, never more of them at a time than there are cores to work on
them, so memory is constant. Each core has its own block, so BLAS works with one thread meanwhile: for the small
products of a block its own threads cost more than they give.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from itertools import islice
from typing import Any, Protocol, Self, TypeVar

from threadpoolctl import ThreadpoolController

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What people set to say how many cores a program may use."""


GROUP = 64
"""Parts that are added up before they are added to the rest, so that each goes through few roundings: with thousands of
blocks that saves most of a digit."""


class Addable(Protocol):
    """What parts of blocks can be."""

    def __add__(self, other: Self, /) -> Self:
        """Both together."""
        ...


Item = TypeVar("Item")
Part = TypeVar("Part")
Sum = TypeVar("Sum", bound=Addable)


def cores() -> int:
    """How many cores may be used: those that the system gives this process, or fewer if the environment says so."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = [int(value) for name in LIMITS if (value := os.environ.get(name, "")).isdecimal()]
    return max(1, min([given, *asked]))


def mapped(function: Callable[[Item], Part], items: Iterable[Item], workers: int | None = None) -> Iterator[Part]:
    """`function` of every item, in order, by as many threads as there are cores.

    >>> list(mapped(abs, [-3, 1, -2], workers=2))
    [3, 1, 2]
    """
    workers = cores() if workers is None else workers
    with _one_thread_each():
        if workers < 2:
            yield from map(function, items)
        else:
            yield from _by_threads(function, items, workers)


def _one_thread_each() -> AbstractContextManager[Any]:
    """Let BLAS work with one thread."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    """The libraries with threads of their own; looking for them takes milliseconds."""
    return ThreadpoolController()


def _by_threads(function: Callable[[Item], Part], items: Iterable[Item], workers: int) -> Iterator[Part]:
    """The thread that asks reads the items; the others work."""
    waiting: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(workers, "unbend") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def added(
    part: Callable[[Item, Sum | None], Sum],
    items: Iterable[Item],
    workers: int | None = None,
    first: Sum | None = None,
) -> Sum | None:
    """The sum of `part(item, first)` over all items, None if there are none.

    `first` is the part of the first item, which got None, unless it is given: from it the others know what all share.
    """
    rest = iter(items)
    beginning = list(islice(rest, 1))
    if not beginning:
        return None
    with _one_thread_each():
        total = part(beginning.pop(), first)
    first = total if first is None else first
    group, size = None, 0
    for other in mapped(lambda item: part(item, first), rest, workers):
        group, size = other if group is None else group + other, size + 1
        if size == GROUP:
            total, group, size = total + group, None, 0
    return total if group is None else total + group
