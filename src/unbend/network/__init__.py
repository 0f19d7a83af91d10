"""A network: read it, run it, evaluate it exactly, write it."""

from unbend.network.checking import check
from unbend.network.evaluate import evaluate, input_shape, input_shapes
from unbend.network.graph import Network, Node, Port
from unbend.network.lengths import at_lengths, lengths_of, with_lengths
from unbend.network.read import network_of, read
from unbend.network.run import Runner, mixes_rows

__all__ = ["Network", "Node", "Port", "Runner", "at_lengths", "check", "evaluate", "input_shape", "input_shapes"]
__all__ += ["lengths_of", "mixes_rows", "network_of", "read", "with_lengths"]
