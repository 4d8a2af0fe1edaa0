"""Print what `ahead` and `traced` tell of an H100 without one, as JSON: in one process, one import.

A machine that lacks the tools to read compiled kernels tells nothing of them.
"""

import json

from tests.unit.serving.trunk.cuda import ahead, traced


def main() -> None:
    kernels = ahead.kernels_seen() if ahead.has_tools() else None
    print(json.dumps({"kernels": kernels, "steps": traced.steps_seen()}))


if __name__ == "__main__":
    main()
