"""What `unbend collapse` does beside printing: its two files, and the gate for a build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from unbend.errors import GateError, InputError, UsageError

if TYPE_CHECKING:
    from unbend.collapse import Collapse
    from unbend.network import Network
    from unbend.result import Result
    from unbend.verify import Verification


def examples(named: tuple[str, ...]) -> Any:
    """The arrays of --example: by the names of inputs, or the only one for the only input."""
    found = dict(map(_example, named))
    return found.pop("") if list(found) == [""] else found or None


def _example(text: str) -> tuple[str, Any]:
    """The name of an input, or nothing, and the array in the file."""
    import numpy as np

    name, _, path = ("", "", text) if Path(text).exists() else text.rpartition("=")
    try:
        return name, np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is not a NumPy array, as numpy.save writes it"
        raise InputError(f"cannot read {path}: {reason}", try_="--example NAME=FILE.npy") from error


def refuse_files(output: Path | None, certificate: Path | None) -> None:
    """Raise UsageError if a file was named, which --check does not write."""
    for option, path in (("-o", output), ("--certificate", certificate)):
        if path is not None:
            raise UsageError(
                f"--check writes nothing, so {option} {path} has no use",
                try_=f"leave one of them out: --check or {option}",
            )


def save(result: Collapse, output: Path | None, certificate: Path | None, force: bool) -> None:
    """Write the collapsed network and, beside it or where it was asked for, its certificate: both, or neither."""
    if output is not None:
        result.save(output, certificate=certificate, force=force)


def opened(model: str, example: Any, output: Path | None, certificate: Path | None, force: bool) -> Network:
    """The network, read; where it is to be written it can be, or UsageError says why not before the work is done."""
    from unbend import progress
    from unbend.collapse.write.saving import refuse_early
    from unbend.network import read

    if output is None and certificate is not None:
        raise UsageError(f"{certificate} would speak of no file", try_="name the collapsed network too: -o SMALLER")
    progress.at("reading")
    network = read(model, example)
    if output is not None:
        refuse_early(network, output, certificate, force=force)
    return network


def verify(model: str, files: tuple[str, ...], output: Path | None, certificate: Path | None, check: bool) -> Result:
    """Check a certificate again: MODEL, SMALLER and, if it is not beside that, CERTIFICATE."""
    if output is not None or check:
        raise UsageError(
            f"--verify compares two networks, so {'--check' if check else f'-o {output}'} has no use",
            try_=f"unbend collapse --verify {model} SMALLER.onnx [CERTIFICATE.json]",
        )
    if certificate is not None:
        files = (*files, str(certificate))
    if not 1 <= len(files) <= 2:
        raise UsageError(
            "--verify compares two networks",
            try_=f"unbend collapse --verify {model} SMALLER.onnx [CERTIFICATE.json]",
        )
    from unbend.verify import verify as verb

    return verb(model, *files)


def refuse_more(files: tuple[str, ...]) -> None:
    """Raise UsageError if more files were named than the network to collapse."""
    if files:
        raise UsageError(
            f"one network is collapsed at a time, so {files[0]} has no use", try_="-o SMALLER, or --verify"
        )


def gate(result: Collapse | Verification, model: str, check: bool, **_: object) -> None:
    """Raise GateError if a certificate does not hold, or there is something to collapse and the user asked for that."""
    if result.verb == "verify":
        found = cast("Verification", result)
        if not found.holds:
            verdict = "does not hold" if found.wrong else "could be checked in part only"
            raise GateError(f"{found.certificate} {verdict}", where=[*found.wrong, *found.unread][0], try_=found.remedy)
        return
    result = cast("Collapse", result)
    if check and result.changed:
        done = sum(stretch.collapsed for stretch in result.stretches)
        raise GateError(
            f"{done} of {len(result.stretches)} affine stretches of {result.name} can be written cheaper",
            try_=f"unbend collapse {model} -o SMALLER.onnx",
        )
