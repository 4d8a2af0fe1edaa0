"""`python -m tests.operations [CHECK …]`: the files of operations, held against the real programs.

Prometheus, Helm, Kubernetes' schemas, systemd and hadolint; fetched into runs/tools where missing.
"""

import argparse
import sys
import time
from collections.abc import Callable

from tests.operations import alerts, chart, container, live, unit_file
from tests.operations.tools import Wrong

_CHECKS: dict[str, Callable[[], str]] = {
    "alerts": alerts.check,
    "unit": unit_file.check,
    "container": container.check,
    "chart": chart.check,
    "live": live.check,
}


def main() -> int:
    """Check in turn; 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.operations", description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of {', '.join(_CHECKS)}")
    names = parser.parse_args().checks or list(_CHECKS)
    if unknown := set(names).difference(_CHECKS):
        parser.error(f"no check {', '.join(sorted(unknown))}; there are {', '.join(_CHECKS)}")
    return max(map(_checked, names))


def _checked(name: str) -> int:
    began_at = time.monotonic()
    try:
        found, is_right = _CHECKS[name](), True
    except Wrong as error:
        found, is_right = str(error), False
    verdict = "right" if is_right else "WRONG"
    print(f"{name:10} {verdict}: {found}; {time.monotonic() - began_at:.0f} s", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
