"""The trunk as an ONNX file, and ONNX Runtime that runs it."""
