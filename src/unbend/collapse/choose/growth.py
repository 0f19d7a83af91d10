"""Where the network may store more numbers: forms that save many multiplications for few numbers more.

All growth together stays within a share of the network's own numbers, unless the user allows any. The forms are taken
in the order of what they save for each number that they add, so that the same file gives the same network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from unbend.collapse.choose.sharing import numbers
from unbend.collapse.reduce.steps import Price
from unbend.collapse.write.rewrite import Plan, plan
from unbend.network import Network

GROWTH = 0.1
"""The numbers of a network may grow by this share."""


def grown(network: Network, plans: Sequence[Plan], *, allow_growth: bool = False) -> list[Plan]:
    """The plans, those with more numbers among them that are worth it and that there is room for."""
    found = list(plans)
    left = room(network, plans, allow_growth=allow_growth)
    tried = {one: plan(network, replace(one.stretch, growth=True)) for one in plans if one.tempting}
    better = [one for one, other in tried.items() if other.collapses and _now(other) < _now(one)]
    for one in sorted(better, key=lambda one: _saved_for_each(one, tried[one]), reverse=True):
        more = _added(tried[one]) - _added(one)
        if more <= left:
            found[found.index(one)] = tried[one]
            left -= more
    return found


def room(network: Network, plans: Sequence[Plan], *, allow_growth: bool = False) -> float:
    """How many more numbers the network may store than it does with these plans."""
    return inf if allow_growth else (1 + GROWTH) * network.parameters - numbers(network, plans)


def _now(one: Plan) -> Price:
    return one.after if one.collapses else one.before


def _added(one: Plan) -> int:
    """How many more numbers the stretch stores than it did."""
    return _now(one).parameters - one.before.parameters


def _saved_for_each(one: Plan, other: Plan) -> float:
    """How many multiplications another plan saves for each number that it adds."""
    return (_now(one).macs - _now(other).macs) / max(1, _added(other) - _added(one))
