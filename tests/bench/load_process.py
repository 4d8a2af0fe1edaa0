"""`python -m tests.bench.load_process URL CALLERS`: a load on a service, told by lines.

Lines: `ask SECONDS`, told how many requests a second were answered. One process cannot ask as fast
as a GPU answers. Loads no torch.
"""

import sys
from functools import partial

from clients.load.closed import Ask
from tests.bench.front_load import SIZE, TASKS
from tests.bench.http_load import saturate
from tests.bench.lean_client import LeanClient
from tests.bench.line_process import answer_lines
from tests.bench.photos import photos
from tests.bench.services.target import Served

NUM_PHOTOS = 64


def main() -> None:
    """Ask as told."""
    url, callers = sys.argv[1:]
    images = photos(NUM_PHOTOS, [SIZE])
    asks = [Ask(image, TASKS[i % len(TASKS)]) for i, image in enumerate(images)]
    service = Served(url, asks, partial(LeanClient, url), [])
    answer_lines({"ask": lambda s: saturate(service, float(s), int(callers)).answered_per_s})


if __name__ == "__main__":
    main()
