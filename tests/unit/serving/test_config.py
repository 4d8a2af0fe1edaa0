"""Settings of who may ask, whom we trust, and what the device decides."""

from pathlib import Path

import pytest

from adapters.store.objects.address import read_address
from serving.config import load_config
from serving.errors import ConfigError


def test_by_default_everybody_may_ask_and_every_whole_artifact_is_served(tmp_path: Path) -> None:
    config = load_config({}, tmp_path)
    assert (config.tenants, config.trusted_keys) == (None, ())


def test_their_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    absolute = str(tmp_path / "elsewhere" / "b.pem")
    settings = {"tenants": "../tenants.json", "trusted_keys": ["a.pem", absolute]}
    config = load_config(settings, tmp_path / "spt")
    assert config.tenants == tmp_path / "tenants.json"
    assert [one.key for one in config.trusted_keys] == [tmp_path / "spt" / "a.pem", Path(absolute)]
    assert {(one.tasks, one.embedded) for one in config.trusted_keys} == {(("*",), True)}


def test_a_key_may_be_trusted_for_some_tasks_alone(tmp_path: Path) -> None:
    of_a_team = {"key": "a.pem", "tasks": ["cub200", "team-a-*"], "embedded": False}
    first, second = load_config({"trusted_keys": [of_a_team, "b.pem"]}, tmp_path).trusted_keys
    assert (first.key, second.key) == (tmp_path / "a.pem", tmp_path / "b.pem")
    assert (first.tasks, first.embedded) == (("cub200", "team-a-*"), False)
    assert second.tasks == ("*",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tasks": ["a"]},
        {"key": "a.pem", "tasks": []},
        {"key": "a.pem", "tasks": ["Team A"]},
        {"key": "a.pem", "task": ["a"]},
        3,
    ],
)
def test_a_key_that_is_not_said_rightly_is_refused(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"trusted_keys\.0"):
        load_config({"trusted_keys": [wrong]}, tmp_path)


def test_one_key_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trusted_keys"):
        load_config({"trusted_keys": "a.pem"}, tmp_path)


def test_no_path_is_looked_at_for_a_store_may_hang(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "store")
    assert load_config({"store": "link"}, tmp_path).store == link


@pytest.mark.parametrize(
    ("settings", "on_gpu", "precision", "compiled"),
    [
        ({}, False, "float32", False),
        ({}, True, "bfloat16", True),
        ({"precision": "float32"}, True, "float32", True),
        ({"compile": False}, True, "bfloat16", False),
        ({"precision": "bfloat16", "compile": True}, False, "bfloat16", True),
        ({"precision": "fp8", "fp8": "x"}, True, "fp8", True),
        ({"backend": "onnx", "onnx": "x"}, True, "float32", False),
        ({"backend": "onnx", "onnx": "x", "precision": "int8"}, True, "int8", False),
    ],
)
def test_what_is_not_set_is_decided_by_the_device(
    settings: dict[str, object], on_gpu: bool, precision: str, compiled: bool, tmp_path: Path
) -> None:
    config = load_config(settings, tmp_path).decided(on_gpu=on_gpu)
    assert (config.precision, config.compile) == (precision, compiled)


def test_the_address_of_a_bucket_is_no_path_below_the_folder(tmp_path: Path) -> None:
    address = "s3://models/store?endpoint=http://127.0.0.1:9000"
    config = load_config({"store": address}, tmp_path)
    assert read_address(config.store) == read_address(address)
