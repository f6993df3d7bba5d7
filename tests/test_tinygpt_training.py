"""The tinygpt domain with torch: the model looks back and never ahead, learns as it says, and is the same twice.

AdamW is held to torch's own. Planted and seen to fail: attention that looks ahead, places forgotten, the first bytes
predicted from, bytes that decay too, no clipping, a seed that is not used, one layer only, a cosine from step 1 on,
a second moment of sizes, work that forgets attention or the toll of layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trajscope_loop import domain
from trajscope_loop.bench import measure

pytestmark = [
    pytest.mark.needs_module("torch"),
    pytest.mark.timeout(300),
]  # torch takes long to import on a busy machine

SMALL = {"n_layer": 2, "n_head": 2, "d_model": 16, "d_ff": 32, "seq_len": 8, "batch_size": 4}


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    import torch as found

    return found  # type: ignore[no-any-return,unused-ignore]  # Any where it is not installed


@pytest.fixture
def train(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The training script as a module, on one thread, with little work."""
    from trajscope_loop.domains.tinygpt import train as found

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    monkeypatch.setattr(found, "WORK", 1_000)
    yield found
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)


def config(train: Any, **changed: Any) -> dict[str, Any]:
    return {**train.config(), **SMALL, **changed}


@pytest.fixture
def text(torch: Any) -> Any:
    """Bytes of a language with one rule: what follows is the byte two places before, plus one."""
    draw = torch.Generator().manual_seed(3)
    start = torch.randint(256, (64, 2), generator=draw)
    return torch.cat([start + i for i in range(40)], dim=1).remainder(256).reshape(-1)


def test_one_seed_is_one_training(train: Any, text: Any, torch: Any) -> None:
    c = config(train)
    one, again, other = (train.fit(c, seed, text) for seed in (1, 1, 2))
    assert torch.equal(one[0], again[0])
    assert one[1] == again[1]
    assert one[1] != other[1]
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_place_is_scored_by_what_stands_before_it_and_by_nothing_after(
    train: Any, torch: Any, precision: str
) -> None:
    c = config(train, precision=precision)
    weights, _ = train.start(c, torch.Generator().manual_seed(1))
    weights = weights * 2  # so that every part of it has a say
    draw = torch.Generator().manual_seed(2)
    rows = torch.randint(256, (3, 8), generator=draw)
    found = train.scores(weights, rows, c)
    assert found.shape == (3, 8, 256)
    for place in range(8):
        changed = rows.clone()
        changed[:, place] = (changed[:, place] + 1) % 256
        moved = (train.scores(weights, changed, c) - found).abs().amax(dim=2)
        assert (moved[:, :place] == 0).all()
        assert (moved[:, place:] > 1e-4).all()


def test_the_order_of_what_came_before_matters_in_one_layer(train: Any, torch: Any) -> None:
    c = config(train, n_layer=1)
    weights = train.start(c, torch.Generator().manual_seed(1))[0] * 2
    rows = torch.arange(8)[None]
    other = rows[:, [0, 2, 1, 3, 4, 5, 6, 7]]
    moved = (train.scores(weights, rows, c) - train.scores(weights, other, c)).abs()
    assert moved[0, -1].max() > 1e-4


def test_what_it_predicts_is_its_score_of_the_last_place(train: Any, torch: Any) -> None:
    c = config(train)
    weights, _ = train.start(c, torch.Generator().manual_seed(1))
    rows = torch.randint(256, (300, 64), generator=torch.Generator().manual_seed(2))  # more than are asked at once
    found = train.predict(weights, rows, c)
    whole = train.scores(weights, rows[:, -8:], c)[:, -1]
    assert found == pytest.approx(whole.numpy(), abs=1e-5)
    other = torch.cat([torch.zeros(300, 56, dtype=rows.dtype), rows[:, -8:]], dim=1)
    assert (train.predict(weights, other, c) == found).all()


@pytest.mark.parametrize(
    "changed", [{"grad_clip": 20.0}, {"weight_decay": 0.3, "grad_clip": 0.1}, {"lr_warmup": 0, "beta1": 0.6}]
)
def test_a_step_is_that_of_adamw(
    train: Any, text: Any, torch: Any, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    monkeypatch.setattr(train, "WORK", 53 * 8)
    c = config(train, lr_warmup=2, **changed) if "lr_warmup" not in changed else config(train, **changed)
    steps = train.steps_of(c)
    assert 5 <= steps <= 10
    draw = torch.Generator().manual_seed(1004)
    first, decays = train.start(c, draw)
    groups = [first[decays == 0].clone().requires_grad_(), first[decays == 1].clone().requires_grad_()]
    cut = len(groups[0])
    assert (decays[:cut] == 0).all()
    assert cut == (256 + 8) * 16  # bytes and places are no matrices
    decay = [{"params": [p], "weight_decay": w} for p, w in zip(groups, (0.0, c["weight_decay"]), strict=True)]
    optimiser = torch.optim.AdamW(decay, lr=1.0, betas=(c["beta1"], c["beta2"]), eps=1e-8)
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = train.rate_of(c, step, steps)
        places = torch.randint(len(text) - 9, (4, 1), generator=draw)
        rows = text[places + torch.arange(9)]
        found = train.scores(torch.cat(groups), rows[:, :-1], c)
        loss = torch.nn.functional.cross_entropy(found.reshape(-1, 256), rows[:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(groups, c["grad_clip"])
        optimiser.step()
    ours, _ = train.fit(c, 4, text)
    assert torch.allclose(ours, torch.cat(groups).detach(), atol=5e-6), (ours - torch.cat(groups)).abs().max()


def test_the_rate_rises_over_the_warmup_and_falls_to_a_tenth(train: Any) -> None:
    c = config(train, lr=1.0, lr_warmup=3)
    rates = [train.rate_of(c, step, 23) for step in range(1, 24)]
    # A quarter, a half, three quarters; then a cosine whose middle, ten steps on, is halfway between 1 and .1.
    assert rates[:3] == [0.25, 0.5, 0.75]
    assert rates[12] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1)
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_a_rule_that_needs_two_bytes_is_learnt(train: Any, text: Any, torch: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(train, "WORK", 12_000)
    c = config(train, d_model=32, lr=0.01, batch_size=16, beta2=0.98)
    weights, first = train.fit(c, 0, text)
    rows = text[: 64 * 80].reshape(64, 80)[:, :9]
    found = train.scores(weights, rows[:, :-1], c)[:, -1]
    assert first > 7.5
    assert (found.argmax(dim=1) == rows[:, -1]).float().mean() > 0.5  # by the last byte alone: nothing above 1 in 256


def test_every_configuration_gets_the_same_work_and_the_menu_says_which_leave_no_steps(train: Any) -> None:
    from random import Random

    menu = domain.load("tinygpt").menu
    assert menu is not None
    train.WORK = 40_000
    rng, refused = Random(7), 0
    for _ in range(2_000):
        c: dict[str, Any] = {
            n: rng.choice(k.choices) if k.choices else k.value_at(rng.random()) for n, k in menu.knobs.items()
        }
        broken = menu.broken(c)
        enough = train.steps_of(c) >= c["lr_warmup"] + 2
        assert any("work_leaves_steps" in b for b in broken) is not enough, c
        assert any("head_divides" in b for b in broken) is (c["d_model"] % c["n_head"] != 0)
        refused += not enough
    assert 50 < refused < 1_000


def test_work_counts_what_is_multiplied(train: Any) -> None:
    c = config(train, n_layer=1, d_model=16, d_ff=32, seq_len=8, batch_size=4)
    # Weights of a layer: 4 of 16 x 16, 2 of 16 x 32; attention 16 x 8; the output 256 x 16. Six for each, 32 bytes.
    step = 6 * 32 * (4 * 256 + 2 * 512 + 128 + 4096) / 1e6
    assert step == pytest.approx(1.204224)
    train.WORK = 100 * (step + 30) + 1e-6  # 30: the toll of a step and of its one layer
    assert train.steps_of(c) == 100
    assert sum(a * b for a, b in train.shapes(c)) == 4096 + 128 + 4 * 256 + 2 * 512


# --- through the bench ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("campaign")


def test_a_training_beats_every_table_of_counts_by_the_margin(campaign: Path) -> None:
    found = domain.load("tinygpt")
    change = {"n_layer": 1}
    tree = found.tree(found.workspace(campaign).standing(), change, None)
    result = measure(found.job(campaign, tree, {**found.base, **change}, 0, "k"))
    assert (result["status"], result["error"]) == ("ok", None)
    assert result["effective"] == {**found.base, **change}
    assert result["first_step"] is not None
    assert 7.5 < result["first_step"] < 10
    tables = found.degenerates(campaign)
    assert result["metrics"]["val_bpb"] < min(t["val_bpb"] for t in tables.values()) - found.gate.margins[0].least
    assert result["metrics"]["context_use"] > 0.5
    assert result["metrics"]["overconfidence"] < 0.5
    assert 0.25 < result["holdout"]["holdout_top1"] < 0.6
    assert result["holdout"].keys() == {"holdout_top1"}


def test_data_prepared_again_are_the_same(campaign: Path, tmp_path: Path) -> None:
    found = domain.load("tinygpt")
    assert found.hashes(campaign) == found.hashes(tmp_path)


def test_a_configuration_that_cannot_be_trained_says_which(campaign: Path) -> None:
    found = domain.load("tinygpt")
    change = {"n_head": 3}
    tree = found.tree(found.workspace(campaign).standing(), change, None)
    result = measure(found.job(campaign, tree, {**found.base, **change}, 0, "k"))
    assert result["status"] == "crashed"
    assert "n_head divides d_model" in str(result["error"])
