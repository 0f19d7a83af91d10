"""The assumptions of a linear regression, each with a verdict that rests on the consequence for the intervals."""

from unbend.checks.answer import Checks
from unbend.checks.table import Accumulator, Entry, entries
from unbend.checks.verb import check, check_table
from unbend.checks.verdict import Check, Verdict

__all__ = ["Accumulator", "Check", "Checks", "Entry", "Verdict", "check", "check_table", "entries"]
