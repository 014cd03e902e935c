"""Training: exact resume, falling loss, whole files, plain refusals."""

import json

import pytest
import torch

from mrs.errors import InputError, UsageError
from mrs.lifting import corpus, train, weights
from mrs.lifting.encoder import Encoder, Size
from tests.lifting.films import TINY, clips


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The packed small corpus."""
    path = tmp_path_factory.mktemp("data") / "corpus.npz"
    corpus.save(clips(), path)
    return path


def test_packed_corpus_is_the_corpus(data):
    """Names, splits and paths come back; rotations within 0.01 degrees."""
    own, back = clips(), corpus.load([data])
    assert back.names == own.names and (back.held == own.held).all() and (back.root_m == own.root_m).all()
    assert abs(back.quat - own.quat).max() < 4e-5
    assert set(back.part(True).names) == {"test_wave", "test_march", "test_squat"}


def test_resume_is_exact(data, tmp_path):
    """Two steps, a checkpoint and two more are the same weights as four in one go."""
    recipe = train.Recipe(steps=4, **TINY)
    train.session([data], tmp_path / "whole", recipe)
    train.session([data], tmp_path / "cut", recipe, until_s=0.0)
    assert train.load(tmp_path / "cut" / train.CHECKPOINT)["step"] == 2
    train.session([data], tmp_path / "cut", recipe, resume=True)
    one, two = (train.load(tmp_path / name / train.CHECKPOINT) for name in ("whole", "cut"))
    for part in ("net", "mean"):
        for name, value in one[part].items():
            assert torch.equal(value, two[part][name]), name
    assert len((tmp_path / "cut" / train.LOG).read_text().splitlines()) == 2


def test_every_look_is_one_row_with_the_loss(data, tmp_path):
    """The last look is not written twice, and going on with what is finished changes nothing; no row has a loss of nothing."""
    recipe = train.Recipe(steps=4, **TINY)
    for resume in (False, True):
        train.session([data], tmp_path / "run", recipe, look_s=0.0, resume=resume)
        rows = [json.loads(line) for line in (tmp_path / "run" / train.LOG).read_text().splitlines()]
        assert [row["step"] for row in rows] == [2, 4] and all(row["joints"] > 0 for row in rows)
    assert train.load(tmp_path / "run" / train.BEST)["told"]["joints"] > 0


def test_what_is_refused_leaves_no_folder(data, tmp_path):
    """A bank or a corpus that is not there: nothing is made."""
    recipe = train.Recipe(steps=1, **TINY)
    for made in ({"data": [data], "bank": tmp_path / "none.npz"}, {"data": [tmp_path / "none"]}):
        with pytest.raises(InputError):
            train.session(out=tmp_path / "run", recipe=recipe, **made)
    assert not (tmp_path / "run").exists()


def test_loss_falls(data):
    """Sixty steps on one batch cut the error of the joints by a third."""
    trainer = train.Trainer(train.Recipe(steps=10**6, **{**TINY, "rate": 5e-3}), corpus.load([data]), "cpu", None)
    films, found = trainer._films(), []
    for _ in range(60):
        trainer._set_rate()
        trainer._learn(films)
        trainer.step_count += 1
        found.append(trainer.means()["joints"])
    assert found[-1] < 0.67 * found[0]


def test_weights_survive_a_file(tmp_path):
    """A safetensors file gives the network back, to half precision."""
    net = Encoder(Size(width=24, first=16, code=8, hidden=24))
    weights.save(tmp_path / "w.safetensors", net, {"pa": 1.5})
    back, told = weights.load(tmp_path / "w.safetensors")
    assert told == {"pa": 1.5} and back.size == net.size
    for name, value in net.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_training_begins_with_given_weights(data, tmp_path):
    """One step of nearly no rate from a safetensors file: its sizes and its weights; `only` leaves the rest alone to the last digit."""
    net = Encoder(Size(width=24, first=512, code=8, hidden=24, relu=True))
    weights.save(tmp_path / "w.safetensors", net, {})
    recipe = train.Recipe(steps=1, only="contacts", **{**TINY, "width": 40})
    path = train.session([data], tmp_path / "run", recipe, start=tmp_path / "w.safetensors")
    begun, given = train.load(path)["net"], weights.load(tmp_path / "w.safetensors")[0].state_dict()
    assert torch.equal(begun["phi.weight"], given["phi.weight"])
    assert not torch.equal(begun["contacts.0.weight"], given["contacts.0.weight"])


def test_default_network_is_small():
    """Under five million parameters."""
    assert sum(p.numel() for p in Encoder().parameters()) < 5e6


def test_refusals_are_one_line(data, tmp_path):
    """A used folder, no end, nothing to resume, files that are something else: one line, and what to type."""
    recipe = train.Recipe(steps=1, **TINY)
    train.session([data], tmp_path / "run", recipe)
    with pytest.raises(UsageError, match="--resume"):
        train.session([data], tmp_path / "run", recipe)
    with pytest.raises(UsageError, match="--minutes"):
        train.session([data], tmp_path / "other", train.Recipe(**TINY))
    with pytest.raises(InputError, match="there is none"):
        train.session([data], tmp_path / "none", recipe, resume=True)
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"no weights at all")
    for read in (weights.load, train.load):
        with pytest.raises(InputError) as told:
            read(wrong)
        assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="mrs data"):
        corpus.load([wrong])
