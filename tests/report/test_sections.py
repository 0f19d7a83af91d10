"""The contract of the section table: every file registers itself, sections only read the Answer."""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path

import pytest

import unbend.report
from unbend.report import sections
from unbend.report.sections import section, table

FILES = {module.name for module in pkgutil.iter_modules(unbend.report.__path__)} - sections.NOT_SECTIONS


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_registers_a_section(name):
    assert name in {entry.function.__module__.rpartition(".")[2] for entry in table()}


def test_sections_have_an_order_and_a_title_each():
    orders, titles = [entry.order for entry in table()], [entry.title for entry in table()]
    assert orders == sorted(set(orders))
    assert len(set(titles)) == len(titles)


def test_every_section_says_what_it_shows():
    assert all(entry.function.__doc__ for entry in table())


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_section_computes_nothing(name):
    """It reads no data and runs no network: it imports neither readers nor runners."""
    source = Path(unbend.report.__path__[0], f"{name}.py").read_text(encoding="utf-8")
    modules = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.module}
    assert not {module for module in modules if module.startswith(("unbend.data", "unbend.network", "onnx", "sklearn"))}


def test_a_new_section_takes_its_place(monkeypatch):
    monkeypatch.setattr(sections, "_TABLE", list(table()))

    @section(35, "In between")
    def between(answer):
        """Between."""
        return []

    titles = [entry.title for entry in sorted(sections._TABLE, key=lambda entry: entry.order)]
    assert titles.index("In between") == [entry.order < 35 for entry in table()].count(True)
