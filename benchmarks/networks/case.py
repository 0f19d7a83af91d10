"""The table of networks: a name, the shape of a row, and a function that builds the module."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

BATCHES = 3
BATCH = 8


@dataclass(frozen=True)
class Case:
    """A network of the benchmark. `shape` is one row's; `trap` says that collapsing further may well not pay.

    Rows are standard normal, or, for a network that normalizes `images` itself, uniform between 0 and 255. So many
    rows are run `together` when it is timed. One that is `free` is exported for any height and width.
    """

    name: str
    shape: tuple[int, ...]
    build: Callable[[], nn.Module]
    trap: bool = False
    images: bool = False
    together: int = 1
    free: bool = False

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return "".join(one if one.isalnum() else "-" for one in self.name.lower())

    def rows(self, count: int, seed: int = 1) -> torch.Tensor:
        """Rows of random input."""
        generator = torch.Generator().manual_seed(seed)
        if self.images:
            return torch.rand((count, *self.shape), generator=generator) * 255
        return torch.randn((count, *self.shape), generator=generator)

    def module(self) -> nn.Module:
        """The network with random weights; its BatchNormalization statistics are those of random rows."""
        torch.manual_seed(0)
        module = self.build()
        calibrate(module, [self.rows(BATCH, seed) for seed in range(10, 10 + BATCHES)])
        return module.eval()


CASES: list[Case] = []


def case(
    name: str, *shape: int, trap: bool = False, images: bool = False, together: int = 1, free: bool = False
) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Register a function that builds the network `name`, whose rows have this shape."""

    def register(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        CASES.append(Case(name, shape, build, trap, images, together, free))
        return build

    return register


def cases() -> list[Case]:
    """All networks, in the order of their names."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return sorted(CASES, key=lambda one: one.name)


@torch.no_grad()
def calibrate(module: nn.Module, batches: list[torch.Tensor]) -> None:
    """Random scales and shifts for every BatchNormalization, and the statistics of these batches."""
    norms = [one for one in module.modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
        norm.reset_running_stats()
        norm.momentum = None
    module.train()
    for batch in batches:
        module(batch)
