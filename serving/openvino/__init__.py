"""The trunk in OpenVINO, which reads the exported graph as it is."""
