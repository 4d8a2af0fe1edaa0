"""Every error has one public face, and no public face shows the machine behind it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapters.errors
import serving.errors
from adapters.cache.cached_store import CachedStore
from adapters.errors import (
    ArtifactCorrupt,
    BackboneUnsupported,
    KeyFileInvalid,
    PublishConflict,
    SignatureInvalid,
    SptError,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
    WeightsError,
)
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.errors import (
    CODES,
    AdapterLoading,
    BadKey,
    BadParameter,
    BadToken,
    ConfigError,
    DeviceLost,
    DeviceOutOfMemory,
    ExportError,
    Forbidden,
    GuardBlind,
    LaunchError,
    RateLimited,
    Refused,
    ServiceStopping,
    headers_of,
    to_wire,
)
from serving.protocol import HTTP_STATUS, RETRY_HEADER, ErrorBody, ErrorCode
from tests.fakes.artifacts import make_adapter, make_spec

HAS_ITS_WORDS = {Refused}
"""Says what another process of the service has made of an error that has a code."""

NEVER_MET_BY_A_REQUEST = {
    BackboneUnsupported,  # the service does not start
    WeightsError,  # the same
    KeyFileInvalid,  # the same
    ConfigError,  # the same
    ExportError,  # the same
    LaunchError,  # the same
    GuardBlind,  # of a command that asks the service
    PublishConflict,  # the service publishes nothing
}


def subclasses(root: type[Exception]) -> Iterator[type[Exception]]:
    for one in root.__subclasses__():
        yield one
        yield from subclasses(one)


def ours() -> set[type[Exception]]:
    modules = {adapters.errors.__name__, serving.errors.__name__}
    return {one for one in subclasses(SptError) if one.__module__ in modules}


def test_every_error_that_a_request_can_meet_has_a_code() -> None:
    assert ours() - NEVER_MET_BY_A_REQUEST - HAS_ITS_WORDS == set(CODES)


def test_the_modules_below_the_handler_add_no_error_outside_the_two_trees() -> None:
    modules = {one.__module__ for one in subclasses(SptError)}
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
    [
        StoreUnavailable,
        ArtifactCorrupt,
        SignatureInvalid,
        DeviceOutOfMemory,
        TaskNotFound,
        VersionNotFound,
        RuntimeError,
        OSError,
    ],
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
    to_wire(BadKey("none"), None)
    to_wire(Forbidden("not yours"), "pets")
    to_wire(RateLimited("no more", retry_after_s=1.0), "pets")
    to_wire(ServiceStopping("soon"), "pets")
    to_wire(AdapterLoading("soon"), "pets")
    assert caplog.records == []
    fault = RuntimeError("the cause")
    to_wire(fault, "pets")
    (record,) = caplog.records
    assert (record.levelno, record.exc_info and record.exc_info[1]) == (logging.ERROR, fault)


def test_a_fault_that_was_foreseen_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    to_wire(StoreUnavailable("cannot be read"), "pets")
    (record,) = caplog.records
    assert (record.message, record.exc_info) == ("task pets: cannot be read", None)


def test_a_callers_mistake_is_told_as_it_is() -> None:
    body = to_wire(BadParameter("top_k: expected 1, found '{x}'"), None)
    assert body.message == "top_k: expected 1, found '{x}'"
    assert body.code == ErrorCode.BAD_PARAMETER


def test_an_unknown_error_is_internal_even_below_a_known_one() -> None:
    class Novel(TaskNotFound):
        """Nobody has decided yet how it is told."""

    assert to_wire(Novel("x"), "pets").code == ErrorCode.INTERNAL


def test_an_artifact_that_nobody_signed_is_a_fault_on_our_side_that_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = to_wire(SignatureInvalid("artifact of pets: found none"), "pets")
    assert HTTP_STATUS[body.code] == 500
    assert "sign it and publish it again" in body.message
    assert "found none" in caplog.text


@pytest.mark.parametrize(("wait_s", "header"), [(0.001, "1"), (1.0, "1"), (1.2, "2"), (0.0, "0")])
def test_a_limit_says_when_to_ask_again_in_whole_seconds_and_exactly(
    wait_s: float, header: str
) -> None:
    body = to_wire(RateLimited("no more", retry_after_s=wait_s), "pets")
    assert body.retry_after_s == wait_s
    assert headers_of(body) == {"Retry-After": header}


def test_a_refused_key_says_how_to_get_in_and_other_failures_add_no_header() -> None:
    assert headers_of(to_wire(BadKey("none"), None)) == {"WWW-Authenticate": "ApiKey"}
    assert headers_of(to_wire(BadToken("none"), None)) == {"WWW-Authenticate": "Bearer"}
    assert headers_of(to_wire(Forbidden("not yours"), "pets")) == {}


def error_of(source: CachedStore, task: str, version: str | None) -> SptError:
    try:
        source.current(task) if version is None else source.read(task, version)
    except SptError as error:
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
    with pytest.raises(SptError) as caught:
        adapter.check_fits(make_spec(name="vit-that-serves", width=99))
    body = to_wire(caught.value, "pets")
    assert body.code == ErrorCode.WRONG_BACKBONE
    assert "vit-trained-on" in body.message
    assert "vit-that-serves" in body.message


def test_rows_that_share_an_error_share_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    fault = RuntimeError("the forward failed")
    for task in ("pets", "cars", "dogs"):
        to_wire(fault, task)
    assert [record.exc_info is not None for record in caplog.records] == [True, False, False]


def test_a_lost_device_asks_its_callers_to_come_again(caplog: pytest.LogCaptureFixture) -> None:
    body = to_wire(DeviceLost("the device is lost; ask again"), "pets")
    assert HTTP_STATUS[body.code] == 503
    assert float(headers_of(body)[RETRY_HEADER]) > 0
    assert caplog.records == []


def test_what_another_process_has_said_is_told_as_it_is() -> None:
    body = ErrorBody(code="task_not_found", message="no such task", task="pets")
    assert to_wire(Refused(body), "another") == body
