"""Networks to collapse, as compact PyTorch definitions with statistics of their own data, and their hand-merged forms.

A file here holds networks: functions with `@case` that build one (see `case`). A block whose authors merge it by hand
before deployment has a method `merged` that does so, in the type of its weights (see `merging`).
"""
