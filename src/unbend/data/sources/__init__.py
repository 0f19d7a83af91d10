"""The source table: one file a kind of data (see `unbend.data.source`)."""
