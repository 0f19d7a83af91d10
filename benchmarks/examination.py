"""The whole answer: no peer gives it, so the figure stands alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import Contest, Task, benchmark


@benchmark("`examine` on the demo's network and data (442 rows × 10 columns), imports not counted.", rounds=3)
def examine(contest: Contest) -> None:
    """From an ONNX file and a CSV to the report."""

    @contest.contender("unbend", "unbend", "onnxruntime", "scikit-learn")
    def _ours() -> Task:
        from unbend import demo
        from unbend import examine as verb

        left = demo("diabetes", Path(tempfile.mkdtemp(prefix="unbend-benchmark-"), "diabetes"))
        return lambda: str(verb(left.model, left.data, left.answer.target, holdout_column="held_out"))
