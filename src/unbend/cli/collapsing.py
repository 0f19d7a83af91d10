"""What `unbend collapse` does beside printing: its two files, and the gate for a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from unbend.errors import GateError, UsageError
from unbend.output import write

if TYPE_CHECKING:
    from unbend.collapse import Collapse


def refuse_files(output: Path | None, certificate: Path | None) -> None:
    """Raise UsageError if a file was named, which --check does not write."""
    for option, path in (("-o", output), ("--certificate", certificate)):
        if path is not None:
            raise UsageError(
                f"--check writes nothing, so {option} {path} has no use",
                try_=f"leave one of them out: --check or {option}",
            )


def save(result: Collapse, model: str, output: Path | None, certificate: Path | None, force: bool) -> None:
    """Write the collapsed network and the certificate, where they were asked for."""
    if output is not None and certificate is not None and output.resolve() == certificate.resolve():
        raise UsageError(f"the network and its certificate cannot both be {output}", try_="name two files")
    if output is not None:
        result.save(output, force=force)
    if certificate is not None:
        text = json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write(certificate, text + "\n", inputs=[model], force=force)


def gate(result: Collapse, model: str, check: bool, **_: object) -> None:
    """Raise GateError if the user asked for the check and there is something to collapse."""
    if check and result.changed:
        done = sum(stretch.collapsed for stretch in result.stretches)
        raise GateError(
            f"{done} of {len(result.stretches)} affine stretches of {result.name} can be written cheaper",
            try_=f"unbend collapse {model} -o SMALLER.onnx",
        )
