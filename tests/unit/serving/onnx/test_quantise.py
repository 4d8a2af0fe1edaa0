"""Products in int8: each token and each output channel has a scale of its own."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving.onnx.quantise import quantise
from serving.onnx.session import open_session
from tests.fakes.processors import needs_int8_dot_products

INPUTS, OUTPUTS = 24, 10


@pytest.fixture
def weight():
    return np.random.default_rng(0).standard_normal((INPUTS, OUTPUTS)).astype(np.float32)


@pytest.fixture
def product(tmp_path, weight):
    """Return the quantised graph `x W + x W` as a function."""
    shape = ["rows", "tokens", INPUTS]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["once"]),
            helper.make_node("MatMul", ["x", "w"], ["twice"]),
            helper.make_node("Add", ["once", "twice"], ["features"]),
        ],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [*shape[:2], OUTPUTS])],
        [numpy_helper.from_array(weight, "w")],
    )
    exact, rounded = tmp_path / "exact.onnx", tmp_path / "int8.onnx"
    onnx.save(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), exact
    )
    quantise(exact, rounded)
    stored = {tensor.name: tensor.data_type for tensor in onnx.load(rounded).graph.initializer}
    assert "w" not in stored
    assert stored["w.int8"] == TensorProto.INT8
    session = open_session(rounded)
    return lambda x: session.run(["features"], {"x": x})[0] / 2


@needs_int8_dot_products
def test_a_product_is_that_of_rounded_tokens_and_rounded_channels(product, weight):
    x = np.random.default_rng(1).standard_normal((3, 5, INPUTS)).astype(np.float32)
    x *= np.float32(10.0) ** np.arange(-3, 2, dtype=np.float32)[None, :, None]
    token, channel = np.abs(x).max(-1, keepdims=True) / 127, np.abs(weight).max(0) / 127
    expected = (np.rint(x / token) @ np.rint(weight / channel)) * token * channel
    np.testing.assert_allclose(product(x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    exact = x @ weight
    near = np.abs(product(x) - exact).max(-1) / np.abs(exact).max(-1)
    assert near.max() < 0.03


def test_an_outlier_in_one_token_leaves_the_others_as_they_are(product):
    x = np.random.default_rng(2).standard_normal((1, 4, INPUTS)).astype(np.float32)
    calm = product(x)
    x[0, 2, 7] = 1e6
    wild = product(x)
    np.testing.assert_array_equal(wild[0, [0, 1, 3]], calm[0, [0, 1, 3]])
    assert np.abs(wild[0, 2]).max() > 1e4


def test_a_token_of_zeros_gives_zeros(product):
    assert not product(np.zeros((1, 2, INPUTS), np.float32)).any()
