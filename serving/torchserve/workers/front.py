"""`torchserve`, with another program as the Python that begins its workers.

`python -m serving.torchserve.workers.front PROGRAM [ARGUMENT…]` runs `torchserve ARGUMENT…`, which
always names its own Python to Java: an entry `python` of config.properties counts for nothing.
"""

import sys

from ts.model_server import start

if __name__ == "__main__":
    sys.executable = sys.argv.pop(1)
    start()
