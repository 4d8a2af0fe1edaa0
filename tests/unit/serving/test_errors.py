"""Every error has one public face, and no public face shows the machine behind it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapters.errors
import serving.errors
from adapters.cached_store import CachedStore
from adapters.codec import encode
from adapters.errors import (
    AdapterError,
    ArtifactCorrupt,
    BackboneUnsupported,
    PublishConflict,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
    WeightsError,
)
from adapters.store import DirectoryStore
from serving.errors import CODES, BadParameter, ConfigError, ExportError, LaunchError, to_wire
from serving.protocol import HTTP_STATUS, ErrorCode
from tests.artifacts import make_adapter, make_spec

NEVER_MET_BY_A_REQUEST = {
    BackboneUnsupported,  # the service does not start
    WeightsError,  # the same
    ConfigError,  # the same
    ExportError,  # the same
    LaunchError,  # the same
    PublishConflict,  # the service publishes nothing
}


def subclasses(root: type[Exception]) -> Iterator[type[Exception]]:
    for one in root.__subclasses__():
        yield one
        yield from subclasses(one)


def ours() -> set[type[Exception]]:
    modules = {adapters.errors.__name__, serving.errors.__name__}
    return {one for one in subclasses(AdapterError) if one.__module__ in modules}


def test_every_error_that_a_request_can_meet_has_a_code() -> None:
    assert ours() - NEVER_MET_BY_A_REQUEST == set(CODES)


def test_the_modules_below_the_handler_add_no_error_outside_the_two_trees() -> None:
    modules = {one.__module__ for one in subclasses(AdapterError)}
    layers = {name for name in modules if name.partition(".")[0] in {"adapters", "serving"}}
    assert layers == {adapters.errors.__name__, serving.errors.__name__}


def test_every_error_is_in_its_modules_tree() -> None:
    for error in ours():
        tree = adapters.errors if error.__module__ == "adapters.errors" else serving.errors
        assert f"── {error.__name__} " in (tree.__doc__ or ""), error


def test_every_code_has_a_status_and_is_reachable() -> None:
    assert set(HTTP_STATUS) == set(ErrorCode)
    assert set(CODES.values()) == set(ErrorCode) - {ErrorCode.INTERNAL}


@pytest.mark.parametrize(
    "error",
    [StoreUnavailable, ArtifactCorrupt, TaskNotFound, VersionNotFound, RuntimeError, OSError],
)
def test_what_an_error_says_of_our_machine_stays_private(error: type[Exception]) -> None:
    body = to_wire(error("/srv/store/pets/current.json on host-7: {}"), "pets")
    assert not {"/srv", "host-7", "json"} & set(body.message.replace("/", " /").split())
    assert "/" not in body.message
    assert body.task == "pets"


def test_faults_are_logged_with_their_cause_and_callers_mistakes_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    to_wire(BadParameter("top_k: found 'x'"), None)
    to_wire(TaskNotFound("secret"), "pets")
    assert caplog.records == []
    fault = RuntimeError("the cause")
    to_wire(fault, "pets")
    (record,) = caplog.records
    assert (record.levelno, record.exc_info and record.exc_info[1]) == (logging.ERROR, fault)


def test_a_callers_mistake_is_told_as_it_is() -> None:
    body = to_wire(BadParameter("top_k: expected 1, found '{x}'"), None)
    assert body.message == "top_k: expected 1, found '{x}'"
    assert body.code == ErrorCode.BAD_PARAMETER


def test_an_unknown_error_is_internal_even_below_a_known_one() -> None:
    class Novel(TaskNotFound):
        """Nobody has decided yet how it is told."""

    assert to_wire(Novel("x"), "pets").code == ErrorCode.INTERNAL


def error_of(source: CachedStore, task: str, version: str | None) -> AdapterError:
    try:
        source.current(task) if version is None else source.read(task, version)
    except AdapterError as error:
        return error
    raise AssertionError("it was found")


@pytest.mark.parametrize("version", [None, "0" * 64])
def test_what_the_store_cannot_find_is_told_without_its_folder(
    tmp_path: Path, version: str | None
) -> None:
    source = CachedStore(DirectoryStore(tmp_path))
    body = to_wire(error_of(source, "cars", version), "cars")
    assert body.message.startswith("no adapter is published for task 'cars'")
    source.publish(encode(make_adapter("pets")))
    body = to_wire(error_of(source, "pets", "0" * 64), "pets")
    assert (body.code, body.task) == (ErrorCode.VERSION_NOT_FOUND, "pets")
    assert str(tmp_path) not in body.message
    assert "/" not in body.message


def test_a_wrong_backbone_is_told_with_both_names() -> None:
    adapter = make_adapter(backbone=make_spec(name="vit-trained-on"))
    with pytest.raises(AdapterError) as caught:
        adapter.check_fits(make_spec(name="vit-that-serves", width=99))
    body = to_wire(caught.value, "pets")
    assert body.code == ErrorCode.WRONG_BACKBONE
    assert "vit-trained-on" in body.message
    assert "vit-that-serves" in body.message
