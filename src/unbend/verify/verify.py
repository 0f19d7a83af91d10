"""`verify`: does a certificate hold? Both files are read again, and nothing of what made them is used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from unbend.document import Block, Bullets, Column, Heading, Paragraph, Table, number
from unbend.result import Result
from unbend.verify.certificate import Certificate, load
from unbend.verify.frame import differences
from unbend.verify.reading import File, read
from unbend.verify.sizes import Known, misfits, shapes_at
from unbend.verify.trial import SIGNS, Outcome, tried
from unbend.verify.units import disagreements


@dataclass(frozen=True)
class Verification(Result):
    """Whether a certificate holds: what is wrong (nothing if it does), and what came of each stretch.

    `unread` are stretches that the checker cannot compute: of them it says neither. With `other_files` the certificate
    was made for other files, and nothing else was checked.
    """

    verb: ClassVar[str] = "verify"

    original: str
    collapsed: str
    certificate: str
    wrong: tuple[str, ...]
    stretches: tuple[Outcome, ...]
    unread: tuple[str, ...] = ()
    signs: int = SIGNS
    other_files: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong, and all of it was checked."""
        return not self.wrong and not self.unread

    @property
    def remedy(self) -> str:
        """What can be done where the certificate was made for other files."""
        again = "or let unbend collapse MODEL -o SMALLER write both again"
        return f"name the two files that it was made for, {again}" if self.other_files else ""

    def document(self) -> list[Block]:
        """The verdict, what is wrong, and each stretch."""
        title = Heading(f"Certificate of {Path(self.collapsed).name}", 1)
        if self.wrong:
            blocks = [title, Paragraph("The certificate does not hold.", "strong"), Bullets(list(self.wrong))]
            return [*blocks, Paragraph(f"What you can do: {self.remedy}.")] if self.remedy else blocks
        if self.unread:
            text = (
                f"The certificate could be checked in part only: {len(self.unread)} of {len(self.stretches)} stretches "
                "hold a node that this program cannot compute. Nothing that it could check is wrong."
            )
            return [title, Paragraph(text, "strong", "exact"), Bullets(list(self.unread))]
        count = len(self.stretches)
        text = (
            f"The certificate holds: {Path(self.collapsed).name} computes what {Path(self.original).name} computes, "
            f"{'its one stretch' if count == 1 else f'each of its {count} stretches'} within the bound that is stated, "
            "and all else is the same."
            if count
            else f"The certificate holds: nothing of {Path(self.original).name} was changed."
        )
        blocks: list[Block] = [title, Paragraph(text, "strong", "exact")]
        return [*blocks, *self._evidence()] if count else blocks

    def _evidence(self) -> list[Block]:
        rows = [(one.label, one.nodes[0], one.nodes[1], number(100 * one.used, 2)) for one in self.stretches]
        columns = [Column("stretch", "left"), Column("nodes"), Column("became"), Column("allowance used, %")]
        sentence = (
            f"Both files were read again and each stretch was computed in float64 at the origin and at {self.signs} "
            "vectors of random signs, by a program that shares nothing with the collapse. Every offset was held to its "
            "own bound. A weight that is wrong by more than ten times the stated rounding of its row (the root of the "
            f"sum of its squares) is missed with a chance of 2^-{self.signs}; in half precision signs at a few numbers "
            "at a time were tried as well."
        )
        if drawn := max(one.drawn for one in self.stretches):
            sentence += f" What a stretch takes as given was drawn {drawn} times, with a vector of signs for each."
        return [Table(columns, rows), Paragraph(sentence, "quiet")]


def verify(original: str | Path, collapsed: str | Path, certificate: str | Path | None = None) -> Verification:
    """Check again that `collapsed` computes what `original` computes, as its certificate says.

    Parameters
    ----------
    original, collapsed : paths of the two ONNX files
    certificate : path of the certificate; by default the one beside the collapsed file

    Raises
    ------
    InputError
        A file cannot be read.
    """
    path = Path(certificate) if certificate is not None else Path(collapsed).with_suffix(".certificate.json")
    stated = load(path)
    before, after = read(original), read(collapsed)
    if others := [*_others(before, stated.original), *_others(after, stated.collapsed)]:
        wrong = (f"{path.name} was made for other files than {' and '.join(others)}: their SHA-256 differs",)
        return Verification(str(original), str(collapsed), str(path), wrong, (), other_files=True)
    known = [(shapes_at(before, sizes), shapes_at(after, sizes)) for sizes in stated.sizes]
    wrong = list(differences(before, after, stated, *known[:1]))
    wrong += [line for sizes in stated.sizes for file in (before, after) for line in misfits(file, sizes)]
    for shapes, _ in known:
        wrong += disagreements(before, stated, shapes)
    outcomes = _tried((before, after), stated, known)
    wrong += [f"the stretch {one.label}: {one.wrong}" for one in outcomes if one.wrong]
    unread = tuple(f"the stretch {one.label}: {one.unread}" for one in outcomes if one.unread)
    return Verification(str(original), str(collapsed), str(path), tuple(wrong), tuple(outcomes), unread)


def _others(file: File, stated: Mapping[str, str]) -> list[str]:
    """The files that differ from the fingerprints in the certificate; none are stated for a model that was no file."""
    if not stated or dict(stated) == dict(file.hashes):
        return []
    names = [name for name in {*stated, *file.hashes} if stated.get(name) != file.hashes.get(name)]
    return [name or file.path.name for name in sorted(names)]


def _tried(files: tuple[File, File], stated: Certificate, known: Sequence[tuple[Known, Known]]) -> list[Outcome]:
    """Each stretch, at signs that nobody could choose: they follow from the fingerprints of both files."""
    text = "".join(f"{name}{value}" for file in files for name, value in sorted(file.hashes.items()))
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))
    return [tried(files, stretch, known, rng) for stretch in stated.stretches]
