"""The stretches that are written: those whose collapsed forms hold together under the certificate.

All are tried at once; where that fails, halves of them are, until what fails is alone. A stretch whose numbers do not
fit into their type, that fails its certificate, or that would lose digits in half precision, is left as it was, and
says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from unbend import progress
from unbend.collapse.certify.certificate import Certificate, certify
from unbend.collapse.certify.half import half
from unbend.collapse.certify.precision import Digits
from unbend.collapse.choose.measured import Planner
from unbend.collapse.choose.sharing import STAYS, unfounded
from unbend.collapse.write.probes import scaler_nodes
from unbend.collapse.write.rewrite import Plan, rewrite
from unbend.collapse.write.write import Overflow
from unbend.errors import ModelError
from unbend.network import Network, check


@dataclass(frozen=True, eq=False)
class Written:
    """The rewritten model, what became of each plan, and the certificate; the network's own model where none holds."""

    model: ir.Model
    plans: tuple[Plan, ...]
    certificate: Certificate | None = None


def written(network: Network, plans: Sequence[Plan], planner: Planner) -> Written:
    """The model with those plans written that collapse and hold, and count on no numbers being gone that stay."""
    done = _written(network, plans, planner)
    while loose := unfounded(network, done.plans):
        plans = [replace(one, kept=STAYS) if one in loose else one for one in done.plans]
        done = _written(network, plans, planner)
    return done


def _written(network: Network, plans: Sequence[Plan], planner: Planner) -> Written:
    chosen = [one for one in plans if one.collapses]
    if not chosen:
        return Written(network.model, tuple(plans))
    found = _Holding(network, planner, Digits(network))
    found.add(chosen)
    settled = tuple(found.outcomes.get(one, one) for one in plans)
    if found.written is None:
        return Written(network.model, settled)
    model, certificate = found.written
    found.digits.note(model)
    return Written(model, settled, replace(certificate, half=half(found.digits, found.good)))


@dataclass(eq=False)
class _Holding:
    """Plans that hold together under the certificate, found by halving where all of them do not.

    `outcomes` says what became of each plan that was tried; `written` is the model of those that hold.
    """

    network: Network
    planner: Planner
    digits: Digits
    good: list[Plan] = field(default_factory=list)
    outcomes: dict[Plan, Plan] = field(default_factory=dict)
    written: tuple[ir.Model, Certificate] | None = None

    def add(self, plans: Sequence[Plan]) -> None:
        """Keep what holds of `plans` beside what holds already, and does not lose digits."""
        lost = self.digits.lost(plans, self.good)
        if plans := [one for one in plans if one not in lost]:
            self._add(plans)
        for one, reason in lost.items():
            self._without_scaler(one, reason)

    def _add(self, plans: Sequence[Plan]) -> None:
        outcome = _try(self.network, [*self.good, *plans])
        if not isinstance(outcome, str):
            self.good += plans
            self.written = outcome
        elif len(plans) > 1:
            middle = len(plans) // 2
            self._add(plans[:middle])
            self._add(plans[middle:])
        else:
            self._without_scaler(plans[0], outcome)

    def _without_scaler(self, one: Plan, reason: str) -> None:
        """The plan that leaves the scaler before the stretch alone, if that holds.

        A shift of columns with large means costs digits where it is folded into a product.
        """
        self.outcomes[one] = replace(one, kept=reason)
        if one.pieces:
            self._apart(one, reason)
            return
        other = self.planner(one.stretch, scalers) if (scalers := scaler_nodes(one.stretch)) else one
        if other is one or not other.collapses or self.digits.lost([other], self.good):
            return
        again = _try(self.network, [*self.good, other])
        if not isinstance(again, str):
            self.good.append(other)
            self.outcomes[one], self.written = other, again

    def _apart(self, one: Plan, reason: str) -> None:
        """The stretches that the plan joined, each for itself."""
        alone = [self.planner(piece.stretch, ()) for piece in one.pieces]
        if chosen := [piece for piece in alone if piece.collapses]:
            self.add(chosen)
        pieces = tuple(self.outcomes.get(piece, piece) for piece in alone)
        some = any(piece.collapses for piece in pieces)
        self.outcomes[one] = replace(one, kept="" if some else reason, pieces=pieces)


def _try(network: Network, chosen: Sequence[Plan]) -> tuple[ir.Model, Certificate] | str:
    """The model with these stretches rewritten and its certificate, or why that is refused."""
    progress.at(f"certifying {len(chosen)} stretches")
    try:
        model = rewrite(network, chosen)
        check(model, network.name)
        certificate = certify(network, model, chosen)
    except Overflow as reason:
        return str(reason)
    except ModelError as error:
        return f"its collapsed form cannot be certified ({' '.join(str(error).split())[:200]})"
    return (model, certificate) if certificate.holds else "its certificate failed"
