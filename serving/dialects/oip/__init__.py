"""The Open Inference Protocol, KServe's v2: a task is a model, and its images are one tensor."""
