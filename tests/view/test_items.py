"""What a viewer shows, and where it puts it."""

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import InputError
from mrs.view import items
from tests.report.runs import make_run
from tests.walker import walker


@pytest.fixture(scope="module")
def registry():
    return plugins.load()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = make_run(tmp_path_factory.mktemp("view") / "walk_mrs", seconds=1.0)
    (root / "persons/01/synth").mkdir()
    walker(np.arange(20) / 30)[0].save(root / "persons/01/synth/bds.npz")
    return root


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    path = tmp_path_factory.mktemp("view") / "other.npz"
    walker(5 + np.arange(60) / 60, heading_deg=70)[0].save(path)
    return path


def test_a_run_is_everybody_and_what_they_became(run, registry):
    """People in order, their re-enactments after them, colours of their own, the run's video with the people."""
    found = items.gather([run], registry)
    assert [item.label for item in found] == ["person 01", "person 01 by bds", "person 02"]
    assert len({item.colour for item in found}) == 3
    assert [item.film and item.film.name for item in found] == ["overlay.mp4", None, "overlay.mp4"]
    assert items.default_arrangement(found) == "side by side"
    assert [item.label for item in items.gather([run], registry, lifted=True)][1] == "person 01, lifted"


def test_files_and_runs_together_have_names_of_their_own(run, other, registry):
    """Motions of several places; labels that are the same get their place's name."""
    labels = [item.label for item in items.gather([run, other, run], registry)]
    assert labels[3] == "other" and len(labels) == 7 and "walk_mrs: person 01" in labels


def test_rows_are_the_nearest_in_time(other, registry):
    """A motion that begins at 5 s begins at the viewer's 0, at its own rate, and stands still at its ends."""
    item = items.gather([other], registry)[0]
    assert [item.row(t) for t in (-1, 0, 0.02, 0.5, 99)] == [0, 0, 1, 30, 59] and item.length_s == pytest.approx(59 / 60)


def test_side_by_side_and_overlaid_begin_alike(run, other, registry):
    """Everybody begins on X = a place of their own (or 0), Z = 0, and walks towards +Z."""
    found = items.gather([run, other], registry)
    for arrangement in ("side by side", "overlaid"):
        starts = []
        for item, (turn, shift) in zip(found, items.placed(found, arrangement), strict=True):
            path = item.motion.root_pos_m @ turn.T + shift
            starts.append(path[0])
            assert abs(path[0, 2]) < 1e-9 and path[-1, 2] > 0.2 and abs(path[-1, 0] - path[0, 0]) < 0.1
        gaps = np.diff([start[0] for start in starts])
        assert (gaps > 1).all() if arrangement == "side by side" else np.allclose(gaps, 0)


def test_as_they_are_nothing_moves(run, registry):
    found = items.gather([run], registry)
    assert all((turn == np.eye(3)).all() and not shift.any() for turn, shift in items.placed(found, "as they are"))


def test_a_run_without_motions_is_refused(tmp_path, registry):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="Type: mrs run"):
        items.gather([tmp_path], registry)
