"""`mrs train hmr` and `mrs eval lifter` through the command line."""

import json

import numpy as np
import pytest

from mrs.lifting import corpus
from tests.command import here
from tests.lifting.films import clips


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A packed small corpus."""
    path = tmp_path_factory.mktemp("data") / "corpus.npz"
    corpus.save(clips(1.0), path)
    return path


def test_training_writes_weights_that_the_evaluation_takes(data, tmp_path, capsys):
    """One step of training; its log has the held-out error; going on when done changes nothing."""
    out = tmp_path / "run"
    ended = here(capsys, "train", "hmr", "--data", data, "--out", out, "--steps", 1, "--batch", 2, "--device", "cpu", "--quiet")
    assert ended.code == 0, ended.err
    assert ended.out.strip() == str(out / "weights.safetensors") and (out / "weights.safetensors").stat().st_size < 10e6
    assert json.loads((out / "log.jsonl").read_text().splitlines()[-1])["pa"] > 0
    again = here(capsys, "train", "hmr", "--data", data, "--out", out, "--steps", 1, "--quiet")
    assert again.code == 2 and "--resume" in again.err


def test_evaluation_prints_a_table(data, capsys):
    """One lifter on the held-out clips, without refinement being slow: rows, groups and JSON."""
    arguments = ("eval", "lifter", "--data", data, "--seeds", 1, "--seconds", 0.5, "--lifter", "blazepose3d", "--space", "none")
    ended = here(capsys, *arguments)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0].startswith("| | group | PA-MPJPE, mm") and "| blazepose3d | all |" in ended.out
    found = json.loads(here(capsys, *arguments, "--json").out)
    assert len(found["clips"]) == 3 and found["rows"]["blazepose3d"]["all"]["pa_mpjpe_mm"] > 0


@pytest.mark.parametrize(("words", "said"), [
    (("train", "hmr"), "mrs data any"), (("train", "hmr", "--data", "x", "--minutes", 1, "--steps", 1), "--minutes"),
    (("eval", "lifter"), "mrs data any"), (("eval", "lifter", "--data", "x", "--lifter", "nobody"), "nobody"),
    (("eval", "lifter", "--data", "nowhere"), "nowhere")])
def test_refusals_say_what_to_type(words, said, capsys):
    """Each is one line with exit code 2 or 3."""
    ended = here(capsys, *words)
    assert ended.code in (2, 3) and said in ended.err and "Traceback" not in ended.err


def test_another_programs_npz_is_no_corpus(tmp_path, capsys):
    """One line says what was expected and what the file holds."""
    np.savez(tmp_path / "x.npz", poses=np.zeros(3), trans=np.zeros(3))
    ended = here(capsys, "eval", "lifter", "--data", tmp_path / "x.npz")
    assert ended.code == 3 and "Expected a corpus" in ended.err and "another's, and holds poses, trans. Type: mrs data any" in ended.err
