"""Pages under docs/ that a command makes are what the command prints now, and their examples run."""

from __future__ import annotations

import re
from pathlib import Path

from unbend.collapse import explain
from unbend.document import render_markdown

DOCS = Path(__file__).parents[1] / "docs"


def test_the_worked_example_is_what_explain_prints() -> None:
    written = (DOCS / "explain.md").read_text(encoding="utf-8")
    now = render_markdown(explain().document())
    assert written.strip() == now.strip(), "run: unbend explain --markdown > docs/explain.md"


def test_examples_of_regression_run(capsys) -> None:
    text = (DOCS / "regression.md").read_text(encoding="utf-8")
    exec("\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)), {})
    assert capsys.readouterr().out.startswith("(2, 3)")
