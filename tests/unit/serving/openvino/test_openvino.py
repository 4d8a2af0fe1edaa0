"""What OpenVINO cannot serve here is refused; what it computes is compared in `test_export.py`."""

import pytest

from serving.config import load_config
from serving.errors import ConfigError, ExportError
from serving.onnx.export import write_report
from serving.openvino.backend import OpenVinoBackend
from serving.openvino.compiled import capabilities
from tests.fakes.tiny import tiny_backbone, tiny_trunk

SETTINGS = {"backend": "openvino", "onnx": "trunk"}


def test_bfloat16_is_refused_where_the_processor_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.openvino.compiled.capabilities", lambda: ["FP32", "INT8"])
    monkeypatch.setattr("serving.openvino.backend.capabilities", lambda: ["FP32", "INT8"])
    with pytest.raises(ConfigError, match="this one has FP32, INT8; set precision: float32"):
        OpenVinoBackend(tiny_backbone(), tmp_path, "bfloat16")


def test_the_processor_is_asked_what_it_can_do():
    assert "FP32" in capabilities()


def test_an_export_of_another_trunk_or_in_int8_is_refused(tmp_path):
    write_report(tmp_path, tiny_backbone(tiny_trunk(seed=1)).spec, "int8", errors={})
    with pytest.raises(
        ExportError, match=r"weights_sha256.*int8 against float32.*run `spt export`"
    ):
        OpenVinoBackend(tiny_backbone(), tmp_path)


def test_without_the_extra_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.config.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'spt-serving\[cpu\]'"):
        load_config(SETTINGS, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"onnx": None}, "needs onnx"),
        ({"compile": True}, "compiles nothing"),
    ],
)
def test_settings_that_it_has_not_are_refused(wrong, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        load_config(SETTINGS | wrong, tmp_path)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_it_has_every_precision_of_an_export(precision, tmp_path):
    assert load_config(SETTINGS | {"precision": precision}, tmp_path).precision == precision
