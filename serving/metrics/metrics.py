"""All metrics that one process tells: its own, or those of its launch."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving.health.probes import Page
from serving.health.reasons import why_no_callers
from serving.health.vitals import Vitals
from serving.inference.state import State
from serving.metrics.files import reading
from serving.metrics.recorder import Recorder
from serving.metrics.sampler import Sampler
from serving.metrics.series import Series
from serving.metrics.table import METRICS
from serving.metrics.versions import Versions, VersionsFile
from serving.observing.observer import Observer
from serving.observing.observers import OBSERVERS

_VERSIONS: Final = "versions.json"


class Metrics:
    """What a process counts, and the text in which it is told.

    Args:
        folder: of the files of all processes of a launch; None for one that is alone.

    Attributes:
        observer: counts what it is told of.
    """

    def __init__(self, folder: Path | None) -> None:
        disable_created_metrics()  # a second series for each, which nobody reads
        self._folder = folder
        self._registry = CollectorRegistry()
        self._series = Series(self._registry if folder is None else None)
        self._versions = Versions()
        self._sampler: Sampler | None = None
        self.observer: Observer = Recorder(self._series, self._versions)
        if folder is None:
            self._registry.register(self._versions)
        else:
            MultiProcessCollector(self._registry, str(folder))
            self._registry.register(VersionsFile(folder / _VERSIONS))

    def own_device(self, state: Callable[[], State]) -> None:
        """Tell from now on what this process knows of the device that it owns.

        Args:
            state: tells it.
        """
        self._sampler = Sampler(self._series, state, self._leave_versions)
        self._sampler.sample()
        self._sampler.start()

    def tell_health(self, vitals: Vitals, is_stopping: Callable[[], bool]) -> None:
        """Tell from now on whether the service is ready, as the process that is asked sees it.

        Args:
            vitals: of this process.
            is_stopping: whether the service should get no new callers.
        """
        self._registry.register(_Health(vitals, is_stopping))

    @property
    def page(self) -> Page:
        """What is shown at `/metrics`."""
        return Page(CONTENT_TYPE_PLAIN_0_0_4, self.text)

    def text(self) -> bytes:
        """Return all metrics in the format of Prometheus.

        Raises:
            OSError: the folder is gone.
        """
        if self._folder is None:
            if self._sampler is not None:
                self._sampler.sample()
            return generate_latest(self._registry)
        with reading(self._folder):
            return generate_latest(self._registry)

    def close(self) -> None:
        """Count no more, and let the thread end."""
        OBSERVERS.remove(self.observer)
        if self._sampler is not None:
            self._sampler.close()

    def _leave_versions(self) -> None:
        if self._folder is not None:
            self._versions.write(self._folder / _VERSIONS)


class _Health(Collector):
    """Gauges that are read when they are asked for."""

    def __init__(self, vitals: Vitals, is_stopping: Callable[[], bool]) -> None:
        self._vitals = vitals
        self._is_stopping = is_stopping

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        why_not = why_no_callers(self._vitals, is_stopping=self._is_stopping())
        values = {
            "spt_ready": float(why_not is None),
            "spt_heartbeat_age_seconds": self._vitals.heartbeat.age_s,
        }
        return [
            GaugeMetricFamily(name, METRICS[name].meaning, value=value)
            for name, value in values.items()
        ]
