"""Training goes on exactly where it stopped, and refuses what does not fit."""

import json

import numpy as np
import pytest
import torch

from mrs.errors import InputError, UsageError
from mrs.synth import corpus, recipe, session, train, weights, windows
from tests.synth import puppets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Windows of the small corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    return windows.build([puppets.make(folder)], folder / "cache")


def losses(trainer, count):
    return [trainer.step() for _ in range(count)]


def test_resume_is_exact(data, tmp_path):
    """Three iterations, a checkpoint and three more are the same numbers as six in one go."""
    made = recipe.make(puppets.SMALL)
    whole = losses(train.Trainer(made, data), 6)
    first = train.Trainer(made, data)
    losses(first, 3)
    train.save(tmp_path / "checkpoint.pt", first.state())
    torch.manual_seed(99)
    second = train.Trainer(made, data)
    losses(second, 2)
    second.restore(train.load(tmp_path / "checkpoint.pt"))
    assert losses(second, 3) == whole[3:]
    assert second.gamma > 0


def test_loss_falls(data):
    """A hundred iterations on three puppets halve the plan's error."""
    made = recipe.make({**puppets.SMALL, "iterations": 100, "lr": 5e-3, "critic_weight": 0})
    found = losses(train.Trainer(made, data), 100)
    assert np.mean([n["plan"] for n in found[-5:]]) < 0.5 * np.mean([n["plan"] for n in found[:5]])


def test_gamma_holds_the_information():
    """Dual ascent raises gamma above the cap and lowers it below."""
    from mrs.synth.losses import raised

    assert raised(1e-3, 120, 100, 0.1) > 1e-3 > raised(1e-3, 80, 100, 0.1)


def test_probe_does_not_train_the_encoder(data):
    """The probe's own step leaves the model's weights alone, and the model's step the probe's."""
    trainer = train.Trainer(recipe.make(puppets.SMALL), data)
    window, _, _ = trainer.batch()
    mu, _ = trainer.model.encode(window[:, 1:])
    before = [p.clone() for p in trainer.model.parameters()]
    trainer._train_probe(mu.detach(), window[:, 1:])
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    probe = [p.clone() for p in trainer.probe.parameters()]
    found = trainer._probe_error(mu, window[:, 1:])
    trainer.optimisers["model"].zero_grad()
    found.backward()
    trainer.optimisers["model"].step()
    assert all(torch.equal(a, b) for a, b in zip(probe, trainer.probe.parameters(), strict=True))


def test_session_makes_weights_that_load(tmp_path):
    """Both stages in one run; the stopped and resumed log is the log of one go; the weights load and are used."""
    made = recipe.make(puppets.SMALL)
    built = [puppets.make(tmp_path / "corpus")]
    path = session.session(built, tmp_path / "a", made)
    again = weights.load(tmp_path / "a")
    assert path.is_file() and again.flow is not None and again.facts["labels"] == sorted(puppets.LABELS)
    with pytest.raises(UsageError, match="--resume"):
        session.session(built, tmp_path / "a", made)
    log = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert {"kl_nats", "gamma"} <= set(log[0]) | set(log[1])
    assert any("flow_nll_nats" in row for row in log)


def test_resumed_session_goes_on(tmp_path):
    """A training that was stopped in its middle ends with the weights of one that was not."""
    made = recipe.make({**puppets.SMALL, "critic_weight": 0})
    built = [puppets.make(tmp_path / "corpus")]
    session.session(built, tmp_path / "whole", made)
    data = windows.build(built, tmp_path / "part" / "cache")
    session._recipe(tmp_path / "part", made, False)
    stopped = train.Trainer(made, data)
    from mrs.synth.checks import Check

    train.run(stopped, tmp_path / "part", Check(data, made.seed, 3), lambda numbers: None, stop_at=3)
    session.session(built, tmp_path / "part", made, resume=True)
    one, two = (weights.load(tmp_path / name).model.state_dict() for name in ("whole", "part"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_training_begins_with_another(tmp_path, data):
    """--from takes the networks and nothing else; other sizes are refused."""
    made = recipe.make(puppets.SMALL)
    first = train.Trainer(made, data)
    losses(first, 3)
    train.save(tmp_path / "checkpoint.pt", first.state())
    second = train.Trainer(recipe.make({**puppets.SMALL, "seed": 5}), data)
    second.begin(train.load(session.best_of(tmp_path)))
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    assert second.iteration == 0 and not second.optimisers["model"].state_dict()["state"]
    with pytest.raises(InputError, match="sizes of the recipe"):
        train.Trainer(recipe.make({**puppets.SMALL, "latent": 5}), data).begin(first.state())


def test_a_share_is_rolled_out(data, monkeypatch):
    """Of a batch of 16 with a share of a quarter, 4 windows are rolled out, and every one is planned."""
    trainer = train.Trainer(recipe.make({**puppets.SMALL, "batch": 16, "rolled": 0.25, "beside": 0.125}), data)
    seen = {}
    for name in ("plan", "roll"):
        own = getattr(trainer.model, name)
        monkeypatch.setattr(trainer.model, name, lambda z, *rest, own=own, name=name: seen.setdefault(name, own(z, *rest)))
    trainer.step()
    assert (len(seen["plan"]), len(seen["roll"])) == (16, 4)


def test_tensorboard_logs_can_be_read(tmp_path):
    """Where TensorBoard is installed, a training's numbers are in its own files too, without a login."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    session.session([puppets.make(tmp_path / "corpus")], tmp_path / "run", recipe.make(puppets.SMALL))
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    for name in ("kl_nats", "flow_nll_nats"):
        wanted = [(row["iteration"], pytest.approx(row[name], rel=1e-5)) for row in log if name in row]
        assert [(event.step, event.value) for event in events.Scalars(name)] == wanted


def test_flow_needs_a_training(tmp_path):
    """--flow on nothing says what to type."""
    with pytest.raises(InputError, match="without --resume"):
        session.session([puppets.make(tmp_path / "corpus")], tmp_path / "none", recipe.Recipe(), flow_only=True)


def test_checkpoint_of_another_version(tmp_path):
    """A checkpoint of another format is refused by name."""
    torch.save({"format": "mrs-bds-1"}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="mrs-bds-1.*another version"):
        train.load(tmp_path / "checkpoint.pt")


def test_foreign_checkpoint_is_never_unpickled(tmp_path):
    """A pickle that would run code is refused unread."""
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "checkpoint.pt").write_bytes(pickle.dumps({"format": Evil()}))
    with pytest.raises(InputError, match="can't be read"):
        train.load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("values, text", [({"iteration": 5}, "Did you mean 'iterations'"), ({"batch": "many"}, "whole number"),
                                          ({"lr": -1}, "at least 0")])
def test_recipe_refuses(values, text):
    """Unknown names and bad values are refused, the nearest name offered."""
    with pytest.raises(UsageError, match=text):
        recipe.make(values)


def test_windows_are_built_once(tmp_path):
    """The cache is opened again, not made again, and test clips have no variants."""
    built = puppets.make(tmp_path / "corpus")
    first = windows.build([built], tmp_path / "cache")
    stamp = (tmp_path / "cache" / "windows.npy").stat().st_mtime_ns
    second = windows.build([built], tmp_path / "cache")
    assert (tmp_path / "cache" / "windows.npy").stat().st_mtime_ns == stamp
    assert isinstance(second.frames, np.memmap) and len(first.pieces) == len(second.pieces)
    assert {p.variant for p in second.pieces if p.split == "test"} == {0}
    assert corpus.load(tmp_path / "corpus").labels == sorted(puppets.LABELS)


def test_statistics_touch_no_test_data(tmp_path):
    """Changing the held-out clips changes no statistic."""
    built = puppets.make(tmp_path / "a")
    one = windows.build([built], tmp_path / "a" / "cache")
    frames = np.array(one.frames)
    for piece in one.pieces:
        if piece.split == "test":
            frames[piece.first : piece.first + piece.frames] = 7
    two = windows.Windows(frames, one.pieces)
    for name, value in one.statistics().items():
        np.testing.assert_array_equal(value, two.statistics()[name])
