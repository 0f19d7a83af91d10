"""The README does what it says: every command in it runs, every example, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import unbend
from unbend.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
LINES = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
COMMANDS = [line for line in LINES if line.startswith("unbend ") and "|" not in line]
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which both demos that the README speaks of have been run."""
    folder = tmp_path_factory.mktemp("readme")
    for case in ("diabetes", "terrain"):
        unbend.demo(case, folder / "unbend-demo" / case)
    return folder


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run_as_written(line, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out.strip()


def test_every_verb_is_shown():
    from unbend.cli import unbend as group

    shown = {re.split(r"[ )]", line.partition("unbend ")[2])[0] for line in LINES if "unbend " in line}
    assert shown == set(group.commands)


def test_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    wanted = set(re.findall(r"(?:\$ |`)make ([a-z-]+)", text))
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"demo", "test", "lint"} <= wanted <= targets


def test_python_runs_as_written(tmp_path, monkeypatch):
    """One block after the other, in one folder: later ones read what earlier ones wrote."""
    monkeypatch.chdir(tmp_path)
    for code in PYTHON:
        exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
