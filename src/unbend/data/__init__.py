"""Tables: rows in blocks from any source, coded for a regression, in constant memory where the format allows."""

from unbend.data.coding import Coding, Term
from unbend.data.naming import column_name, column_names
from unbend.data.opening import open_table
from unbend.data.source import Source, open_source, source
from unbend.data.table import Rows, Table

__all__ = [
    "Coding",
    "Rows",
    "Source",
    "Table",
    "Term",
    "column_name",
    "column_names",
    "open_source",
    "open_table",
    "source",
]
