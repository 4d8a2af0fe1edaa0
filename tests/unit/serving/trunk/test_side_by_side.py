"""Shares of a batch give what the whole gives, in order; small batches are not split."""

from threading import Thread

import pytest
import torch

from adapters.vit.prompting import DeepPrompts, ShallowPrompts
from serving.trunk.backend import Example
from serving.trunk.cpu import CpuBackend
from serving.trunk.side_by_side import SideBySide, split_prompts
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone

CORES = 3


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: CORES)


class Watched:
    """A forward that knows which rows it was given at once."""

    def __init__(self):
        self.shares = []

    def __call__(self, pixels, prompts):
        assert not torch.is_grad_enabled()
        self.shares.append(len(pixels))
        return pixels[:, 0, 0] + (0 if prompts is None else prompts.tokens[:, 0, :1])


def numbered(rows):
    return torch.arange(float(rows)).reshape(rows, 1, 1, 1).expand(rows, 3, 2, 2)


@pytest.mark.parametrize(
    ("limits", "rows", "shares"),
    [
        ({}, 3, [1, 1, 1]),
        ({}, 8, [2, 3, 3]),
        ({"most_rows": 2}, 8, [1, 1, 1, 1, 2, 2]),
        ({"most_rows": 2}, 4, [1, 1, 2]),
        ({"least_rows": 2}, 6, [2, 2, 2]),
    ],
)
def test_every_core_gets_its_share_and_the_order_stays(limits, rows, shares):
    side_by_side, forward = SideBySide(**limits), Watched()
    assert side_by_side.splits(rows)
    prompts = ShallowPrompts(100 * torch.arange(float(rows)).reshape(rows, 1, 1))
    found = side_by_side.run(forward, numbered(rows), prompts)
    assert found[:, 0].tolist() == [101.0 * row for row in range(rows)]
    assert sorted(forward.shares) == shares
    assert max(shares) == side_by_side.largest_share(rows)


@pytest.mark.parametrize(("limits", "rows"), [({}, 2), ({"least_rows": 2}, 5)])
def test_too_few_rows_are_not_split(limits, rows):
    side_by_side = SideBySide(**limits)
    assert not side_by_side.splits(rows)
    assert side_by_side.splits(rows + 1)
    assert side_by_side.largest_whole(100) == rows
    assert side_by_side.largest_whole(rows) == rows
    assert side_by_side.largest_share(rows) == 0


def test_a_whole_batch_has_all_cores_in_a_thread_that_is_newer_than_the_shares(monkeypatch):
    """A new thread begins with the number that was set last, which is that of a share: one."""
    monkeypatch.undo()
    monkeypatch.setattr(SideBySide, "splits", lambda _, rows: rows > 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        side_by_side, seen = SideBySide(), []

        def forward(pixels, _):
            seen.append((len(pixels), torch.get_num_threads()))
            return pixels

        for rows in (2, 1):
            asking = Thread(target=side_by_side.run, args=(forward, numbered(rows), None))
            asking.start()
            asking.join()
        assert seen == [(1, 1), (1, 1), (1, 2)]
    finally:
        torch.set_num_threads(before)


def test_what_one_share_raises_reaches_the_caller():
    def broken(pixels, _):
        raise RuntimeError(f"{len(pixels)} rows")

    with pytest.raises(RuntimeError, match="1 rows"):
        SideBySide().run(broken, numbered(3), None)


@pytest.mark.parametrize(("mask", "last"), [(True, True), (False, True), (False, False)])
def test_prompts_are_split_as_pixels_are(mask, last):
    whole = DeepPrompts(
        torch.randn(7, 2, 4, 2, 1, 3),
        torch.randn(7, 2, 4) if mask else None,
        torch.randn(7, 4, 3) if last else None,
    )
    shares = split_prompts(whole, CORES)
    assert [len(share.prefix) for share in shares] == [3, 2, 2]
    for name in ("prefix", "mask", "last"):
        parts = [getattr(share, name) for share in shares]
        if getattr(whole, name) is None:
            assert parts == [None] * CORES
        else:
            assert torch.equal(torch.cat(parts), getattr(whole, name))
    assert split_prompts(None, 2) == [None, None]


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_an_eager_backend_computes_shares_as_the_token_form_does(pooling, monkeypatch):
    monkeypatch.setattr("serving.trunk.cpu.EAGER_SHARE", 1.0)
    backend = CpuBackend(tiny_backbone(), max_batch=4)
    lengths = (4,) if pooling == "mean-with-prompts" else (4, 0, 7, 1, 4)
    for rows in (1, 2, 3, 7):
        adapters, residents, pixels = some_rows(
            backend.backbone, rows, pooling=pooling, lengths=lengths
        )
        backend.warm_up([Example(residents[0].form, 4)])
        expected = expected_of(adapters, pixels)
        found = features_of(backend, residents, pixels)
        assert (found - expected).abs().max() / expected.abs().max() < 1e-5
