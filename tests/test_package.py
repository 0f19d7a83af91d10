"""What belongs to the package as a whole: imports, public names, docstrings, and the tables' own files."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import unbend

ROOT = Path(unbend.__file__).parent
PROJECT = Path(__file__).parents[1]
OPTIONAL = {"torch", "onnxscript", "dask", "formulaic"}
WITH_TORCH = ROOT / "network" / "to_torch"
"""The modules here write for torch, and are imported when it is there and asked for; the package itself is not one."""


def modules() -> list[str]:
    """Every module of the package, from its files: a folder without an `__init__.py` would be missed otherwise."""
    parts = [path.relative_to(ROOT.parent).with_suffix("").parts for path in sorted(ROOT.rglob("*.py"))]
    names = [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]
    return [name for name in names if not name.endswith("__main__")]


def loaded(name: str) -> types.ModuleType:
    if name.startswith("unbend.network.to_torch."):
        pytest.importorskip("torch")
    return importlib.import_module(name)


@pytest.mark.parametrize("name", modules())
def test_every_module_imports_and_says_its_idea(name):
    module = loaded(name)
    assert module.__doc__, f"{name} has no docstring"
    assert len(module.__doc__.strip().splitlines()) <= 20, f"{name} explains its idea in more than twenty lines"


def test_the_walk_finds_every_module():
    compiled = {"unbend.exact._passes"}
    found = {info.name for info in pkgutil.walk_packages(unbend.__path__, "unbend.")} - compiled
    assert {name for name in modules() if name != "unbend"} == {name for name in found if not name.endswith("__main__")}


def test_import_loads_nothing():
    code = "import sys, unbend; print(sorted(name for name in sys.modules if name.partition('.')[0] in {heavy!r}))"
    heavy = {"numpy", "scipy", "onnx", "onnx_ir", "onnxruntime", "pyarrow", "sklearn", "matplotlib", "click", "rich"}
    done = subprocess.run([sys.executable, "-c", code.format(heavy=heavy)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("order", ["import unbend.{home}", "pass"])
@pytest.mark.parametrize("verb", ["collapse", "compare", "bends", "demo", "examine"])
def test_a_verb_is_a_function_whatever_was_imported_before(verb, order):
    code = f"import unbend; {order.format(home=verb)}; print(type(unbend.{verb}).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "function\n", done.stderr


def test_public_names_are_what_they_say():
    assert sorted(unbend.__all__) == unbend.__all__
    assert set(unbend.__all__) == set(unbend._HOME)
    assert set(unbend.__all__) <= set(dir(unbend))
    for name in unbend.__all__:
        assert getattr(unbend, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'unfold'"):
        _ = unbend.unfold


def test_type_checkers_see_the_same_public_names():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    seen = {
        (alias.name, node.module)
        for node in imported
        for alias in node.names
        if (node.module or "").startswith("unbend")
    }
    assert seen == set(unbend._HOME.items())


@pytest.mark.parametrize("name", [name for name in modules() if (ROOT.parent / name.replace(".", "/")).is_dir()])
def test_what_a_package_offers_is_there(name):
    package = importlib.import_module(name)
    for offered in getattr(package, "__all__", ()):
        assert hasattr(package, offered), f"{name} offers {offered} and has no such name"


@pytest.mark.parametrize("name", modules())
def test_everything_public_has_a_docstring(name):
    module = loaded(name)
    bare = [where for where, thing in _public(module) if not inspect.getdoc(thing)]
    assert bare == []


def _public(module: types.ModuleType):
    """The public functions, classes and methods that this module defines."""
    for name, thing in vars(module).items():
        if (
            name.startswith("_")
            or getattr(thing, "__module__", None) != module.__name__
            or getattr(thing, "__name__", "") != name
        ):
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield f"{module.__name__}.{name}", thing
        if inspect.isclass(thing):
            for part, method in vars(thing).items():
                if not part.startswith("_") and (inspect.isfunction(method) or isinstance(method, property)):
                    yield f"{module.__name__}.{name}.{part}", method


def test_errors_are_documented_with_their_exit_code():
    from unbend import errors

    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    tree = errors.__doc__ or ""
    for kind in kinds:
        assert kind.__name__ in tree
    assert {kind.exit_code for kind in kinds} == {1, 2, 3, 4}


def test_imports_run_one_way():
    pytest.importorskip("importlinter", reason="import-linter is in the dependency group lint")
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_optional_packages_are_imported_only_where_they_are_needed():
    for path in ROOT.rglob("*.py"):
        top = ast.parse(path.read_text(encoding="utf-8")).body
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        allowed = {"torch"} if path.parent == WITH_TORCH and path.name != "__init__.py" else set()
        assert {name.partition(".")[0] for name in names} & OPTIONAL <= allowed, path


def test_torch_is_imported_only_where_it_is_asked_for():
    code = "import sys, unbend.collapse, unbend.network.to_torch; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# The tables find their own files: a file that registers nothing is a file that nobody will ever call.


def _files(package: str) -> set[str]:
    return {info.name for info in pkgutil.iter_modules(importlib.import_module(package).__path__)}


def test_every_file_of_ops_registers_an_op():
    from unbend.network.ops import table

    assert {op.family for op in table().values()} == _files("unbend.network.ops")


def test_every_file_of_sources_registers_a_source():
    from unbend.data.source import openers

    assert {opener.open.__module__.rpartition(".")[2] for opener in openers()} == _files("unbend.data.sources")


def test_one_file_a_check():
    from unbend.checks.table import entries

    files = [entry.kind.__module__ for entry in entries()]
    assert len(files) >= 5
    assert len(files) == len(set(files))


def test_every_file_of_the_report_registers_a_section():
    from unbend.report.sections import NOT_SECTIONS, table

    files = _files("unbend.report") - NOT_SECTIONS
    assert {entry.function.__module__.rpartition(".")[2] for entry in table()} == files
