"""What parts of the module are called: as the user called them where the exporter left that, else as the nodes."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

import torch

from unbend.network.graph import Node

SCOPES = "pkg.torch.onnx.name_scopes"
"""Where torch's exporter says which module of the user's a node comes from."""
CLASSES = "pkg.torch.onnx.class_hierarchy"
"""Where it says of which class that is."""

GENERIC = re.compile(r"val_\d+")
"""What torch's exporter calls values that have no name; it cannot export a buffer that is called so."""


@dataclass
class Parts:
    """The layers and buffers of the module, at paths of which none meets another."""

    root: torch.nn.Module = field(default_factory=torch.nn.Module)
    taken: set[str] = field(default_factory=set)

    def add_layer(self, path: str, layer: torch.nn.Module) -> str:
        """Put a layer at a path, or at one like it; where it is."""
        path = self.fresh(path)
        owner, leaf = self._place(path)
        owner.add_module(leaf, layer)
        return path

    def add_buffer(self, name: str, tensor: torch.Tensor) -> str:
        """The same for the constant of that name."""
        path = self.fresh("constant" if GENERIC.fullmatch(name) else ".".join(map(name_of, name.split("."))))
        owner, leaf = self._place(path)
        owner.register_buffer(leaf, tensor)
        return path

    def fresh(self, path: str) -> str:
        """A path that nothing has yet, nor anything above it or below it."""
        name, count = path, 1
        while self._meets(name):
            count += 1
            name = f"{path}_{count}"
        self.taken.add(name)
        return name

    def _meets(self, path: str) -> bool:
        above = path.split(".")
        return (
            hasattr(torch.nn.Module, above[0])
            or any(one == path or one.startswith(f"{path}.") for one in self.taken)
            or any(".".join(above[:i]) in self.taken for i in range(1, len(above)))
        )

    def _place(self, path: str) -> tuple[torch.nn.Module, str]:
        """The module that holds what is at a path, made where it is not there yet, and the last name of the path."""
        owner = self.root
        *outer, leaf = path.split(".")
        for part in outer:
            if part not in dict(owner.named_children()):
                owner.add_module(part, torch.nn.Module())
            owner = owner.get_submodule(part)
        return owner, leaf


def path_of(node: Node, layer: torch.nn.Module) -> str:
    """The user's own name for a layer: of the module that the node was, of its weights, or of where it was called."""
    data = node.source.metadata_props if node.source is not None else {}
    scopes, classes = (_listed(data.get(key, "")) for key in (SCOPES, CLASSES))
    kind = type(layer).__name__
    within = scopes[-2] if len(scopes) == len(classes) > 1 else None
    if within and classes[-2].rpartition(".")[2] == kind:
        return within
    for name in node.inputs[1:]:
        path, _, last = name.rpartition(".")
        if last in ("weight", "bias") and all(one.isidentifier() or one.isdigit() for one in path.split(".")):
            return path
    if within is None:
        return name_of(node.label)
    return f"{within}.{kind.lower()}" if within else kind.lower()


def _listed(text: str) -> list[str]:
    """The list of texts that the exporter wrote as one."""
    try:
        found = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError):
        return []
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else []


def name_of(text: str) -> str:
    """The text as a Python name."""
    name = re.sub(r"\W+", "_", text).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() else name
