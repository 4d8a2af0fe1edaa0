"""The process that owns the device says in its log what the device decided."""

import logging
import sys
from types import SimpleNamespace

import pytest

from serving.device import process


@pytest.fixture
def _levels():
    ours = logging.getLogger("serving")
    before = ours.level
    yield
    ours.setLevel(before)


@pytest.mark.usefixtures("_levels")
def test_what_is_decided_at_the_start_is_said_and_no_others_chatter(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["process", str(tmp_path)])
    monkeypatch.setattr(process, "read_config", lambda _: SimpleNamespace(log_format="text"))
    monkeypatch.setattr(process, "build", lambda *_: SimpleNamespace(serve=lambda: None))
    process.run()
    assert logging.getLogger("serving.build").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
