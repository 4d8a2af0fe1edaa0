"""The engine of a front: decodes images here, and has their rows computed by the device process.

The same calls as `serving.inference.engine.Engine`, without torch.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings, Decoding, Pictures
from serving.inference.description import Description
from serving.rows.query import Outcome, Query
from serving.runtime.device_client import DeviceClient

COMPUTE_S: Final = 30.0
"""Longest wait for the device, on top of what cold adapters and images may take."""

PROBE_S: Final = 30.0


class FrontEngine:
    """Answers queries with the device of another process; safe for many threads.

    Args:
        device: that process.
        decoding: what decoding images may cost here.
        patience_s: how long a batch waits, in all, for adapters that are cold or stand in.
    """

    def __init__(self, device: DeviceClient, decoding: DecoderSettings, patience_s: float) -> None:
        self._device = device
        self._decoder = Decoder(decoding)
        self._decode_patience_s = decoding.patience_s
        self._patience_s = patience_s

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other."""
        try:
            return self._predict(queries)
        except Exception as error:  # of the device's: there is no row that it leaves out
            return [error] * len(queries)

    def probe(self) -> None:
        """Have one row of nothing computed; raise what keeps it from that."""
        self._device.probe(PROBE_S)

    def describe(self, tasks: Iterable[str] | None = None) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        return self._device.describe(tasks, PROBE_S)

    def close(self) -> None:
        """Let the threads and the device go."""
        self._decoder.close()
        self._device.close()

    def _predict(self, queries: Sequence[Query]) -> list[Outcome]:
        if not queries:
            return []
        seats = self._device.seat(queries, Deadline.after(self._patience_s + COMPUTE_S))
        rules = {
            place: rule for place, rule in enumerate(seats.rows) if isinstance(rule, Preprocessing)
        }
        try:
            found = self._decode(queries, rules)
        except BaseException:
            self._device.forget(seats)
            raise
        pictures = {place: one for place, one in found.items() if isinstance(one, Picture)}
        outcomes = self._device.compute(seats, pictures, Deadline.after(COMPUTE_S))
        errors = dict(enumerate(seats.rows)) | found
        return [outcomes.get(place) or _error(errors[place]) for place in range(len(queries))]

    def _decode(
        self, queries: Sequence[Query], rules: dict[int, Preprocessing]
    ) -> dict[int, Picture | Exception]:
        """Decode each distinct image once, under all the rules that it is asked under."""
        deadline = Deadline.after(self._decode_patience_s)
        places: dict[int, list[int]] = defaultdict(list)
        for place in rules:
            places[id(queries[place].image)].append(place)
        decodings: dict[int, Decoding] = {}
        for alike in places.values():
            started = self._decoder.start(
                queries[alike[0]].image, {rules[place] for place in alike}
            )
            decodings |= dict.fromkeys(alike, started)
        made = self._decoder.finish(set(decodings.values()), deadline)
        return {place: _picture(made[one], rules[place]) for place, one in decodings.items()}


def _picture(made: Pictures | Exception, rule: Preprocessing) -> Picture | Exception:
    return made if isinstance(made, Exception) else made[rule]


def _error(found: Preprocessing | Picture | Exception) -> Exception:
    assert isinstance(found, Exception)
    return found
