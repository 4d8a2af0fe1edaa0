"""Numbers are written in one way, everywhere."""

import pytest

from trainer.page.words import duration, milliseconds, percent, recorded, shorten, signed, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10 s"),
        (75.0, "1 min 15 s"),
        (3600.0, "1 h 0 min"),
        (7384.0, "2 h 3 min"),
    ],
)
def test_durations_are_written_in_two_units(seconds: float, text: str):
    assert duration(seconds) == text


def test_sizes_are_written_in_the_largest_unit():
    assert [size(n) for n in (999, 191_348, 2_000_000)] == ["999 B", "191 kB", "2 MB"]


def test_a_difference_has_its_sign_and_nothing_has_none():
    assert [signed(n) for n in (0.54, -0.54, 0.0, -0.04)] == [
        "+0.5",
        "\N{MINUS SIGN}0.5",
        "0.0",
        "0.0",
    ]


def test_shares_are_percentages_and_what_was_not_measured_is_a_dash():
    assert (percent(0.5), percent(1, 0), milliseconds(None)) == ("50.0%", "100%", "-")


def test_a_long_name_ends_in_an_ellipsis():
    assert (shorten("abcdef", 4), shorten("abcd", 4)) == ("abc…", "abcd")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (12_544, "12,544"),
        (0.1 + 0.2, "0.3"),
        ("a b", "a b"),
        ([1, 2], "[1, 2]"),
        ([[1] * 5, [2] * 5], "10 numbers from 1 to 2, median 1.5"),
    ],
)
def test_values_of_a_document_are_written_for_people(value: object, text: str):
    assert recorded(value) == text
