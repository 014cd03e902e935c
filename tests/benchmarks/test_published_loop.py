"""The published loop that is timed learns what the training of bds-2021 learns."""

import pytest
import torch

from benchmarks import published_loop
from mrs.synth import rivals, windows
from tests.synth import puppets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Windows of the small corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    return windows.build([puppets.make(folder)], folder / "cache")


def test_learns_what_the_training_learns(data, monkeypatch):
    """On the same batches and noise the model gets the same weights, whatever is computed for nothing beside it."""
    settings = rivals.Settings("bds-2021", hidden=16, batch=8, iterations=20)
    loop, plain = published_loop.Loop(settings, data), rivals.Trainer(settings, data)
    for number in range(3):
        batch = loop.batch()
        monkeypatch.setattr(plain, "batch", lambda x=batch["own"]: torch.cat([x[:, :1], x], 1))
        torch.manual_seed(number)
        a = loop.learn(batch)
        torch.manual_seed(number)
        b = plain.step()
        assert b["recon"] == pytest.approx(2.5 * a["recon"], rel=1e-4)
    for one, two in zip(loop.model.parameters(), plain.rival.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)


def test_items_are_of_the_labels_they_say(data):
    """The matched window is of the item's label, the paired one of another; each is a window of standardised joints."""
    items = published_loop.Items(data, rivals.Trainer(rivals.Settings("bds-2021", hidden=8), data).rival, 0, 60)
    known = {items.values[n].tobytes(): int(items.labels[n]) for n in range(len(items))}
    assert len(set(known.values())) == 3
    for number in range(20):
        found = items[number]
        labels = {name: known[found[name].numpy().tobytes()] for name in ("own", "paired", "matched")}
        assert labels["own"] == labels["matched"] == found["label"] != labels["paired"]


def test_probes_learn_labels(data):
    """Every probe of labels gets better at it."""
    loop = published_loop.Loop(rivals.Settings("bds-2021", hidden=16, batch=16, iterations=1000, lr=1e-3), data)
    found = [loop.step() for _ in range(40)]
    for name in loop.probes:
        assert sum(f[name] for f in found[-5:]) < sum(f[name] for f in found[:5])
