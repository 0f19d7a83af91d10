"""The command line: commands and options, the printing of results, and the one place where errors become text.

No arithmetic here: a command turns its options into one call of the verb of the same name.
"""

from unbend.cli.commands import unbend
from unbend.cli.run import main

__all__ = ["main", "unbend"]
