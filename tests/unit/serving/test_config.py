"""Settings of who may ask and whom we trust."""

from pathlib import Path

import pytest

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
    assert config.trusted_keys == (tmp_path / "spt" / "a.pem", Path(absolute))


def test_one_key_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trusted_keys"):
        load_config({"trusted_keys": "a.pem"}, tmp_path)
