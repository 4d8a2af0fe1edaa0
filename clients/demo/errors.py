"""The one way in which the demo gives up."""


class DemoError(Exception):
    """A step did not work out; the message says which, where, and what to do.

    Cause: A port or disk is not free, or a step ended before its time.
    Cure: The message names the step and its log. Run `make demo` again after that.
    """
