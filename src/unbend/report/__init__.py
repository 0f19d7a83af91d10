"""The report of `examine`: the Answer, and the sections that show it."""

from unbend.report.answer import Answer

__all__ = ["Answer"]
