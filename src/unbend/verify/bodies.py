"""What a node holds, in a form that can be compared: its attributes, and the graphs in them that If, Loop and Scan run.

Two files may store one body in two ways: numbers in the message or beside the model, as bytes or one by one. So a body
is told by its nodes, names and numbers, without what says nothing: shapes, unread names, the order of initializers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir


def plain(attribute: ir.Attr) -> Any:
    """An attribute as a Python value that can be compared."""
    if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
        return tuple(_body(graph) for graph in graphs(attribute))
    if attribute.type == ir.AttributeType.TENSOR:
        return np.array(attribute.value.numpy())
    if attribute.type == ir.AttributeType.TENSORS:
        return tuple(np.array(one.numpy()) for one in attribute.value)
    return tuple(attribute.value) if isinstance(attribute.value, (list, tuple)) else attribute.value


def graphs(attribute: ir.Attr) -> tuple[ir.Graph, ...]:
    """The graphs in an attribute."""
    if attribute.type == ir.AttributeType.GRAPH:
        return (attribute.value,)
    return tuple(attribute.value) if attribute.type == ir.AttributeType.GRAPHS else ()


def captured(node: ir.Node) -> tuple[str, ...]:
    """The values of outer graphs that the node's bodies read, in order."""
    found: dict[str, None] = {}
    for attribute in node.attributes.values():
        for graph in graphs(attribute):
            found |= dict.fromkeys(name for name in _read_in(graph) if name not in _made_in(graph))
    return tuple(found)


def _read_in(graph: ir.Graph) -> list[str]:
    """The names that a graph and those in it read, in order."""
    bodies = (inner for node in graph.all_nodes() for one in node.attributes.values() for inner in graphs(one))
    values = [value for node in graph.all_nodes() for value in node.inputs]
    values += [value for one in (graph, *bodies) for value in one.outputs]
    return [value.name for value in values if value is not None and value.name]


def _made_in(graph: ir.Graph) -> set[str]:
    """The names that a graph and those in it give."""
    inner = [one for node in graph.all_nodes() for each in node.attributes.values() for one in graphs(each)]
    values = [value for one in (graph, *inner) for value in (*one.inputs, *one.initializers.values())]
    values += [value for node in graph.all_nodes() for value in node.outputs]
    return {value.name for value in values if value.name}


def _body(graph: ir.Graph) -> tuple[Any, ...]:
    read = set(_read_in(graph))
    inputs = tuple((value.name, str(value.dtype)) for value in graph.inputs)
    numbers = tuple((name, _array(value)) for name, value in sorted(graph.initializers.items()))
    return inputs, numbers, tuple(_node(node, read) for node in graph), tuple(value.name for value in graph.outputs)


def _array(value: ir.Value) -> np.ndarray | None:
    return None if value.const_value is None else np.array(value.const_value.numpy())


def _node(node: ir.Node, read: set[str]) -> tuple[Any, ...]:
    attributes = tuple((key, plain(one)) for key, one in sorted(node.attributes.items()))
    inputs = tuple("" if value is None else value.name for value in node.inputs)
    outputs = tuple(value.name if value.name in read else "" for value in node.outputs)
    return node.domain, node.op_type, attributes, inputs, outputs
