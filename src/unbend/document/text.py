"""Text as it may be shown: escaped, spelled for an encoding, measured in terminal cells, cut and wrapped.

Names come from files that nobody has looked at. What a terminal or a browser would obey rather than show (control
characters, escape sequences, marks that turn the reading direction) is written out, so that a name can only ever be
read.
"""

from __future__ import annotations

import re
import unicodedata

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that change what is around them instead of being seen."""

_JOINERS = "\u200c\u200d"
"""Format characters that Persian and emoji need to be read at all."""

_SPACES = str.maketrans({"\u202f": " ", "\u00a0": " ", "\u2007": " "})

_SPELLING = {
    "–": "-",
    "—": "--",
    "−": "-",
    "…": "...",
    "∞": "inf",
    "×": "x",
    "·": "*",
    "•": "*",
    "²": "^2",
    "³": "^3",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "→": "->",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "✓": "+",
    "✗": "x",
    "─": "-",
    "═": "=",
    "⋮": ":",
    "⋱": ".",
} | dict(zip("⎡⎢⎣⎤⎥⎦⎛⎜⎝⎞⎟⎠", "[[[]]]((()))", strict=True))
"""What to write where an encoding cannot carry a character; the rest is decomposed or escaped."""


_NAME_LEAST = 2
"""How much of a category's name is left, beside the dots, before its level is cut as well."""


def visible(text: str) -> str:
    r"""`text` on one line, with every character that would be obeyed rather than shown written as an escape.

    >>> print(visible("\x1b[31mred\n"))
    \x1b[31mred\n
    """
    if text.isprintable():
        return text
    return "".join(_written(c) for c in text)


def _written(c: str) -> str:
    noncharacter = ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF
    if (unicodedata.category(c) in _OBEYED and c not in _JOINERS) or noncharacter:
        return c.encode("unicode_escape").decode("ascii")
    return c


def flowing(text: str) -> str:
    """`text` as running text: runs of blanks and line ends become one space, the rest is made `visible`.

    A percent sign stays on the line of its number.
    """
    text = visible(re.sub(r"[ \t\r\n\f\v]+", " ", text).strip())
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def verbatim(text: str) -> list[str]:
    """The lines of `text` as they are (tabs become four spaces), each made `visible`."""
    return [visible(line.rstrip("\r").expandtabs(4)) for line in text.rstrip("\n").split("\n")]


def spelled(text: str, encoding: str | None = None) -> str:
    """`text` in characters that `encoding` can carry: "−" becomes "-", "∞" becomes "inf", "é" at worst "e".

    None stands for any Unicode encoding. Spaces at which no line breaks are kept, for `plain_spaces` to replace.

    >>> spelled("−3 ≤ x² ≤ ∞", "ascii")
    '-3 <= x^2 <= inf'
    """
    if encoding is None or _carries(encoding, text):
        return text
    return "".join(c if ord(c) in _SPACES or _carries(encoding, c) else _spelling(c, encoding) for c in text)


def _spelling(c: str, encoding: str) -> str:
    if c in _SPELLING:
        return _SPELLING[c]
    decomposed = "".join(d for d in unicodedata.normalize("NFKD", c) if _carries(encoding, d))
    return decomposed or c.encode("unicode_escape").decode("ascii")


def _carries(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    except LookupError:
        return text.isascii()
    return True


def plain_spaces(text: str) -> str:
    """`text` with ordinary spaces in place of those at which no line breaks; for lines that are broken already."""
    return text.translate(_SPACES)


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def split_at(text: str, width: int) -> tuple[str, str]:
    """The longest beginning of `text` that fits in `width` cells, and the rest."""
    end = min(width, len(text))
    while end and cells(text[:end]) > width:
        end -= 1
    return text[:end], text[end:]


def elided(text: str, width: int, dots: str = "…") -> str:
    """`text` in at most `width` cells, with the middle left out if need be; of a category its level is kept whole.

    >>> elided("debt_to_income_ratio", 11), elided("ShelveLoc=Medium", 12)
    ('debt_…ratio', 'Sh…oc=Medium')
    """
    if cells(text) <= width:
        return text
    name, sign, level = text.rpartition("=")
    if name and level and width - cells(sign + level) >= _NAME_LEAST + cells(dots):
        return elided(name, width - cells(sign + level), dots) + sign + level
    room = max(width - cells(dots), 0)
    head, _ = split_at(text, room - room // 2)
    tail, _ = split_at(text[::-1], room // 2)
    return head + dots + tail[::-1]


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces; a longer word is broken where the line ends."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cells(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        while cells(word) > width and len(word) > 1:
            head, tail = split_at(word, width)
            lines[-1], word = (head, tail) if head else (word[0], word[1:])
            lines.append("")
        lines[-1] = word
    return lines
