"""What else serves a ViT over HTTP: LitServe, mosec and TorchServe's stock handler; and ours."""
