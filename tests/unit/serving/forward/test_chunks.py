"""Rows share a forward as far as none of them pays much for another one's prompts."""

from dataclasses import replace

import numpy as np
import pytest

from serving.forward.chunks import chunks
from serving.rows.query import Extras
from serving.rows.resident import make_resident
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import seated
from tests.fakes.tiny import tiny_backbone

BLACK = np.zeros((16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


def lengths_of(backbone, *lengths, most=32, apart=True):
    residents = {
        length: make_resident(
            make_adapter(
                prompts=max(1, length),
                method="spt-deep" if length else "linear",
                backbone=backbone.spec,
            ),
            backbone,
        )
        for length in set(lengths)
    }
    rows = [seated(residents[length], BLACK) for length in lengths]
    found = chunks(rows, most, apart=apart)
    return [[row.resident.num_prompts for row in chunk] for chunk in found]


def test_a_row_with_far_more_prompts_than_the_others_gets_a_forward_without_them(backbone):
    assert lengths_of(backbone, 20, 500, 20, 8, 20) == [[20, 20, 8, 20], [500]]


def test_lengths_that_go_together_share_a_forward(backbone):
    assert lengths_of(backbone, 0, 20, 60, 8) == [[0, 20, 60, 8]]
    assert lengths_of(backbone, 100, 150, 200) == [[100, 150, 200]]


def test_where_lengths_cost_nothing_all_share_a_forward(backbone):
    assert lengths_of(backbone, 20, 500, 20, apart=False) == [[20, 500, 20]]


def test_a_forward_has_no_more_rows_than_it_may(backbone):
    assert lengths_of(backbone, *[4] * 7, most=3) == [[4] * 3, [4] * 3, [4]]


def test_rows_that_ask_where_the_model_looks_get_a_forward_without_the_others(backbone):
    resident = make_resident(make_adapter(backbone=backbone.spec), backbone)
    rows = [seated(resident, BLACK) for _ in range(4)]
    for row in rows[1::2]:
        row.query = replace(row.query, extras=Extras(attention_bytes=1))
    assert chunks(rows, 32, apart=True) == [rows[::2], rows[1::2]]


def test_no_rows_need_no_forward(backbone):
    assert lengths_of(backbone) == []
