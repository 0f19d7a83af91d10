"""All traps, from their families."""

import trap_batches
import trap_graph_parts
import trap_images
import trap_layers
import trap_norms
import trap_numbers
import trap_picks
import trap_products
import trap_windows
from trap import TRAPS, Trap

__all__ = ["TRAPS", "Trap"]

FAMILIES = (
    trap_layers,
    trap_images,
    trap_windows,
    trap_batches,
    trap_norms,
    trap_numbers,
    trap_products,
    trap_picks,
    trap_graph_parts,
)
