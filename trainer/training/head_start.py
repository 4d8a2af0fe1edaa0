"""A head that starts fitted: logistic regression on the features under the first prompts.

Not in the paper, whose head starts at random; a run that may take only a few epochs gains most
of them. Known as linear probing before fine-tuning (Kumar et al., 2022).
Axis letters: B batch, D width, C classes.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

STRENGTH = 0.1
"""Inverse of the L2 penalty on standardised features, as scikit-learn's `C`."""


def fit_head(head: nn.Linear, features: Float[Tensor, "B D"], labels: Int64[Tensor, " B"]) -> None:
    """Set the head to the logistic regression of these features.

    Classes without an image keep their first weights, and so do all when only one has images.
    """
    if len(labels.unique()) < 2:
        return
    scaler = StandardScaler().fit(features.cpu().numpy())
    fitted = LogisticRegression(C=STRENGTH, max_iter=500)
    fitted.fit(scaler.transform(features.cpu().numpy()), labels.cpu().numpy())
    weight, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps only the second class's row
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    seen = torch.as_tensor(fitted.classes_)
    with torch.no_grad():
        head.weight[seen] = torch.as_tensor(weight, dtype=head.weight.dtype).to(head.weight.device)
        head.bias[seen] = torch.as_tensor(bias, dtype=head.bias.dtype).to(head.bias.device)
