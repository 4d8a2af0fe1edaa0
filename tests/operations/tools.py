"""The programs that check the files: those of this machine, or fetched once into runs/tools."""

import shutil
import site
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FILES = ROOT / "serving" / "operations"
_TOOLS = ROOT / "runs" / "tools"
_PINS = Path(__file__).parent / "tools.txt"


class Wrong(Exception):
    """A file is not as it must be, or what would tell is missing; says which, and why."""


def said(*command: str | Path) -> str:
    """Run a program and return all that it says.

    Raises:
        Wrong: it is missing, or it failed; what it said.
    """
    words = list(map(str, command))
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Wrong(f"{words[0]} is not on this machine; install it") from None
    if done.returncode != 0:
        raise Wrong(f"{' '.join(words[:3])} …: {(done.stdout + done.stderr).strip()}")
    return done.stdout + done.stderr


def prometheus(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`; from Debian's package where it is missing."""
    if found := shutil.which(name):
        return Path(found)
    unpacked = _TOOLS / "prometheus"
    if not unpacked.exists():
        _unpack(unpacked)
    return unpacked / "usr" / "bin" / name


def _unpack(folder: Path) -> None:
    archives = _TOOLS / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "download", "prometheus"]
    try:
        subprocess.run(fetch, cwd=archives, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Wrong("put prometheus and promtool on the PATH: this is no Debian") from None
    except subprocess.CalledProcessError as error:
        raise Wrong(f"{' '.join(fetch)}: {error.stderr.strip()}; apt-get update helps") from error
    said("dpkg-deb", "-x", next(archives.glob("prometheus_*.deb")), folder)


def python_tools() -> Path:
    """Return a folder with the tools that pip has, which can be imported from now on."""
    pins = _PINS.read_text()
    folder, done = _TOOLS / "python", _TOOLS / "python.txt"
    if not done.exists() or done.read_text() != pins:
        shutil.rmtree(folder, ignore_errors=True)
        # helm-sdkpy asks for Python 3.12, and its bindings run on 3.11
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        said(*pip, "--ignore-requires-python", "--target", folder, "--requirement", _PINS)
        done.write_text(pins)
    site.addsitedir(str(folder))
    return folder
