"""The systemd unit: read by systemd, with this environment's `spt` in place of that in /opt."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.operations.tools import FILES, Wrong, said

_UNIT = FILES / "systemd" / "spt.service"


def check() -> str:
    """Have systemd verify the unit, and say how exposed it is.

    Raises:
        Wrong: it warns of something.
    """
    ours = Path(sys.executable).parent / "spt"
    with TemporaryDirectory() as folder:
        unit = Path(folder) / _UNIT.name
        unit.write_text(_UNIT.read_text().replace("/opt/spt/bin/spt run", f"{ours} run"))
        told = said("systemd-analyze", "verify", "--man=no", unit)
        exposed = said("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    if told.strip():
        raise Wrong(f"systemd: {told.strip()}")
    return exposed.strip().splitlines()[-1].lstrip("→ ")
