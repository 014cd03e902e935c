"""A clip of a body in known clothes, with its run folder."""

import json

import pytest

from benchmarks import dressed


@pytest.fixture(scope="session")
def filmed(tmp_path_factory):
    """Somebody who turns about once, in known clothes, drawn by a path of its own."""
    return dressed.film(dressed.turning(seconds=2.0, fps=9.0), tmp_path_factory.mktemp("filmed"), (400, 300))


def run_folder(clip, folder, **settings):
    """Write the run folder that a clip would come from."""
    person = folder / "persons" / "01"
    person.mkdir(parents=True)
    clip.motion.save(person / "motion.npz")
    clip.tracks.save(folder / "tracks.npz")
    video = {"path": str(clip.video.path), "sha256": clip.video.sha256, "pictures": True}
    (folder / "run.json").write_text(json.dumps({"schema_version": 1, "kind": "run", "video": video, "settings": settings}))
    return folder


@pytest.fixture
def run(filmed, tmp_path):
    """A run folder of the clip."""
    return run_folder(filmed.clip, tmp_path / "run")
