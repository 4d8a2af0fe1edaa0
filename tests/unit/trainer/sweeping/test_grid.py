"""Which points are tried, which is the best, and whether it lies inside of them."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trainer.toy import toy_recipe
from trainer.sweeping.grid import Grid, Settings, Trial, at_edge, best_of

RECIPE = toy_recipe(method="spt-deep")


def trial(lr: float, accuracy: float, loss: float = 1.0, **further: float) -> Trial:
    return Trial({"lr": lr} | further, accuracy, loss, 1.0)


def test_of_equals_the_smaller_rate_is_the_best_then_the_lower_loss():
    trials = [trial(1.0, 0.5), trial(2.0, 0.7, 0.9), trial(3.0, 0.7, 0.3), trial(4.0, 0.6)]
    assert best_of(trials).settings == {"lr": 2.0}
    assert best_of([trial(1.0, 0.7, head_lr=2.0), trial(1.0, 0.7, head_lr=1.0)]).settings == {
        "lr": 1.0,
        "head_lr": 1.0,
    }
    assert best_of([trial(1.0, 0.7, 0.5), trial(1.0, 0.7, 0.4)]).train_loss == 0.4


def test_a_further_point_is_tried_once_with_the_recipes_values_for_what_it_does_not_name():
    published = {"lr": 1e-3, "head_weight_decay": 3.0}
    grid = Grid(lr=[1e-2, 1e-1], also=[published, {"lr": 1e-2}])
    points = list(grid.points(RECIPE))
    assert [(one["lr"], one["head_weight_decay"]) for one in points] == [
        (1e-2, RECIPE.optim.head_weight_decay),
        (1e-1, RECIPE.optim.head_weight_decay),
        (1e-3, 3.0),
    ]


def test_a_heads_rate_that_is_searched_begins_where_it_is_by_default():
    points = list(Grid(lr=[1e-2, 1e-1], goes_on=["head_lr"]).points(RECIPE))
    assert [one["head_lr"] for one in points] == [1e-2, 1e-1]


def test_what_was_not_varied_has_no_edge_and_no_decay_is_below_0():
    tried: list[Settings] = [
        {"lr": lr, "weight_decay": 0.01, "head_weight_decay": decay}
        for lr in (1.0, 2.0, 3.0)
        for decay in (0.0, 1.0)
    ]
    assert at_edge({"lr": 2.0, "weight_decay": 0.01, "head_weight_decay": 0.0}, tried) == []
    assert at_edge({"lr": 3.0, "weight_decay": 0.01, "head_weight_decay": 1.0}, tried) == [
        "lr",
        "head_weight_decay",
    ]


def test_a_neighbour_that_only_other_points_had_is_tried_before_any_new_value():
    grid = Grid(lr=[1.0, 2.0, 4.0], goes_on=["lr"])
    tried: list[Settings] = [
        {"lr": 1.0, "head_lr": 1.0},
        {"lr": 2.0, "head_lr": 1.0},
        {"lr": 2.0, "head_lr": 3.0},
    ]
    assert grid.beyond({"lr": 2.0, "head_lr": 3.0}, tried) == [
        {"lr": 1.0, "head_lr": 3.0},
        {"lr": 4.0, "head_lr": 3.0},
    ]


@given(st.floats(1e-4, 10), st.floats(1e-4, 10))
def test_the_search_ends_with_the_best_inside_wherever_the_optimum_is(lr: float, decay: float):
    """The score is a hill in both logarithms; the search sees no slope, only scores."""
    grid = Grid(lr=[1e-2, 4e-2], head_weight_decay=[0.1, 0.5], goes_on=["lr", "head_weight_decay"])

    def scored(point: Settings) -> Trial:
        height = -abs(point["lr"] / lr - 1) - abs(point["head_weight_decay"] / decay - 1)
        return Trial(point, height, 1.0, 1.0)

    trials = [scored(point) for point in grid.points(RECIPE)]
    for _ in range(100):
        tried = [one.settings for one in trials]
        further = grid.beyond(best_of(trials).settings, tried)
        if not further:
            break
        assert not [point for point in further if point in tried]
        trials += map(scored, further)
    best = best_of(trials).settings
    assert at_edge(best, [one.settings for one in trials]) == []
