"""`mrs export` of motions: every format at once, preparation, two people, bad motions; a right file or one line, never half a file."""

import json

import numpy as np
import pytest

from mrs import plugins
from mrs.body import load_body
from mrs.formats import bvh
from mrs.motion import Motion
from tests.cli.test_export import run  # noqa: F401 (a finished run of fakes with two people)
from tests.command import here, real
from tests.formats.known_pose import known_pose, wandering
from tests.formats.test_cycle import walk
from tests.formats.test_prepare import lying

ALL = {"bvh": ".bvh", "deepmimic": ".txt", "mimickit": ".pkl", "ase": ".npy", "phc": ".pkl", "protomotions": ".motion", "amass": ".npz",
       "gmr": ".npz", "gmr-lafan1": ".bvh", "mjlab": ".npz", "mjlab-csv": ".csv", "loco-mujoco": ".npz", "gltf": ".glb", "trc": ".trc", "csv": ".csv"}
LIGHT = "bvh,deepmimic,mimickit,ase,phc,amass,gltf,trc,csv"


@pytest.fixture
def motion_file(tmp_path):
    """A motion.npz in a folder of its own."""
    (tmp_path / "in").mkdir()
    wandering(30).save(tmp_path / "in/motion.npz")
    return tmp_path / "in/motion.npz"


def left(folder):
    """Names of all files below a folder, hidden ones too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_every_motion_exporter_is_tested_here():
    """A new exporter has to be added to these tests, and to docs/export.md."""
    names = set(plugins.load().names("exporter"))
    assert names == set(ALL) | {"c3d", "videomimic"}


def test_the_real_command_writes_every_format(motion_file, tmp_path):
    """One file a format, said on stdout; the input stays."""
    before = motion_file.read_bytes()
    ended = real("export", motion_file, "--to", ",".join(ALL), "-o", tmp_path / "out", "--fps", "30")
    assert ended.code == 0, ended.err
    names = [f"motion_{name}{suffix}" for name, suffix in ALL.items()]
    assert [line.rpartition("/")[2] for line in ended.out.split()] == names and left(tmp_path / "out") == sorted(names)
    assert motion_file.read_bytes() == before and "Traceback" not in ended.err


def test_two_people_become_two_files_a_format(run, tmp_path, capsys):  # noqa: F811
    """One file for each person and format."""
    ended = here(capsys, "export", run, "--to", "deepmimic,gltf", "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert left(tmp_path / "out") == ["01_deepmimic.txt", "01_gltf.glb", "02_deepmimic.txt", "02_gltf.glb"]
    one = here(capsys, "export", run, "--to", "amass", "--person", "2", "-o", tmp_path / "second.npz")
    assert one.out.split() == [str(tmp_path / "second.npz")]


def test_files_go_beside_the_motion_without_o(motion_file, capsys):
    """motion.txt alone, motion_amass.npz where the motion is an npz itself, motion_NAME among several."""
    here(capsys, "export", motion_file, "--to", "deepmimic")
    here(capsys, "export", motion_file, "--to", "amass")
    here(capsys, "export", motion_file, "--to", "phc,mimickit")
    assert left(motion_file.parent) == ["motion.npz", "motion.txt", "motion_amass.npz", "motion_mimickit.pkl", "motion_phc.pkl"]


def test_an_ending_is_added_and_a_wrong_one_refused(motion_file, tmp_path, capsys):
    """-o walk becomes walk.pkl; BVH needs its own ending, and the line names what was typed."""
    assert here(capsys, "export", motion_file, "--to", "mimickit", "-o", tmp_path / "walk").out.split() == [str(tmp_path / "walk.pkl")]
    ended = here(capsys, "export", motion_file, "--to", "bvh", "-o", tmp_path / "walk.txt")
    assert ended.code == 2 and f"ends in .bvh for 'bvh', but got {tmp_path / 'walk.txt'}" in ended.err
    assert left(tmp_path) == ["in/motion.npz", "walk.pkl"]


def test_a_target_that_exists_is_left_alone(motion_file, tmp_path, capsys):
    """Refused before anything is written, in one line; --force and --overwrite replace it."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "motion_trc.trc").write_text("precious")
    ended = here(capsys, "export", motion_file, "--to", "csv,trc", "-o", out)
    assert ended.code == 2 and "--overwrite" in ended.err and len(ended.err.strip().splitlines()) == 1
    assert left(out) == ["motion_trc.trc"] and (out / "motion_trc.trc").read_text() == "precious"
    assert here(capsys, "export", motion_file, "--to", "csv,trc", "-o", out, "--force").code == 0
    assert left(out) == ["motion_csv.csv", "motion_trc.trc"] and (out / "motion_trc.trc").read_text() != "precious"


def test_of_several_formats_the_one_that_fails_is_named(tmp_path, capsys):
    """A single frame is a BVH but no AMASS file: one line says which could not be written and what was; nothing is half written."""
    wandering(1).save(tmp_path / "one.npz")
    ended = here(capsys, "export", tmp_path / "one.npz", "--to", "bvh,amass,phc", "-o", tmp_path / "out")
    assert ended.code == 3 and ended.err.count("\n") == 1, ended.err
    assert "motion_amass.npz: Expected a motion of at least 2 frames" in ended.err and "motion_bvh.bvh" in ended.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["motion_bvh.bvh"]


def test_the_input_is_never_replaced(motion_file, tmp_path, capsys):
    """Not even with --force: a motion may be the only copy of hours of work."""
    here(capsys, "export", motion_file, "--to", "bvh", "-o", tmp_path / "a.bvh")
    before = (tmp_path / "a.bvh").read_bytes()
    ended = here(capsys, "export", tmp_path / "a.bvh", "--to", "bvh", "-o", tmp_path / "a.bvh", "--force", "--set", "unit=m")
    assert ended.code == 2 and "other than the input" in ended.err and (tmp_path / "a.bvh").read_bytes() == before


def test_preparation(tmp_path, capsys):
    """--fps, --loop wrap, --heading zero and --ground reach the file: rate, equal ends, wrap declared, facing +X at the origin."""
    walk(noise=0.01).save(tmp_path / "w.npz")
    ended = here(capsys, "export", tmp_path / "w.npz", "--to", "deepmimic", "-o", tmp_path / "w.txt", "--fps", "60", "--loop", "wrap",
                 "--heading", "zero", "--ground")
    assert ended.code == 0 and "Loop of" in ended.err, ended.err
    data = json.loads((tmp_path / "w.txt").read_text())
    frames = np.array(data["Frames"])
    assert data["Loop"] == "wrap" and frames[0, 0] == pytest.approx(1 / 60)
    np.testing.assert_allclose(frames[0, 4:], frames[-1, 4:], atol=1e-4)
    np.testing.assert_allclose(frames[0, [2]], frames[-1, [2]], atol=1e-6)
    np.testing.assert_allclose(frames[0, [1, 3]], 0, atol=0.03)
    assert frames[-1, 1] > 1 and abs(frames[-1, 3]) < 0.2


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (("--to", "deepmimick"), 2, "Did you mean 'deepmimic'"),
    (("--to", ""), 2, "Unknown exporter"),
    (("--to", "bvh,coco"), 2, "one format of 2D tracks"),
    (("--to", "deepmimic", "--fps", "0"), 2, "--fps above 0"),
    (("--to", "deepmimic", "--fps", "abc"), 2, "abc"),
    (("--to", "deepmimic", "--loop", "wrap"), 3, "Type --loop clamp"),
    (("--to", "deepmimic,gltf", "--set", "limb=x"), 2, "Did you mean 'exporter.limbs'"),
    (("--to", "deepmimic,gltf", "--set", "gltf.limbs=directions"), 2, "Unknown option"),
    (("--to", "mimickit", "--set", "character=dog"), 2, "humanoid, smpl"),
    (("--to", "bvh", "--set", "names=deepmimic", "--set", "up=z"), 2, "up=y"),
])
def test_wrong_requests_are_one_line(motion_file, tmp_path, capsys, arguments, code, words):
    """What was expected, what came, what to type; no file, not even a temporary one."""
    ended = here(capsys, "export", motion_file, "-o", tmp_path / "out", *arguments)
    assert ended.code == code and words in ended.err, ended.err
    assert left(tmp_path) == ["in/motion.npz"]


def test_options_go_to_the_exporter_that_is_named(motion_file, tmp_path, capsys):
    """FORMAT.OPTION to one, OPTION to all that know it."""
    ended = here(capsys, "export", motion_file, "--to", "bvh,amass,mimickit", "-o", tmp_path / "out", "--set", "bvh.names=mixamo",
                 "--set", "form=smplh", "--set", "mimickit.character=smpl", "--set", "limbs=rotations")
    assert ended.code == 0, ended.err
    assert "mixamorig" in (tmp_path / "out/motion_bvh.bvh").read_text()
    with np.load(tmp_path / "out/motion_amass.npz") as file:
        assert file["poses"].shape[1] == 156


class TestBadMotions:
    """The issue's list: two frames, ten minutes, NaN, lying down, stairs, two people (above)."""

    def test_two_frames(self, tmp_path, capsys):
        """Every format takes two frames."""
        known_pose(frames=2).save(tmp_path / "m.npz")
        ended = here(capsys, "export", tmp_path / "m.npz", "--to", ",".join(ALL), "-o", tmp_path / "out")
        assert ended.code == 0 and len(left(tmp_path / "out")) == len(ALL), ended.err

    def test_one_frame(self, tmp_path, capsys):
        """Formats with velocities or a rate refuse one; pictures and tables take it."""
        known_pose(frames=1).save(tmp_path / "m.npz")
        assert here(capsys, "export", tmp_path / "m.npz", "--to", "gltf,csv,bvh", "-o", tmp_path / "out").code == 0
        ended = here(capsys, "export", tmp_path / "m.npz", "--to", "deepmimic", "-o", tmp_path / "x.txt")
        assert ended.code == 3 and "at least 2 frames for this format, but this one has 1" in ended.err and not (tmp_path / "x.txt").exists()

    def test_ten_minutes(self, tmp_path, capsys):
        """18,000 frames in the formats that trainers read."""
        motion = walk(seconds=600, fps=30)
        motion.save(tmp_path / "m.npz")
        ended = here(capsys, "export", tmp_path / "m.npz", "--to", "deepmimic,bvh,gltf", "-o", tmp_path / "out")
        assert ended.code == 0, ended.err
        assert len(bvh.read(tmp_path / "out/motion_bvh.bvh")) == len(motion) == 18_001

    def test_not_a_number(self, tmp_path, capsys):
        """One line that names the array."""
        motion = wandering(20)
        motion.local_quat_wxyz[7, 3] = np.nan
        motion.save(tmp_path / "m.npz")
        ended = here(capsys, "export", tmp_path / "m.npz", "--to", LIGHT, "-o", tmp_path / "out", "--fps", "20", "--ground")
        assert ended.code == 3 and "local_quat_wxyz" in ended.err and len(ended.err.strip().splitlines()) == 1
        assert left(tmp_path) == ["m.npz"]

    def test_lying_down(self, tmp_path, capsys):
        """Whoever lies half in the floor comes out on it, in every character's own links."""
        lying().save(tmp_path / "m.npz")
        ended = here(capsys, "export", tmp_path / "m.npz", "--to", LIGHT, "-o", tmp_path / "out", "--ground")
        assert ended.code == 0 and "Raised by up to 10.0 cm" in ended.err, ended.err
        from mrs.formats import humanoid

        frames = np.array(json.loads((tmp_path / "out/motion_deepmimic.txt").read_text())["Frames"])
        assert -1e-6 < humanoid.lowest_m(frames[:, 1:]).min() < 0.1

    def test_stairs(self, tmp_path, capsys):
        """Two metres up, someone stays two metres up (by the ratio of legs), and is not drawn to the floor."""
        motion = wandering(20)
        up = load_body().motion(motion.times_s, motion.root_pos_m + np.linspace(0, 2, 20)[:, None] * [0, 1, 0], motion.local_quat_wxyz,
                                motion.betas)
        up.save(tmp_path / "m.npz")
        assert here(capsys, "export", tmp_path / "m.npz", "--to", "deepmimic", "-o", tmp_path / "m.txt", "--ground").code == 0
        frames = np.array(json.loads((tmp_path / "m.txt").read_text())["Frames"])
        assert frames[-1, 2] - frames[0, 2] == pytest.approx(2 * 0.93, abs=0.15)

    def test_a_camera_that_moved(self, run, tmp_path, capsys):  # noqa: F811
        """What a lifter left in the camera's frame is put into the world first."""
        ended = here(capsys, "export", run / "persons/01/lifted.npz", "--to", "deepmimic,gltf", "-o", tmp_path / "out")
        assert ended.code == 0, ended.err
        assert Motion.load(run / "persons/01/lifted.npz").frame == "camera"


def test_a_run_exports_them_too(tmp_path, capsys):
    """`mrs run --export` names the same formats."""
    from tests.command import FAKE_FLAGS
    from tests.videos import make_video

    make_video(tmp_path / "clip.mp4", count=8)
    ended = here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "run", *FAKE_FLAGS, "--export", "deepmimic,phc,gltf")
    assert ended.code == 0, ended.err
    for number in ("01", "02"):
        assert {"motion.bvh", "motion.txt", "motion.pkl", "motion.glb"} <= {p.name for p in (tmp_path / "run/persons" / number).iterdir()}
