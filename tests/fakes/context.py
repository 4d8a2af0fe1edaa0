"""Stand-ins for what is not ours."""

from collections.abc import Mapping, Sequence
from typing import Any


class FakeContext:
    """TorchServe's context for one batch: hands out headers, notes what the handler says.

    Args:
        headers: of each request of the batch.
        settings: the `spt:` section of model-config.yaml.
        model_dir: where that file lies.
    """

    def __init__(
        self,
        headers: Sequence[Mapping[str, str]] = (),
        *,
        settings: Mapping[str, Any] | None = None,
        model_dir: str = ".",
    ) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.model_yaml_config = {} if settings is None else {"spt": dict(settings)}
        self.statuses: dict[int, tuple[int, str]] = {}
        self.response_headers: dict[int, dict[str, str]] = {}
        self._headers = headers

    def get_request_header(self, idx: int, key: str) -> str | None:
        return self._headers[idx].get(key) if self._headers else None

    def get_request_id(self, idx: int = 0) -> str | None:
        return f"id-of-{idx}"

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        return dict(self._headers[idx]) if self._headers else {}

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.statuses[idx] = (code, phrase)

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.response_headers.setdefault(idx, {})[key] = value

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)
