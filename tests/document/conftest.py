"""What the tests of documents share: one document with every kind of block, a reader of HTML, and a browser."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unbend.document import (
    Block,
    Bullets,
    Code,
    Column,
    Details,
    Formula,
    Heading,
    Paragraph,
    Picture,
    Table,
)
from unbend.document.formula import Apply, Equation, Matrix, Product, Sum, Symbol

HERE = Path(__file__).parent
HOSTILE = ["[red]x[/red]", "<script>alert('1')</script>", "\x1b[31mred\x1b[0m", "a\"b'c&d]]>", "line\nend", "$x$ | `y`"]


@pytest.fixture
def hostile() -> list[str]:
    """Names that a terminal, a browser, rich, matplotlib or Markdown would obey if they were let through."""
    return HOSTILE


@pytest.fixture
def coefficients() -> Table:
    names = ["(intercept)", "age", "body mass index", "debt_to_income_ratio_of_the_household", "région=nord"]
    numbers = [
        (152.1, 2.576, 59.06, 1e-12),
        (-10.01, 59.75, -0.1676, 0.867),
        (519.8, 66.53, 7.813, 4.3e-14),
        (-1234.5678, 416.7, -1.901, 0.058),
        (0.0123, None, float("nan"), 1.0),
    ]
    return Table(
        [Column("term", "left"), *map(Column, ("estimate", "std. error", "t")), Column("p", digits=2)],
        [(name, *row) for name, row in zip(names, numbers, strict=True)],
        title="Coefficients",
        note="Least squares on 442 rows.",
    )


def _draw(figure: Any) -> None:
    from unbend.document.picture import ACCENT, DOTS, QUIET, SECOND, literal

    x = np.linspace(0, 10, 50)
    axes = figure.subplots()
    axes.axhline(0, color=QUIET)
    axes.scatter(x, np.sin(2 * x), color=ACCENT, label=literal("日本 $x$ and $y$"), **DOTS)
    axes.plot(x, np.sin(x), color=SECOND)
    axes.set_xlabel(literal("cost $ <script> & in $"))
    axes.legend()


@pytest.fixture
def picture() -> Picture:
    numbers = Table([Column("x"), Column("sin x")], [(float(i), float(np.sin(i))) for i in range(12)], limit=8)
    return Picture("Residuals", "The line should be flat; here it swings.", _draw, numbers)


@pytest.fixture
def derivation() -> Equation:
    """W_z = W_2 W_1, multiplied out: three inputs, two hidden, two outputs."""
    w1, w2 = np.array([[1, 2], [0.5, -1], [-3, 0.25]]), np.array([[2, 0, 1.0], [1, -1, 0.5]])
    sides = Symbol("W", "z"), Product((Symbol("W", "2"), Symbol("W", "1")))
    return Equation((*sides, Product((Matrix(w2), Matrix(w1))), Matrix(w2 @ w1)))


@pytest.fixture
def every_block(coefficients: Table, picture: Picture, derivation: Equation) -> list[Block]:
    bent = Sum((Product((Symbol("W", "2"), Apply("relu", Symbol("x")))), Symbol("b", "2")))
    verdicts = [Column("assumption", "left"), Column("verdict", "left"), Column("what it means for you", "left")]
    meaning = "The 95 % intervals cover 81 % on rows like these; use HC3, whose intervals are 1.4 times as wide."
    units = Table([Column("unit", "left"), Column("share")], [(f"unit {i}", i / 352) for i in range(352)], limit=4)
    return [
        Heading("Is this network a linear regression?", 1),
        Paragraph(
            "Nearly. One linear regression explains 98.3 % of what the network does on your 4\u202f884 rows.",
            "strong",
            "measured on held-out rows",
        ),
        Paragraph("Without its bends it would be y = W_z x + b_z.", grade="exact"),
        Heading("What collapses"),
        Bullets(["Gemm_1 and BatchNormalization_2 become one Gemm", "the cost falls from 12\u202f340 to 8\u202f192"]),
        Formula(derivation, "multiplied out"),
        Formula(Equation((Symbol("y"), bent))),
        Details("Step by step", [Paragraph("Inside the fold."), coefficients], in_terminal=True),
        Details("Only on the page", [Paragraph("Not in a terminal.")]),
        Heading("What the rows say"),
        picture,
        Paragraph("The score of the network may flatter it.", "warning", "measured on these rows"),
        Paragraph("The noise is evenly spread.", "good"),
        Paragraph("Two columns carry the same information.", "bad"),
        Paragraph("A remark about what was left out.", "quiet"),
        Code("unbend examine model.onnx \\\n    customers.parquet --target churn"),
        Heading("What collapses"),
        coefficients,
        Heading("A part", 3),
        Table(verdicts, [("even spread", "harmful", meaning), ("no serial correlation", "not asked", "No order.")]),
        units,
    ]


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a stored one; with GOLDEN=write in the environment it is stored, and the test fails once."""

    def compare(name: str, text: str) -> None:
        file = HERE / "golden" / name
        if os.environ.get("GOLDEN") == "write":
            file.write_text(text, encoding="utf-8")
            pytest.fail(f"{name} is written: read it")
        assert text == file.read_text(encoding="utf-8")

    return compare


class Reader(HTMLParser):
    """The elements of a page with their attributes, the text of each element, and whether all of them are closed."""

    VOID = frozenset({"meta", "br", "hr", "img", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self.open), data))

    def within(self, tag: str) -> list[str]:
        """The texts that stand inside an element of that name."""
        return [text for tags, text in self.texts if tag in tags]


@pytest.fixture(scope="session")
def read_html() -> Callable[[str], Reader]:
    return Reader


class Browser:
    """Headless Chromium, spoken to over a pipe: no port is opened."""

    FLAGS = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-sync",
        "--no-first-run",
        "--hide-scrollbars",
        "--remote-debugging-pipe",
    )
    PATIENCE = 60

    def __init__(self, program: str, profile: Path) -> None:
        read_commands, self.commands = os.pipe()
        self.answers, write_answers = os.pipe()
        spare = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in (read_commands, write_answers)]
        nothing = os.open(os.devnull, os.O_RDWR)
        given = [
            (os.POSIX_SPAWN_DUP2, fd, place) for fd, place in ((nothing, 1), (nothing, 2), (spare[0], 3), (spare[1], 4))
        ]
        arguments = [program, *self.FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = os.posix_spawn(program, arguments, os.environ, file_actions=given)
        for fd in (read_commands, write_answers, nothing, *spare):
            os.close(fd)
        self.number, self.buffer, self.session = 0, b"", ""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self.message()).get("id") != self.number:
            self.note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def message(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            assert select.select([self.answers], [], [], self.PATIENCE)[0], "Chromium does not answer"
            piece = os.read(self.answers, 1 << 20)
            assert piece, "Chromium has stopped"
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if event.get("method") == "Log.entryAdded":
            self.complaints.append(event["params"]["entry"]["text"])

    def open(self, file: Path, width: int, *, dark: bool = False, media: str = "") -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=file.as_uri())
        while self.ask("document.readyState + location.href") != f"complete{file.as_uri()}":
            pass

    def ask(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def close(self) -> None:
        self.session = ""
        self.call("Browser.close")
        os.waitpid(self.process, 0)
        os.close(self.commands)
        os.close(self.answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on the PATH")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
