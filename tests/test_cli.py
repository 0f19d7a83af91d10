"""The command line without its verbs: options, output, files, errors, completion."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from unbend import errors
from unbend.cli import main
from unbend.cli import unbend as group
from unbend.document import Block, Column, Heading, Table
from unbend.result import Result

HEAVY = {
    "numpy",
    "scipy",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "pyarrow",
    "sklearn",
    "matplotlib",
    "torch",
    "rich",
    "jinja2",
}


@dataclass(frozen=True)
class Small(Result):
    verb: ClassVar[str] = "fit"
    slope: float
    ratio: float = float("nan")

    def document(self) -> list[Block]:
        return [Heading("Small"), Table([Column("term", "left"), Column("slope")], [["<age>", self.slope]])]


@pytest.fixture
def verb(monkeypatch):
    """Put a function in the place of a verb: `verb("unbend.regression", fit=…)`."""

    def replace(module: str, **functions):
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**functions))

    return replace


@pytest.fixture
def fits(verb):
    calls = []

    def fit(*args, **options):
        calls.append((args, options))
        return Small(2.5)

    verb("unbend.regression", fit=fit)
    return calls


@pytest.fixture
def fails(verb):
    """Let `unbend fit` fail with an error."""

    def with_error(error):
        def fit(*_, **__):
            raise error

        verb("unbend.regression", fit=fit)
        return main(["fit", "rows.csv", "--target", "y"])

    return with_error


def shell(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unbend", *args]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


# Start-up


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from unbend.cli import main; code = main(['--help']); "
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "examine" in done.stdout


def test_help_takes_less_than_three_tenths_of_a_second():
    best = min(_cpu_seconds_of_help() for _ in range(5))
    assert best < 0.3


def _cpu_seconds_of_help() -> float:
    before = os.times()
    assert shell("--help").returncode == 0
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_version():
    import unbend

    assert shell("--version").stdout == f"unbend, version {unbend.__version__}\n"


@pytest.mark.parametrize("name", list(group.commands))
def test_every_command_has_a_help(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: unbend {name}")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", [name for name in group.commands if name != "completion"])
def test_every_verb_prints_json_markdown_and_a_page(name):
    flags = {flag for param in group.commands[name].params for flag in param.opts}
    assert {"--json", "--markdown", "--force"} <= flags
    assert flags & {"--html", "--page"}


def test_commands_are_listed_in_the_order_of_use(capsys):
    main(["--help"])
    text = capsys.readouterr().out
    assert text.index("  examine ") < text.index("  collapse ") < text.index("  demo ") < text.index("  completion ")


def test_a_terminal_without_unicode_gets_the_help():
    done = shell("explain", "--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


# Options


def test_options_reach_the_verb(fits):
    line = "fit rows.csv --target y --degree 2 --ridge auto --collinear drop --exclude a --exclude b --level 0.9"
    assert main(line.split()) == 0
    expected = {"degree": 2, "ridge": "auto", "collinear": "drop", "exclude": ("a", "b"), "level": 0.9}
    expected |= {"covariance": "classical", "lags": None, "cluster": (), "order": None}
    expected |= {"save": None, "update": None, "force": False, "scheduler": None}
    expected |= {"weights": None, "intercept": True, "digits": False}
    [(given, options)] = fits
    assert given == ("rows.csv", "y")
    assert {name: options[name] for name in expected} == expected


def test_standard_errors_reach_the_verb(fits):
    assert main(["fit", "rows.csv", "--target", "y", "--covariance", "hac", "--lags", "3", "--order", "week"]) == 0
    assert main(["fit", "rows.csv", "--target", "y", "--cluster", "firm", "--cluster", "year"]) == 0
    hac, clustered = (options for _, options in fits)
    assert (hac["covariance"], hac["lags"], hac["order"]) == ("HAC", 3, "week")
    assert clustered["cluster"] == ("firm", "year")


def test_ridge_takes_a_number(fits):
    assert main(["fit", "rows.csv", "--target", "y", "--ridge", "0.5"]) == 0
    assert fits[0][1]["ridge"] == 0.5


HANDLED = {"as_json", "as_markdown", "as_latex", "page_file", "force", "output", "certificate", "check", "listing"} | {
    "verify",
    "files",
}
"""Options that the command line handles itself."""


@pytest.mark.parametrize("name", [name for name in group.commands if name != "completion"])
def test_every_option_is_a_parameter_of_the_verb(name):
    import unbend

    options = {param.name for param in group.commands[name].params} - HANDLED
    assert options <= set(inspect.signature(getattr(unbend, name)).parameters)


@pytest.mark.parametrize("value", ["much", "-1", "inf", "nan"])
def test_ridge_refuses_what_is_no_strength(value, capsys):
    assert main(["fit", "rows.csv", "--target", "y", f"--ridge={value}"]) == 2
    assert value in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exmaine", "did you mean examine?"),
        ("model.onnx data.csv", "unbend examine model.onnx DATA --target NAME"),
        ("fit rows.csv --targte y", "--target"),
        ("fit rows.csv", "missing option '--target'"),
        ("near m.onnx rows.csv --row -1", "-1"),
        ("fit rows.csv --target y --level 1", "0<x<1"),
        ("examine rows.csv m.onnx --target y", "'MODEL': rows.csv is a table, and a network belongs here"),
        ("compare m.onnx rows.csv --target y", "'DATA': m.onnx is a network, and a table belongs here"),
        ("examine m.onnx rows.csv --target y --scale log", "standard"),
    ],
)
def test_misuse_says_what_to_do(line, said, capsys):
    assert main(line.split()) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.startswith("error: ")
    assert said in seen.err
    assert "--help" in seen.err


# Output


def test_text_goes_to_stdout(fits, capsys):
    assert main(["fit", "rows.csv", "--target", "y"]) == 0
    seen = capsys.readouterr()
    assert "<age>" in seen.out
    assert seen.err == ""


def test_json_is_the_dict_with_null_for_what_json_has_not(fits, capsys):
    assert main(["fit", "rows.csv", "--target", "y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"verb": "fit", "slope": 2.5, "ratio": None}


def test_markdown(fits, capsys):
    assert main(["fit", "rows.csv", "--target", "y", "--markdown"]) == 0
    assert "## Small" in capsys.readouterr().out


def test_explain_prints_latex(capsys):
    assert main(["explain", "--latex"]) == 0
    assert r"W_{z} = W_{3}\,W_{2}\,W_{1}" in capsys.readouterr().out


def test_page_is_written_and_written_again(fits, tmp_path, capsys):
    page = tmp_path / "page.html"
    for _ in range(2):
        assert main(["fit", "rows.csv", "--target", "y", "--html", str(page)]) == 0
    assert "&lt;age&gt;" in page.read_text()
    assert capsys.readouterr().err == f"page: {page}\n" * 2
    assert list(tmp_path.iterdir()) == [page]


def test_a_file_of_somebody_else_is_kept_unless_forced(fits, tmp_path, capsys):
    page = tmp_path / "page.html"
    page.write_text("mine")
    line = ["fit", "rows.csv", "--target", "y", "--html", str(page)]
    assert main(line) == 2
    assert page.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert main([*line, "--force"]) == 0
    assert page.read_text() != "mine"


def test_an_input_is_never_overwritten(fits, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    rows.write_text("a,y\n1,2\n")
    other_name = tmp_path / "link.csv"
    other_name.symlink_to(rows)
    assert main(["fit", str(rows), "--target", "y", "--html", str(other_name), "--force"]) == 2
    assert rows.read_text() == "a,y\n1,2\n"
    assert "never overwritten" in capsys.readouterr().err


def test_a_folder_that_is_not_there(fits, tmp_path, capsys):
    assert main(["fit", "rows.csv", "--target", "y", "--html", str(tmp_path / "no" / "page.html")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_examine_names_its_page_after_the_model(verb, tmp_path, monkeypatch):
    verb("unbend.examine", examine=lambda *_, **__: Small(1.0))
    monkeypatch.chdir(tmp_path)
    assert main(["examine", "deep/churn.onnx", "rows.csv", "--target", "y"]) == 0
    assert Path("unbend-churn.html").exists()


def test_examine_writes_no_page_unasked_beside_json(verb, tmp_path, monkeypatch):
    verb("unbend.examine", examine=lambda *_, **__: Small(1.0))
    monkeypatch.chdir(tmp_path)
    assert main(["examine", "churn.onnx", "rows.csv", "--target", "y", "--json"]) == 0
    assert not list(tmp_path.iterdir())


# Errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.DataError, 3),
        (errors.ModelError, 3),
        (errors.GateError, 1),
        (errors.SelfCheckError, 4),
    ],
)
def test_errors_become_text_and_an_exit_code(fails, kind, code, capsys):
    assert fails(kind("no rows", where="in rows.csv", try_="look inside")) == code
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err == "error: no rows\n  in rows.csv\n  what you can do\n    look inside\n"


def test_a_bug_says_that_it_is_one(fails, capsys):
    assert fails(ZeroDivisionError("division by zero")) == 70
    text = capsys.readouterr().err
    assert text.startswith("error: this is a bug in unbend, not in your input: ZeroDivisionError: division by zero\n")
    assert "unbend fit rows.csv --target y" in text
    assert "UNBEND_TRACEBACK=1" in text
    assert f"Python {sys.version_info[0]}.{sys.version_info[1]}" in text
    assert "Traceback" not in text


def test_the_traceback_on_request(fails, capsys, monkeypatch):
    monkeypatch.setenv("UNBEND_TRACEBACK", "1")
    assert fails(ZeroDivisionError("division by zero")) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_file_that_cannot_be_read(fails, capsys):
    assert fails(PermissionError(13, "Permission denied", "rows.csv")) == 3
    assert capsys.readouterr().err == "error: rows.csv: Permission denied\n"


def test_too_large(fails, capsys):
    assert fails(MemoryError()) == 3
    assert "not enough memory" in capsys.readouterr().err


def test_interrupt(fails):
    assert fails(KeyboardInterrupt()) == 130


def test_control_characters_do_not_reach_the_terminal(fails, capsys):
    assert fails(errors.DataError('no column "\x1b[2Jage"')) == 3
    assert capsys.readouterr().err == 'error: no column "\\x1b[2Jage"\n'


@pytest.mark.parametrize("name", ["m.pt", "m.PTH"])
def test_a_torch_file_is_to_be_exported(name, capsys):
    assert main(["explain", name]) == 2
    assert "torch.onnx.export(module" in capsys.readouterr().err


def test_one_form_at_a_time(fits, capsys):
    assert main(["fit", "rows.csv", "--target", "y", "--json", "--markdown"]) == 2
    assert "--json and --markdown at once" in capsys.readouterr().err
    assert fits == []


@pytest.mark.parametrize("option", ["-o", "--certificate"])
def test_a_check_writes_nothing(option, tmp_path, capsys):
    assert main(["collapse", "m.onnx", "--check", option, str(tmp_path / "out")]) == 2
    assert f"--check writes nothing, so {option} " in capsys.readouterr().err


@pytest.mark.parametrize("form", ["--json", "--markdown", "--force"])
def test_a_closed_pipe_ends_in_silence(form):
    program = (
        "import sys, types, unbend\n"
        "from unbend.document import Column, Table\n"
        "from unbend.cli import main\n"
        "from unbend.result import Result\n"
        "class Long(Result):\n"
        "    def to_dict(self): return {'numbers': list(range(200000))}\n"
        "    def document(self): return [Table([Column('n')], [[n] for n in range(20000)], limit=20000)]\n"
        "sys.modules['unbend.regression'] = types.SimpleNamespace(fit=lambda *a, **k: Long())\n"
        f"sys.exit(main(['fit', 'rows.csv', '--target', 'y', '{form}']))\n"
    )
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}  # else Python itself drops the rest, without an error
    command = [sys.executable, "-c", program]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.stdout.close()
    writer.stdout = None
    assert writer.communicate()[1] == ""
    assert writer.returncode == 141


# Completion


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(name):
    done = shell("completion", name)
    assert done.returncode == 0
    assert "_UNBEND_COMPLETE" in done.stdout


def completed(line: str) -> list[str]:
    """What bash is offered at the end of `line`."""
    words = line.split(" ")
    done = shell(_UNBEND_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert done.stderr == ""
    return [offer.split(",", 1)[1] for offer in done.stdout.splitlines() if offer]


def test_completes_commands_and_options():
    assert completed("unbend exa") == ["examine"]
    assert completed("unbend fit rows.csv --tar") == ["--target"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_completes_columns_from_the_header(suffix, tmp_path):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet

    path = tmp_path / f"rows.{suffix}"
    table = pa.table({"age": [1.0], "area code": [2.0], "churn": [0.0]})
    {
        "csv": pyarrow.csv.write_csv,
        "parquet": pyarrow.parquet.write_table,
        "arrow": lambda data, where: pyarrow.feather.write_feather(data, where, compression="uncompressed"),
    }[suffix](table, path)
    assert completed(f"unbend fit {path} --target a") == ["age", "area code"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PAR1"])
def test_completion_never_fails(content, tmp_path):
    for suffix in ("csv", "parquet", "arrow", "npz", "txt"):
        path = tmp_path / f"rows.{suffix}"
        path.write_bytes(content)
        assert completed(f"unbend fit {path} --target a") == []
    assert completed("unbend fit no-such-file.csv --target a") == []


def test_an_error_names_options_in_the_shell_and_arguments_in_python(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n2,3\n")
    assert main(["fit", str(tmp_path / "rows.csv"), "--target", "c"]) == 3
    assert "--target " in capsys.readouterr().err
    from unbend.regression import fit

    with pytest.raises(errors.UnbendError, match="target=") as caught:
        fit(str(tmp_path / "rows.csv"), "c")
    assert "--" not in str(caught.value)
