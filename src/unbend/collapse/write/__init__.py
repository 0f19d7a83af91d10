"""Reduced stretches as ONNX, put into the graph where they are cheaper, and the model as a file."""
