"""A real task without a download: handwritten digits, a head fitted on the embedded backbone."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from sklearn.linear_model import LogisticRegression

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import features
from serving.onnx.samples import read_pixels
from serving.rounding.agreement import Sample
from serving.rows.resident import make_resident
from tests.fakes.artifacts import make_adapter
from trainer.data.load import load_task

NUM_TRAIN, NUM_TEST = 500, 200
NUM_CLASSES = 10


@torch.inference_mode()
def digits_sample(backbone: Backbone) -> Sample:
    """Fit a head without prompts on training images; return it with test images."""
    with TemporaryDirectory() as folder:
        data = load_task("digits", None, builtin_root=Path(folder))
        train, test = (
            read_pixels((image.path for image in images), backbone.preprocessing)
            for images in (data.train[:NUM_TRAIN], data.test[:NUM_TEST])
        )
    frozen = features(backbone.trunk, backbone.spec, train, None)
    labels = [image.label for image in data.train[:NUM_TRAIN]]
    fitted = LogisticRegression(max_iter=1000).fit(frozen.numpy(), labels)
    meta = make_adapter("digits", NUM_CLASSES, backbone=backbone.spec, method="linear").meta
    weight, bias = (torch.tensor(t, dtype=torch.float32) for t in (fitted.coef_, fitted.intercept_))
    return Sample(make_resident(Adapter(None, weight, bias, meta), backbone), test)
