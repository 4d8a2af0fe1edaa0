"""What has been measured is not measured again, and settings come from validation alone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import make_toy_folder
from trainer.errors import RecipeError, ResumeError
from trainer.experiment import materials
from trainer.reproduce import sources
from trainer.reproduce.grids import variant as reproduced
from trainer.reproduce.grids import with_published
from trainer.reproduce.measure import Bench, first_run, measure
from trainer.reproduce.pages.conditions import conditions_of
from trainer.reproduce.results import Results
from trainer.reproduce.variant import Variant
from trainer.sweeping.grid import Grid
from trainer.training.loop import Watch

BACKBONE = tiny_backbone()
COMMON = {
    "prompt": {"num_tokens": 2, "init_images": 4},
    "optim": {"epochs": 2, "warmup_epochs": 0, "batch_size": 4},
}
LINEAR = Variant("linear", {"method": "linear"}, Grid(lr=[1e-3, 1e-2]))
SPT = Variant("spt", {"method": "spt-deep"}, Grid(lr=[1e-3, 1e-2]))
MEAN_ALONE = Variant("mean", {"method": "spt-deep", "prompt": {"init": "mean"}})
MEAN = Variant("spt-mean", {"method": "spt-deep", "prompt": {"init": "mean"}}, like="spt")


class Steps:
    """Counts training steps by what they were announced as."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def announce(self, title: str, epochs: int) -> Watch:
        def watch(*_: object) -> None:
            self.counts[title] = self.counts.get(title, 0) + 1

        return watch


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_folder(tmp_path_factory.mktemp("data") / "toy").parent


def bench_of(data: Path, folder: Path, steps: Steps, seeds: int = 2) -> Bench:
    return Bench(COMMON, folder, data, seeds, steps.announce)


def test_what_is_finished_is_not_trained_again(data: Path, tmp_path: Path):
    first, again = Steps(), Steps()
    cells = list(measure(bench_of(data, tmp_path, first), ["toy"], [LINEAR, SPT, MEAN]))
    assert list(measure(bench_of(data, tmp_path, again), ["toy"], [LINEAR, SPT, MEAN])) == cells
    assert first.counts == {
        "toy linear choosing": 8,
        "toy linear seed 1": 4,
        "toy spt choosing": 8,
        "toy spt seed 1": 4,
        "toy spt-mean seed 0": 4,
        "toy spt-mean seed 1": 4,
    }
    assert again.counts == {}


def test_what_is_chosen_on_validation_is_trained_again_on_both(data: Path, tmp_path: Path):
    steps = Steps()
    again = Variant("spt", {"method": "spt-deep", "data": {"train_on": "train-and-val"}}, SPT.grid)
    (cell,) = measure(bench_of(data, tmp_path, steps), ["toy"], [again])
    assert steps.counts == {"toy spt choosing": 8, "toy spt seed 0": 10, "toy spt seed 1": 10}
    assert cell.train_images == 20
    best = max(trial["val_accuracy"] for trial in cell.trials)
    assert cell.val_accuracies == [best]
    assert first_run(bench_of(data, tmp_path, steps), "toy", again).name == "seed-0"
    metrics = json.loads((tmp_path / "toy" / "spt" / "seed-0" / "metrics.json").read_text())
    assert metrics["train_images"] == 20
    (text,) = [
        line
        for line in conditions_of(
            Results(
                tmp_path,
                {("b", "toy", "spt"): cell},
                {("b", "toy", "spt"): again.recipe(COMMON, "toy", 0).model_dump()},
            ),
            ("spt",),
        )
        if line.startswith("Training images")
    ]
    assert text == (
        "Training images: toy 20, those of validation among them once settings were chosen."
    )
    assert list(measure(bench_of(data, tmp_path, Steps()), ["toy"], [again])) == [cell]


def test_a_vtab_cell_under_the_published_protocol_trains_on_all_and_shows_test_epochs(
    tmp_path: Path,
):
    make_toy_folder(tmp_path / "data" / "svhn")
    common = {**COMMON, "protocol": "published"}
    bench = Bench(common, tmp_path / "runs", tmp_path / "data", 1, Steps().announce)
    vpt = Variant("vpt", {"method": "vpt-deep"}, Grid(lr=[1e-2]))
    spt = Variant("spt", {"method": "spt-deep"}, Grid(lr=[1e-2]))
    cells = list(measure(bench, ["svhn"], [vpt, spt]))
    assert [cell.train_images for cell in cells] == [20, 20]
    chosen = json.loads((tmp_path / "runs/svhn/spt/sweep/sweep.json").read_text())["identity"]
    assert (chosen["train_images"]["count"], chosen["report"]["test_each_epoch"]) == (10, False)
    recipe = json.loads((tmp_path / "runs/svhn/vpt/seed-0/recipe.json").read_text())
    assert (recipe["optim"]["name"], recipe["data"]["train_on"]) == ("sgd", "train-and-val")
    assert len(cells[1].observed["test_accuracies"]) == 3
    assert "test_accuracies" not in cells[0].observed
    asked = {("b", "svhn", one.name): one.recipe(common, "svhn", 0) for one in (vpt, spt)}
    page = conditions_of(
        Results(
            tmp_path,
            dict(zip(asked, cells, strict=True)),
            {key: one.model_dump() for key, one in asked.items()},
        ),
        ("vpt", "spt"),
    )
    assert "Protocol: published, what each method's authors trained with, as far as it is had." in (
        page
    )
    assert any(line.startswith("The best test epoch of seed 0") for line in page)
    assert any("in places after each epoch to be shown" in line for line in page)


def test_a_recipe_of_before_a_field_existed_is_still_the_same(data: Path, tmp_path: Path):
    (cell,) = measure(bench_of(data, tmp_path, Steps()), ["toy"], [SPT])
    path = tmp_path / "toy" / "spt" / "cell.json"
    document = json.loads(path.read_text())
    del document["asked"]["recipe"]["compute"]["compile"]
    path.write_text(json.dumps(document))
    steps = Steps()
    assert list(measure(bench_of(data, tmp_path, steps), ["toy"], [SPT])) == [cell]
    assert steps.counts == {}


def test_other_settings_are_not_mistaken_for_what_was_measured(data: Path, tmp_path: Path):
    list(measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [LINEAR]))
    other = replace(LINEAR, settings={"method": "linear", "optim": {"epochs": 1}})
    with pytest.raises(ResumeError, match=r"this sweep was trained with optim\.epochs 2, now 1"):
        list(measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [other]))


def test_a_further_seed_trains_that_seed_alone(data: Path, tmp_path: Path):
    list(measure(bench_of(data, tmp_path, Steps()), ["toy"], [SPT]))
    steps = Steps()
    (cell,) = measure(bench_of(data, tmp_path, steps, seeds=3), ["toy"], [SPT])
    assert steps.counts == {"toy spt seed 2": 4}
    assert len(cell.test_accuracies) == 3


def test_an_arm_takes_what_another_chose_in_an_earlier_call(data: Path, tmp_path: Path):
    (spt,) = measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [SPT])
    (mean,) = measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [MEAN])
    assert (mean.chosen, mean.trials) == (spt.chosen, [])


def test_an_arm_whose_example_is_not_measured_is_named(data: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"spt-mean takes the settings of spt, .*--variants spt"):
        list(measure(bench_of(data, tmp_path, Steps()), ["toy"], [MEAN]))


@pytest.mark.parametrize("variant", [SPT, replace(MEAN, like=None), MEAN])
def test_the_run_of_the_first_seed_holds_its_artifact(variant: Variant, data: Path, tmp_path: Path):
    bench = bench_of(data, tmp_path, Steps(), seeds=1)
    variants = [SPT, variant] if variant.like else [variant]
    cell = list(measure(bench, ["toy"], variants))[-1]
    run = first_run(bench, "toy", variant)
    assert (run / "toy.safetensors").exists()
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test_accuracy"] == cell.test_accuracies[0]
    assert cell.device == "cpu"
    assert set(cell.versions) == {"torch", "timm"}


@pytest.mark.parametrize("variants", [[LINEAR], [SPT, MEAN]], ids=["itself", "its example"])
def test_a_cell_of_other_images_never_passes_for_this_one(
    variants: list[Variant], tmp_path: Path, data: Path
):
    other = tmp_path / "data"
    shutil.copytree(data, other)
    out = tmp_path / "out"
    list(measure(bench_of(other, out, Steps(), seeds=1), ["toy"], variants[:1]))
    first, second = sorted((other / "toy" / "train").rglob("*.png"))[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(ResumeError, match=r"other train images.*delete .*out/toy/"):
        list(measure(bench_of(other, out, Steps(), seeds=1), ["toy"], variants[-1:]))


def test_a_cell_of_another_backbone_file_never_passes_for_this_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    weights = tmp_path / "w.pth"
    common = COMMON | {"weights": weights}

    def go() -> None:
        bench = Bench(common, tmp_path / "out", data, 1, Steps().announce)
        list(measure(bench, ["toy"], [LINEAR]))

    weights.write_bytes(b"one")
    go()
    weights.write_bytes(b"the same in another format")
    go()
    spec = BACKBONE.spec.model_copy(update={"weights_sha256": "ab" * 32})
    other = replace(BACKBONE, spec=spec)
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: other)
    weights.write_bytes(b"two")
    with pytest.raises(ResumeError, match=r"backbone_spec\.weights_sha256 \w+, now abababababab"):
        go()


def test_a_cell_of_another_version_of_the_code_never_passes_for_this_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    list(measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [LINEAR]))
    monkeypatch.setattr(sources, "version", lambda _: "7.0")
    with pytest.raises(ResumeError, match=r"code_version \S+, now 7\.0"):
        list(measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [LINEAR]))


def test_a_cell_that_does_not_say_of_what_it_is_is_made_from_its_runs(data: Path, tmp_path: Path):
    (cell,) = measure(bench_of(data, tmp_path, Steps()), ["toy"], [SPT])
    path = tmp_path / "toy" / "spt" / "cell.json"
    document = json.loads(path.read_text())
    del document["identity"]
    path.write_text(json.dumps(document))
    steps = Steps()
    assert list(measure(bench_of(data, tmp_path, steps), ["toy"], [SPT])) == [cell]
    assert steps.counts == {}
    assert "identity" in json.loads(path.read_text())


def test_scores_of_a_run_that_is_gone_are_not_those_of_the_next(data: Path, tmp_path: Path):
    list(measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [MEAN_ALONE]))
    (run,) = (tmp_path / "toy" / MEAN_ALONE.name).rglob("metrics.json")
    run.with_name("state.pt").unlink()
    run.write_text('{"test_accuracy": "of another run"}')
    (tmp_path / "toy" / MEAN_ALONE.name / "cell.json").unlink()
    (cell,) = measure(bench_of(data, tmp_path, Steps(), seeds=1), ["toy"], [MEAN_ALONE])
    assert isinstance(cell.test_accuracies[0], float)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cell": 1}', '{"cell": {"task": "toy"}}'])
def test_a_damaged_cell_is_one_line(data: Path, tmp_path: Path, content: str):
    path = tmp_path / "toy" / "linear" / "cell.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ResumeError, match=r"cell\.json is damaged.*delete it"):
        list(measure(bench_of(data, tmp_path, Steps()), ["toy"], [LINEAR]))


def test_the_published_setting_of_a_task_is_a_point_of_its_grid():
    variant = reproduced("spt-deep", "spt-deep")
    common = {"backbone": "vit_base_patch16_224.augreg_in21k"}
    grid = with_published(variant.grid, variant.recipe(common, "stanford_dogs", 0))
    (point,) = grid.also
    assert (point["lr"], point["head_weight_decay"]) == (1e-3, 3.0)
    assert point in list(grid.points(variant.recipe(common, "stanford_dogs", 0)))


@pytest.mark.parametrize(("task", "num_flows"), [("caltech101", 6), ("cub200", 1), ("toy", 1)])
def test_a_method_has_the_options_that_the_recipe_of_its_task_has(task: str, num_flows: int):
    common = {"backbone": "vit_base_patch16_224.augreg_in21k"}
    assert reproduced("snf", "snf").recipe(common, task, 0).tuning.num_flows == num_flows
    assert reproduced("lora", "lora").recipe(common, task, 0).tuning.num_flows == 1


def test_a_task_without_a_published_setting_keeps_its_grid():
    variant = reproduced("linear", "linear")
    assert with_published(variant.grid, variant.recipe({}, "toy", 0)) == variant.grid
