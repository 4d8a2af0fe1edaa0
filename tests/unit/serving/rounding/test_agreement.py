"""The margin of doubt is settled by half of the images, and the floor is met on the others."""

import torch

from serving.rounding.agreement import Agreement, Seen, settle_doubt


def seen(margins, wrong):
    return Seen(torch.tensor(margins), torch.tensor(wrong))


def test_the_doubt_covers_the_widest_margin_at_which_a_label_was_wrong():
    margins = [0.1, 0.5, 0.2, 0.5, 0.3, 0.5, 0.4, 0.5]
    wrong = [True, True, False, True, True, True, False, True]
    doubt = settle_doubt({"pets": seen(margins, wrong)}, floor=0.99)
    assert 0.3 < doubt < 0.3001
    assert seen(margins, wrong).half(0).agreement(doubt) == Agreement(same=1.0, again=0.75)
    assert seen(margins, wrong).half(1).agreement(doubt) == Agreement(same=0.0, again=0.0)


def test_half_of_the_disagreements_that_the_floor_allows_may_stay():
    margins = [0.01 * i for i in range(40)]
    wrong = [i in (10, 30) for i in range(40)]
    assert settle_doubt({"pets": seen(margins, wrong)}, floor=0.8) == 0
    doubt = settle_doubt({"pets": seen(margins, wrong)}, floor=0.9)
    assert 0.10 < doubt < 0.11


def test_the_most_doubtful_task_decides_for_all():
    calm = seen([0.9] * 4, [False] * 4)
    assert settle_doubt({"calm": calm}, 0.99) == 0
    wild = seen([0.7, 0.7], [True, False])
    assert settle_doubt({"calm": calm, "wild": wild}, 0.99) > 0.7


def test_margins_that_are_no_numbers_count_as_computed_again():
    lost = seen([float("nan"), 0.5], [True, False])
    assert lost.agreement(0.1) == Agreement(same=1.0, again=0.5)
