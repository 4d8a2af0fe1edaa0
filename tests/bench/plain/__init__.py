"""The plain ViT as others would run it: its graph, in OpenVINO and in ONNX Runtime."""
