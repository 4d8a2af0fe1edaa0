"""What the worker has to say, where the shipped log keeps it."""

import logging


def log_warnings() -> None:
    """Send warnings and errors of the whole process to standard error, too.

    TorchServe's worker sends every record to standard output, which TorchServe writes down as
    information, and our log4j2.xml drops; standard error it writes down as warnings, line by
    line, tracebacks included.
    """
    handler = logging.lastResort
    if handler is not None:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
