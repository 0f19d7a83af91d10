"""Frames in memory: whatever narwhals reads as one (pandas, polars, pyarrow …), and columns in a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import pyarrow as pa

from unbend.data.source import ArrowTable, Source, refuse_same_names, source, unreadable_as_data_error


def is_frame(data: Any) -> bool:
    """Whether `data` is an eager frame or a batch of one."""
    return isinstance(data, (pa.RecordBatch, nw.DataFrame)) or nw.dependencies.is_into_dataframe(data)


@source(accepts=lambda data: isinstance(data, Mapping))
def open_columns(data: Mapping[Any, Any]) -> Source:
    """Take a dict of columns: a name and its values each."""
    advice = "give each name a list or an array of values, all of one length"
    with unreadable_as_data_error("the dict", "a table of columns", advice):
        return ArrowTable("dict of columns", pa.table({str(name): pa.array(data[name]) for name in data}))


@source(accepts=is_frame)
def open_frame(data: Any) -> Source:
    """Take a frame as it is; a pandas index is not a column."""
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return ArrowTable("pyarrow Table", data)
    name = f"{type(data).__module__.split('.')[0]} DataFrame"
    refuse_same_names(name, list(data.columns))
    with unreadable_as_data_error(name, "a table", "check that each column holds values of one kind"):
        frame = nw.maybe_reset_index(nw.from_native(data, eager_only=True, pass_through=False))
        table = frame.to_arrow()
    return ArrowTable(name, table.replace_schema_metadata(None))
