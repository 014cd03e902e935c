"""`mrs run --dense` through the real command, on a walker's keypoints and pictures of DensePose."""

import json

import numpy as np
import pytest

from benchmarks import dense as painter
from mrs import plugins
from mrs.body import atlas, load_body
from mrs.motion import Motion
from mrs.skeletons import BODY_25
from mrs.tracks import Tracks
from tests.command import here, real
from tests.refine.test_dense import cse_dump, embedding_of
from tests.walker import filmed, walker

COUNT = 16
QUICK = ("--size", "1280x720", "--fps", "30", "--fov", "50", "--quiet", "--json", "--set", "smoother.iterations=5",
         "--set", "smoother.contact_iterations=3")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A folder with `poses` of OpenPose and `iuv` of DensePose."""
    folder = tmp_path_factory.mktemp("walk")
    times = np.arange(COUNT) / 30
    track, truth = filmed(walker(times)[0], keypoints=BODY_25, noise=0.003)
    plugins.load().make("track_exporter", "openpose").write_tracks(Tracks((track,), painter.SIZE_PX, np.arange(COUNT), times), folder / "poses")
    (folder / "iuv").mkdir()
    painter.draw(truth, track, folder / "iuv")
    return folder


def refined_by(out):
    """What the smoother reported."""
    return next(step for step in Motion.load(out / "persons/01/motion.npz").history if step["stage"] == "refine")


def test_it_reads_densepose_and_tells(walk, tmp_path):
    """Both terms are in the report, with how much was read; the files' hash is in run.json."""
    ended = real("run", "--detector", f"openpose:{walk / 'poses'}", "--dense", f"densepose:{walk / 'iuv'}", *QUICK, "-o", tmp_path / "o")
    assert ended.code == 0, ended.err
    told = refined_by(tmp_path / "o")
    assert told["dense"]["frames"] == 8 and told["dense"]["pixels"] == 8 * 120
    assert {"dense", "silhouette"} <= set(told["terms"])
    assert json.loads(ended.out)["stages"]["smoother"]["made_from"]["dense"]


def test_a_run_is_refined_again_with_it(walk, tmp_path, capsys):
    """`mrs smooth RUN --dense`, with an atlas and without a term, and what is the same is not made again."""
    out = tmp_path / "o"
    assert here(capsys, "smooth", "--detector", f"openpose:{walk / 'poses'}", *QUICK, "-o", out).code == 0
    assert "dense" not in refined_by(out)
    again = ("smooth", out, "--dense", f"densepose:{walk / 'iuv'}", "--set", "smoother.atlas=embedded", "--set", "smoother.off=silhouette", "--json")
    ended = here(capsys, *again)
    assert ended.code == 0, ended.err
    assert "dense" in refined_by(out)["terms"] and "silhouette" not in refined_by(out)["terms"]
    assert "persons/01/motion.npz" in json.loads(here(capsys, *again).out)["reused"]


def test_it_reads_cse_with_its_embeddings(walk, tmp_path, capsys):
    """A dump of CSE and a file of embeddings: surface points are in the report; without the file the mask alone."""
    cse_dump((None, None, walk / "iuv"), tmp_path / "cse.pkl", 56)
    rest = atlas.embedded().surface.on(load_body().template_m)
    np.savez(tmp_path / "embeddings.npz", embeddings=embedding_of(rest), rest_m=rest)
    command = ("run", "--detector", f"openpose:{walk / 'poses'}", "--dense", f"densepose:{tmp_path / 'cse.pkl'}", *QUICK, "-o", tmp_path / "o")
    for sets, terms in (((), {"silhouette"}), (("--set", f"smoother.atlas={tmp_path / 'embeddings.npz'}"), {"silhouette", "dense"})):
        ended = here(capsys, *command, *sets)
        assert ended.code == 0, ended.err
        assert {"silhouette", "dense"} & set(refined_by(tmp_path / "o")["terms"]) == terms


def test_nobody_in_the_files_is_a_warning(walk, tmp_path, capsys):
    """One empty picture: the run goes on and says so."""
    import cv2

    (tmp_path / "iuv").mkdir()
    cv2.imwrite(str(tmp_path / "iuv/frame_0000_IUV.png"), np.zeros((720, 1280, 3), np.uint8))
    ended = here(capsys, "run", "--detector", f"openpose:{walk / 'poses'}", "--dense", f"densepose:{tmp_path / 'iuv'}", *QUICK, "-o", tmp_path / "o")
    assert ended.code == 0, ended.err
    assert any("shows this person in no frame" in line for line in json.loads(ended.out)["warnings"])


@pytest.mark.parametrize("arguments, code, words", [
    (("--dense", "densepose:nowhere"), 3, "nowhere"), (("--dense", "densepos:IUV"), 2, "densepose:DIR"), (("--dense", "densepose"), 2, "densepose:DIR"),
    (("--dense", "densepose:POSES"), 3, "NAME_IUV.png"), (("--dense", "masks"), 2, "--detector blazepose"),
    (("--dense", "densepose:IUV", "--smoother", "savgol"), 2, "smoother.dense"),
    (("--dense", "densepose:IUV", "--set", "smoother.atlas=nowhere.npz"), 3, "nowhere.npz"),
    (("--dense", "densepose:IUV", "--set", "smoother.atlas=POSES/frame_000000000000_keypoints.json"), 3, "part, uv and rest_m"),
])
def test_wrong_requests_are_refused_in_a_line(walk, tmp_path, capsys, monkeypatch, arguments, code, words):
    """What was expected, what came; never a traceback."""
    monkeypatch.chdir(tmp_path)
    arguments = [a.replace("IUV", str(walk / "iuv")).replace("POSES", str(walk / "poses")) for a in arguments]
    quick = QUICK[:7] if "savgol" in arguments else QUICK
    ended = here(capsys, "run", "--detector", f"openpose:{walk / 'poses'}", *quick, *arguments, "-o", tmp_path / "o")
    assert ended.code == code, ended.err
    assert words in ended.err and len(ended.err.strip().splitlines()) == 1, ended.err
