"""The one way in which the demo gives up."""


class DemoError(Exception):
    """A step did not work out; the message says which, where, and what to do."""
