"""What holds for every test: whose neighbour it may be, and how it shares the machine."""

import gc
import os
import sys
from collections.abc import Callable, Generator
from dataclasses import is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
from beartype import BeartypeConf, beartype
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# before torch is loaded, for every process that the tests start: threads that wait for one another
# sleep, else two trainings on two busy cores take ten times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Java's second compiler is for services of hours: those of the tests end before it pays
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


SHARED = ("tests/e2e/shared/", "tests/unit/serving/onnx/")
"""Folders whose tests share what is slow to make: a service, an export."""

ASKED_FOR = {Path(__file__).parent / name: name for name in ("browser", "scale")}
"""Folders -> the marker that asks for them: `make test-browser`, `make test-scale`."""

AS_JAXTYPING = BeartypeConf(violation_type=TypeError)
"""What is of another type than it should be raises what Python would."""

LONGEST = (
    "tests/e2e/test_fault_suite.py",
    "tests/unit/bench/test_bench_runs.py",
    "tests/unit/serving/trunk/test_cpu.py",
    "tests/e2e/test_asgi_front.py",
    "tests/unit/serving/trunk/cuda/test_kernels.py",
    "tests/unit/serving/onnx/",
    "tests/e2e/",
    "tests/integration/",
    "tests/unit/trainer/",
)
"""What begins first, so that no process works alone at the end."""


def checked_from_the_first_call(check: Callable[..., Any]) -> Callable[..., Any]:
    """Return jaxtyping's decorator, which builds a function's check when that is first called.

    A process imports everything and calls a part of it; to build all checks takes many seconds.
    A function that takes and returns no arrays is checked by the type checker alone: jaxtyping
    would bind its arguments and check them twice, for shapes that it does not have.
    """

    def decorator(*, typechecker: Any) -> Callable[[Any], Any]:
        def checked(function: Any) -> Any:
            if has_arrays(function):
                return check(function, typechecker=typechecker)
            return beartype(function, conf=AS_JAXTYPING)

        def decorate(what: Any) -> Any:
            if is_dataclass(what):
                what.__init__ = later(checked, what.__init__)
            return what if isinstance(what, type) else later(checked, what)

        return decorate

    return decorator


def has_arrays(function: Any) -> bool:
    """Whether a function's annotations have shapes, or are text that may have some."""
    annotations = function.__annotations__
    return "jaxtyping." in repr(annotations) or any(
        isinstance(a, str) for a in annotations.values()
    )


def later(decorate: Callable[[Any], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is decorated when it is first called.

    Of functions that are made anew by each call of another one, the first that is called is
    decorated: that takes a thousand times as long as to make one.
    """
    decorated = None

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal decorated
        if decorated is None:
            decorated = function if id(function.__code__) in decorated_code else decorate(function)
            decorated_code.add(id(function.__code__))
        return decorated(*args, **kwargs)

    return call


decorated_code: set[int] = set()
"""By identity: two functions of equal code may have other annotations."""


# the import hook decorates by this name
jaxtyping.jaxtyped = checked_from_the_first_call(jaxtyping.jaxtyped)


class ByFile(LoadFileScheduling):
    """Tests of one file run in one process, and so do all of a folder that shares something."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in SHARED if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Return how tests are shared out among processes."""
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from what stays: all modules and all tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave folders out whose tests take long, or what is not installed, unless asked for them."""
    marker = ASKED_FOR.get(collection_path)
    return None if marker is None or config.getoption("markexpr") == marker else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first; else the order stays."""
    items.sort(key=lambda item: place_of(item.nodeid))


def place_of(nodeid: str) -> int:
    """Return how early a test begins: the place of the first of `LONGEST` that it belongs to."""
    return next((i for i, what in enumerate(LONGEST) if nodeid.startswith(what)), len(LONGEST))


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives way lowers its process for good: not the one of all tests."""
    monkeypatch.setattr("adapters.program.give_way", lambda: None)


@pytest.fixture(autouse=True, scope="module")
def _nobody_observes_after() -> Generator[None]:
    """A service in the process of the tests begins its metrics for good: not the next module's."""
    yield
    observing = sys.modules.get("serving.observing.observers")
    if observing is not None:
        for one in observing.OBSERVERS._all:
            observing.OBSERVERS.remove(one)
