"""A launch's service with the front of its choice: here alone both fronts are known."""

from typing import Final

from serving.front.launch import AsgiFront
from serving.launch.services import Services
from serving.torchserve.launch import TorchServe

_SERVICES: Final = Services({"torchserve": TorchServe(), "asgi": AsgiFront()})

start: Final = _SERVICES.start
stop: Final = _SERVICES.stop
why_not_ready: Final = _SERVICES.why_not_ready
rotate: Final = _SERVICES.rotate
care_of: Final = _SERVICES.care_of
