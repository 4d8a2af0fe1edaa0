"""A name that is none is answered with one or two that are alike, or with none."""

import argparse

import pytest

from adapters.suggestions import did_you_mean, one_of

NAMES = ["digits", "digit", "digitz", "shapes"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shape", "; did you mean 'shapes'?"),
        ("digts", "; did you mean 'digits' or 'digit'?"),
        ("aeroplane", ""),
    ],
)
def test_at_most_two_names_are_suggested(name: str, said: str) -> None:
    assert did_you_mean(name, NAMES) == said


def test_an_argument_is_one_of_the_names_or_says_which_there_are() -> None:
    task = one_of(NAMES, "task")
    assert task("shapes") == "shapes"
    with pytest.raises(argparse.ArgumentTypeError, match="no task 'shape'; did you mean 'shapes'"):
        task("shape")
    with pytest.raises(argparse.ArgumentTypeError, match="no task 'x'; expected one of digits, "):
        task("x")
