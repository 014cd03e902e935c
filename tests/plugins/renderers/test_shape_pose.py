"""The renderer `shape-pose`."""

import numpy as np
import pytest

from mrs import plugins
from mrs.appearance import session
from mrs.errors import InputError
from mrs.render.appearance import Appearance
from mrs.render.clip import Clip
from mrs.render.film import appearance_of, renderer_of
from tests.appearance.small import tiny, write_run
from tests.command import here
from tests.walker import walker


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    session.session(("people:",), folder, tiny(iterations=1))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("clip") / "run")


def make(weights, **values):
    return renderer_of(plugins.load(()), "shape-pose", {"weights": str(weights), **values})


def test_the_clip_s_person_is_drawn_before_its_background(run, weights):
    clip = Clip.of_run(run)
    looks = appearance_of(clip)
    motion = clip.motion.part(0, 4)
    pictures = list(make(weights, personalise_s=0.05).render(motion, looks, clip.camera, (160, 120)))
    assert len(pictures) == 4
    assert pictures[0].shape == (120, 160, 3)
    behind = looks.background_rgb
    assert np.abs(pictures[0][:, :8].astype(int) - behind[:, :8]).mean() < 3
    assert (run / "persons" / "01" / "shape_pose.safetensors").is_file()


def test_another_motion_and_view_are_drawn_on_plain_ground(run, weights, tmp_path, capsys):
    walker(np.arange(6) / 12, heading_deg=30.0)[0].save(tmp_path / "other.npz")
    done = here(capsys, "render", tmp_path / "other.npz", "--appearance", run, "--renderer", "shape-pose", "--set", f"renderer.weights={weights}",
                "--camera", "orbit", "--size", "96x72", "-o", tmp_path / "out.mp4", "--quiet")
    assert done.code == 0, done.err
    assert (tmp_path / "out.mp4").stat().st_size > 500


def test_without_pictures_it_says_what_to_type(weights):
    motion = walker(np.arange(3) / 12)[0]
    with pytest.raises(InputError, match="--appearance RUN"):
        list(make(weights).render(motion, Appearance.plain(), None, (64, 64)))
