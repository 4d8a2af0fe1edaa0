"""A launch changes what it must of what TorchServe is told."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serving.config import MAX_BODY_BYTES, ServingConfig, load_config
from serving.errors import ConfigError
from serving.health.stop_mark import FOLDER_VARIABLE
from serving.java import memory
from serving.java.memory import FRONT_MEMORY_BYTES, front_memory, least_memory
from serving.launch.launch import Launch
from serving.torchserve import configure
from serving.torchserve.configure import SHIPPED, torchserve_environment, write_configuration
from tests.unit.serving.torchserve.shipped import MODEL, log_config, properties, yaml_of


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return Launch(
        folder=tmp_path / "serve",
        store=tmp_path / "store",
        ports=(18080, 18081, 18082),
        redis_url="redis://127.0.0.1:16379/0",
        batch_size=7,
        max_batch_delay_ms=3,
    )


def test_a_launch_has_its_own_ports_and_absolute_paths(launch: Launch) -> None:
    written = properties(write_configuration(launch))
    assert written["inference_address"] == "http://127.0.0.1:18080"
    assert written["management_address"] == "http://127.0.0.1:18081"
    assert written["metrics_address"] == "http://127.0.0.1:18082"
    # from the launch's folder, in which TorchServe runs: no path that could have a space
    assert (launch.folder / written["model_store"] / "spt").is_dir()
    assert (launch.folder / log_config(written["vmargs"])).samefile(launch.folder / "log4j2.xml")


def test_a_launch_shares_no_port_with_the_shipped_defaults_of_torchserve(launch: Launch) -> None:
    written = properties(write_configuration(launch))
    others = ("grpc_inference_port", "grpc_management_port", "initial_worker_port")
    ports = [written[key] for key in others]
    assert len(set(ports)) == 3
    assert not {"7070", "7071", "9000"} & set(ports)


def test_a_launch_keeps_what_it_does_not_change(launch: Launch) -> None:
    shipped = properties(SHIPPED / "config.properties")
    written = properties(write_configuration(launch))
    kept = {"load_models", "prefer_direct_buffer", "decode_input_request"}
    assert all(written[key] == shipped[key] for key in kept)


PLAIN_MEMORY_BYTES = 4 << 30
"""What the plain configuration, which knows no machine, gives the front."""


def set_memory(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    """Have the machine seem to have so much memory."""
    for module in (configure, memory):
        monkeypatch.setattr(module, "memory_of_machine", lambda: num_bytes)


def plan_of(config: dict[str, str], memory_bytes: int) -> None:
    """Assert that Java and TorchServe are told what fits into the memory."""
    batch = yaml_of(MODEL / "model-config.yaml")["batchSize"]
    plan = front_memory(memory_bytes, int(config["max_request_size"]), batch)
    told = {flag: flag for flag in plan.flags} | {"job_queue_size": str(plan.queue)}
    found = {flag: flag for flag in config["vmargs"].split() if flag in told}
    assert found | {"job_queue_size": config["job_queue_size"]} == told


def test_the_shipped_queue_body_limit_and_memory_agree() -> None:
    shipped = properties(SHIPPED / "config.properties")
    assert int(shipped["max_request_size"]) == ServingConfig().image_limits.max_bytes
    plan_of(shipped, PLAIN_MEMORY_BYTES)
    assert "-XX:+ExitOnOutOfMemoryError" in shipped["vmargs"].split()


@pytest.mark.parametrize("body", [1_000_000, 5_000_000])
def test_a_launchs_queue_follows_from_its_memory_and_its_body_limit(
    launch: Launch, body: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_memory(monkeypatch, 8 << 30)
    settings = {"image_limits": {"max_bytes": body}, "front_memory_bytes": 2 << 30}
    given = launch.model_copy(update={"settings": settings, "batch_size": 32})
    written = properties(write_configuration(given))
    assert int(written["max_request_size"]) == body
    plan_of(written, 2 << 30)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (64 << 30, FRONT_MEMORY_BYTES),
        (8 << 30, 4 << 30),
        (3 << 30, least_memory(MAX_BODY_BYTES, 32)),
    ],
)
def test_without_a_setting_the_front_takes_half_the_machine_at_most(
    launch: Launch, machine: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_memory(monkeypatch, machine)
    given = launch.model_copy(update={"batch_size": 32})
    plan_of(properties(write_configuration(given)), expected)


@pytest.mark.parametrize(
    ("settings", "machine", "words"),
    [
        ({"front_memory_bytes": 1 << 30}, 8 << 30, "too little.*max_bytes"),
        ({"front_memory_bytes": 16 << 30}, 8 << 30, "this machine has"),
        ({"image_limits": {"max_bytes": 500_000_000}}, 8 << 30, "too little.*max_bytes"),
        ({}, 1 << 30, "too little.*max_bytes"),
    ],
)
def test_a_front_that_would_drown_is_not_started(
    launch: Launch,
    settings: dict[str, Any],
    machine: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_memory(monkeypatch, machine)
    given = launch.model_copy(update={"settings": settings, "batch_size": 32})
    with pytest.raises(ConfigError, match=words):
        write_configuration(given)


def test_nothing_that_java_is_told_is_split_at_a_space_of_a_path(tmp_path: Path) -> None:
    launch = Launch(folder=tmp_path / "My café" / "serve", store=tmp_path / "My store")
    path = write_configuration(launch)
    written = properties(path)
    assert path.read_bytes().isascii()
    flags = written["vmargs"].split()
    assert [flag for flag in flags if not flag.startswith("-")] == []
    assert (launch.folder / log_config(written["vmargs"])).is_file()
    assert (launch.folder / written["model_store"]).is_dir()


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, "C.UTF-8"),
        ({"LANG": "C"}, "C.UTF-8"),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, "C.UTF-8"),
        ({"LANG": "de_DE.ISO-8859-1"}, "C.UTF-8"),
        ({"LC_ALL": "", "LANG": "de_DE.utf8"}, ""),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "C"}, "en_US.UTF-8"),
    ],
    ids=repr,
)
def test_java_reads_paths_as_utf8(
    launch: Launch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: dict[str, str],
    expected: str,
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert torchserve_environment(launch, tmp_path)["LC_ALL"] == expected


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    assert load_config({}, tmp_path).redis_url is None


def test_a_launch_settings_reach_the_model(launch: Launch, tmp_path: Path) -> None:
    launch = launch.model_copy(update={"weights": tmp_path / "w.safetensors", "backbone": "vit_x"})
    write_configuration(launch)
    folder = launch.folder / "model_store" / "spt"
    settings = yaml_of(folder / "model-config.yaml")
    assert (settings["batchSize"], settings["maxBatchDelay"]) == (7, 3)
    assert settings["startupTimeout"] == yaml_of(MODEL / "model-config.yaml")["startupTimeout"]
    config = load_config(settings["spt"], folder)
    assert (config.backbone, config.store) == ("vit_x", tmp_path / "store")
    assert config.weights == tmp_path / "w.safetensors"


def test_relative_folders_are_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = properties(write_configuration(Launch(folder=Path("serve"), store=Path("store"))))
    assert (tmp_path / "serve" / written["model_store"]).is_dir()
    settings = yaml_of(tmp_path / "serve" / "model_store" / "spt" / "model-config.yaml")
    assert settings["spt"]["store"] == str(tmp_path / "store")


def test_a_configuration_written_twice_is_the_same_but_for_free_ports(launch: Launch) -> None:
    first, second = (properties(write_configuration(launch)) for _ in range(2))
    chosen = {"grpc_inference_port", "grpc_management_port", "initial_worker_port"}
    assert {k: v for k, v in first.items() if k not in chosen} == {
        k: v for k, v in second.items() if k not in chosen
    }


def test_callers_need_no_token_unless_the_launch_says_so(launch: Launch) -> None:
    shipped = properties(SHIPPED / "config.properties")
    assert shipped["disable_token_authorization"] == "true"
    open_to_all = properties(write_configuration(launch))
    assert open_to_all["disable_token_authorization"] == "true"
    guarded = properties(write_configuration(launch.model_copy(update={"token": True})))
    assert guarded["disable_token_authorization"] == "false"
    assert float(guarded["token_expiration_min"]) >= 365 * 24 * 60


@pytest.mark.parametrize("ports", [(1, 2, 3), (8080, 8081, 8082)])
def test_a_launch_binds_nothing_but_loopback_whatever_its_ports(
    launch: Launch, ports: tuple[int, int, int]
) -> None:
    written = properties(write_configuration(launch.model_copy(update={"ports": ports})))
    addresses = {key: value for key, value in written.items() if key.endswith("_address")}
    assert len(addresses) == 5
    for address in addresses.values():
        assert re.fullmatch(r"(http://)?127\.0\.0\.1(:[0-9]+)?", address)


def test_no_field_and_no_setting_of_a_launch_names_an_address(launch: Launch) -> None:
    for field in ("management_address", "metrics_address", "host"):
        with pytest.raises(ValidationError):
            Launch(folder=launch.folder, **{field: "http://0.0.0.0:8081"})
        with pytest.raises(ConfigError, match=field):
            write_configuration(launch.model_copy(update={"settings": {field: "0.0.0.0"}}))


def test_torchserves_own_variables_cannot_move_a_launch_to_another_address(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TS_CONFIG_FILE", "/elsewhere/config.properties")
    monkeypatch.setenv("TS_MANAGEMENT_ADDRESS", "http://0.0.0.0:8081")
    variables = torchserve_environment(launch, tmp_path / "scratch")
    assert [name for name in variables if name.startswith("TS_")] == []
    assert "enable_envvars_config" not in properties(write_configuration(launch))


def test_the_worker_is_told_where_its_launch_leaves_word(launch: Launch, tmp_path: Path) -> None:
    assert torchserve_environment(launch, tmp_path)[FOLDER_VARIABLE] == str(launch.folder.resolve())


def test_files_named_at_a_launch_are_found_from_where_it_was_typed(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    of_a_team = {"key": "b.pem", "tasks": ["team-a-*"], "embedded": False}
    settings = {"tenants": "tenants.json", "trusted_keys": ["a.pem", of_a_team]}
    written = write_configuration(launch.model_copy(update={"settings": settings}))
    model = written.parent / "model_store" / "spt"
    config = load_config(yaml_of(model / "model-config.yaml")["spt"], model)
    assert config.tenants == tmp_path / "tenants.json"
    assert [(one.key, one.tasks, one.embedded) for one in config.trusted_keys] == [
        (tmp_path / "a.pem", ("*",), True),
        (tmp_path / "b.pem", ("team-a-*",), False),
    ]


def test_a_worker_that_keeps_dying_is_started_again_for_a_day(launch: Launch) -> None:
    model = write_configuration(launch).parent / "model_store" / "spt"
    assert yaml_of(model / "model-config.yaml")["maxRetryTimeoutInSec"] >= 24 * 3600


def test_the_environment_keeps_two_services_apart(launch: Launch, tmp_path: Path) -> None:
    variables = torchserve_environment(launch, tmp_path / "scratch")
    assert variables["TMPDIR"] == str(tmp_path / "scratch")
    assert variables["LOG_LOCATION"] == str(launch.folder / "logs")
    assert variables["REDIS_URL"] == launch.redis_url
    assert (Path(variables["JAVA_HOME"]) / "bin" / "java").exists()


def test_torchserve_stands_beside_this_python() -> None:
    assert (Path(sys.executable).parent / "torchserve").is_file()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"stor": "x"}, "stor"),
        ({"max_batch": 0}, "max_batch"),
        ({"image_limits": {"max_pixels": "many"}}, "max_pixels"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings: Any, named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=named):
        load_config(settings, tmp_path)


def test_redis_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://here:1/0")
    assert load_config({}, tmp_path).redis_url == "redis://here:1/0"
    monkeypatch.delenv("REDIS_URL")
    assert load_config({}, tmp_path).redis_url is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backend": "onnx"}, "export"),
        ({"precision": "int8"}, "backend: onnx"),
        ({"precision": "fp8"}, "spt export --precision fp8"),
        ({"backend": "onnx", "onnx": "x", "precision": "fp8"}, "torch"),
        ({"backend": "onnx", "onnx": "x", "precision": "bfloat16"}, "torch"),
        ({"backend": "onnx", "onnx": "x", "compile": True}, "torch"),
        ({"backend": "tensorflow"}, "backend"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_starts(
    settings: dict[str, Any], words: str, launch: Launch
) -> None:
    with pytest.raises(ConfigError, match=words):
        write_configuration(launch.model_copy(update={"settings": settings}))


def test_a_launchs_settings_reach_the_engine_with_paths_that_hold_anywhere(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"backend": "onnx", "onnx": "exported", "preload": "all", "pinned": ["pets"]}
    written = write_configuration(launch.model_copy(update={"settings": settings}))
    model = written.parent / "model_store" / "spt"
    config = load_config(yaml_of(model / "model-config.yaml")["spt"], model)
    assert config.onnx == tmp_path / "exported"
    assert (config.preload, config.pinned) == ("all", ("pets",))


@pytest.mark.parametrize(
    ("settings", "shipped"),
    [({}, "log4j2.xml"), ({"log_format": "json"}, "log4j2-json.xml")],
)
def test_torchserves_own_lines_have_the_launchs_format(
    launch: Launch, settings: dict[str, Any], shipped: str
) -> None:
    write_configuration(launch.model_copy(update={"settings": settings}))
    assert (launch.folder / "log4j2.xml").read_text() == (SHIPPED / shipped).read_text()
