"""`python -m tests.browser.chromium`: sees to it that there is a headless Chromium.

Debian's package is taken where there is apt and the user may install; else Playwright fetches one.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DEBIANS = "chromium-headless-shell"


def found() -> str | None:
    """Return the program of this machine, None where Playwright must have its own."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def main() -> None:
    """Install what is missing; end with the installer's status if that fails."""
    if found() is not None:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "--quiet", "update"], check=True)
        words = ["apt-get", "--quiet", "--yes", "--no-install-recommends", "install", DEBIANS]
        subprocess.run(words, check=True)
        return
    command = [sys.executable, "-m", "playwright", "install", "chromium-headless-shell"]
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
