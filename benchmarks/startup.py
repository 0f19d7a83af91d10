"""How long it takes until something happens."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Contest, Task, benchmark


def _python(*arguments: str) -> Task:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


@benchmark("`unbend --help` in a new process, beside an empty Python and the import of the usual packages.", rounds=9)
def startup(contest: Contest) -> None:
    """`--help` must not load what it does not need."""

    @contest.contender("unbend", "unbend", "click")
    def _ours() -> Task:
        return _python("-m", "unbend", "--help")

    @contest.contender("python, nothing imported")
    def _nothing() -> Task:
        return _python("-c", "pass")

    @contest.contender("import numpy", "numpy")
    def _numpy() -> Task:
        return _python("-c", "import numpy")

    @contest.contender("import onnxruntime", "onnxruntime")
    def _onnxruntime() -> Task:
        return _python("-c", "import onnxruntime")

    @contest.contender("import statsmodels.api", "statsmodels")
    def _statsmodels() -> Task:
        import statsmodels.api  # noqa: F401  a missing peer is to be named before it is measured

        return _python("-c", "import statsmodels.api")
