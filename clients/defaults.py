"""Where a service is and how it is asked, where a caller says nothing else."""

from typing import Final

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_MODEL: Final = "spt"
RETRIES: Final = 3
