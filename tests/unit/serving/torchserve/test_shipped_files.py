"""What TorchServe is told by the files that ship: they are whole."""

import json
import re
import xml.etree.ElementTree as ET
from importlib import import_module
from pathlib import Path

from adapters.artifact.backbone_spec import EMBEDDED
from serving.config import ServingConfig, load_config
from serving.handler import Handler
from serving.torchserve.configure import SHIPPED
from tests.unit.serving.torchserve.shipped import MODEL, PROJECT, log_config, properties, yaml_of


def test_the_shipped_configuration_works_from_the_projects_folder() -> None:
    shipped = properties(SHIPPED / "config.properties")
    assert (PROJECT / shipped["model_store"] / shipped["load_models"]).resolve() == MODEL.resolve()
    assert (PROJECT / log_config(shipped["vmargs"])).is_file()
    relative = (shipped["model_store"], log_config(shipped["vmargs"]))
    assert not any(Path(path).is_absolute() for path in relative)


def test_everything_that_ships_listens_on_loopback_only() -> None:
    shipped = properties(SHIPPED / "config.properties")
    addresses = {key: value for key, value in shipped.items() if key.endswith("_address")}
    assert len(addresses) == 5
    assert all("127.0.0.1" in value for value in addresses.values())


def test_no_other_model_can_be_loaded_into_a_service_that_runs() -> None:
    shipped = properties(SHIPPED / "config.properties")
    assert shipped["enable_model_api"] == "false"
    for url in ("http://127.0.0.1/a.mar", "https://example.org/a.mar", "file:///tmp/a.mar"):
        assert not re.fullmatch(shipped["allowed_urls"], url)


def test_the_shipped_model_settings_are_understood_and_name_the_default_store() -> None:
    config = load_config(yaml_of(MODEL / "model-config.yaml")["spt"], MODEL)
    assert config.store == (PROJECT / "runs" / "store").resolve()
    assert config.backbone == EMBEDDED


def test_the_shipped_settings_are_none_that_torchserve_changes_silently() -> None:
    settings = yaml_of(MODEL / "model-config.yaml")
    assert settings["minWorkers"] == settings["maxWorkers"] == 1
    assert settings["maxBatchDelay"] >= 1
    assert settings["batchSize"] <= ServingConfig().max_batch


def test_a_body_at_the_decoders_limit_passes_the_frontend() -> None:
    shipped = properties(SHIPPED / "config.properties")
    assert int(shipped["max_request_size"]) >= ServingConfig().image_limits.max_bytes


def test_the_shipped_manifest_names_the_handler_and_its_settings() -> None:
    manifest = json.loads((MODEL / "MAR-INF" / "MANIFEST.json").read_text())["model"]
    assert import_module(manifest["handler"]).Handler is Handler
    assert (MODEL / manifest["configFile"]).is_file()


def test_the_shipped_log_configuration_is_xml_that_warns_and_no_more() -> None:
    root = ET.parse(SHIPPED / "log4j2.xml").getroot()
    (level,) = [element.get("level") for element in root.iter("Root")]
    assert level == "warn"
