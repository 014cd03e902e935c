"""DeepMimic's own motions on DeepMimic's own sizes: file, Motion, MuJoCo humanoid; joints where DeepMimic's kinematics has them."""

import json

import numpy as np
import pytest

from benchmarks import deepmimic_round_trip as benchmark
from mrs import rotations
from mrs.formats import deepmimic
from mrs.physics import humanoid
from tests.command import ROOT

mujoco = pytest.importorskip("mujoco")
FOLDER = ROOT.parent / "shared" / "assets" / "motion" / "deepmimic"
# DeepMimic's tree: joint -> (parent, offset, slot in the frame, numbers); axes forward, up, right.
TREE = {"chest": ("root", (0, .236151, 0), 8, 4), "neck": ("chest", (0, .223894, 0), 12, 4),
        "right_hip": ("root", (0, 0, .084887), 16, 4), "right_knee": ("right_hip", (0, -.421546, 0), 20, 1),
        "right_ankle": ("right_knee", (0, -.409870, 0), 21, 4), "right_shoulder": ("chest", (-.02405, .24350, .18311), 25, 4),
        "right_elbow": ("right_shoulder", (0, -.274788, 0), 29, 1), "left_hip": ("root", (0, 0, -.084887), 30, 4),
        "left_knee": ("left_hip", (0, -.421546, 0), 34, 1), "left_ankle": ("left_knee", (0, -.409870, 0), 35, 4),
        "left_shoulder": ("chest", (-.02405, .24350, -.18311), 39, 4), "left_elbow": ("left_shoulder", (0, -.274788, 0), 43, 1)}
OURS = {"chest": "spine1"}


def their_places(frame: np.ndarray) -> dict[str, np.ndarray]:
    """Forward kinematics by the published tables; the file's y-up world as MuJoCo has ours, (x, y, z) to (z, x, y)."""
    turned, placed = {"root": rotations.quat_to_matrix(frame[4:8])}, {"root": frame[1:4]}
    for joint, (parent, offset, slot, count) in TREE.items():
        own = frame[slot : slot + 4] if count == 4 else np.array([np.cos(frame[slot] / 2), 0, 0, np.sin(frame[slot] / 2)])
        placed[joint] = placed[parent] + turned[parent] @ np.array(offset)
        turned[joint] = turned[parent] @ rotations.quat_to_matrix(own)
    return {joint: np.array([z, x, y]) for joint, (x, y, z) in placed.items()}


def our_places(path) -> list[dict[str, np.ndarray]]:
    """The same by our reader and the humanoid."""
    motion = deepmimic.read(path, limbs="directions")
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES, sizes="deepmimic")
    data, found = mujoco.MjData(person.model), []
    for state in person.qpos(motion):
        data.qpos[:] = state
        mujoco.mj_kinematics(person.model, data)
        found.append({joint: data.body(OURS.get(joint, joint)).xpos.copy() for joint in TREE})
    return found


def assert_same(path):
    """All joints of every tenth frame within 5 mm, seen from the root."""
    frames = np.array(json.loads(path.read_text())["Frames"], float)
    for row, ours in list(enumerate(our_places(path)))[::10]:
        theirs = their_places(frames[row])
        shift = ours["left_hip"] - theirs["left_hip"]
        for joint in TREE:
            assert np.linalg.norm(ours[joint] - theirs[joint] - shift) < 0.005, (path.name, row, joint)


def test_a_made_frame(tmp_path):
    """A turned root, a bent knee and elbow, a raised arm, a twisted chest."""
    frame = np.zeros(44)
    frame[[4, 8, 12, 16, 21, 25, 30, 35, 39]] = 1
    frame[0], frame[1:4] = 1 / 30, [0.3, 0.9, -0.2]
    for slot, turn in ((4, (0.1, 0.7, 0.2)), (8, (0.2, 0.4, 0.1)), (16, (0.1, 0, 0.8)), (39, (-1.2, 0.3, 0.4)), (35, (0, 0.2, 0.3))):
        frame[slot : slot + 4] = rotations.axis_angle_to_quat(np.array(turn))
    frame[20], frame[34], frame[29], frame[43] = -1.2, -0.4, 1.5, 0.6
    path = tmp_path / "pose.txt"
    path.write_text(json.dumps({"Loop": "none", "Frames": [frame.tolist()] * 2}))
    assert_same(path)


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the shared corpus")
@pytest.mark.parametrize("name", ["run", "dance_spin", "roll", "punch"])
def test_corpus_clips_come_back(name):
    """File, Motion, file, and where the rate is even (not in the roll) with a BVH in between, by the benchmark's own code."""
    path = FOLDER / f"humanoid3d_{name}.txt"
    assert benchmark.through_file(path).max() < 1e-3
    assert benchmark.is_even(path) == (name != "roll")
    if benchmark.is_even(path):
        assert benchmark.through_bvh(path).max() < 1e-2


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the shared corpus")
@pytest.mark.parametrize("name", ["run", "crawl", "dance_spin", "sideflip"])
def test_a_retargeted_clip_is_the_clip(name):
    """`mrs retarget` to DeepMimic's humanoid in MuJoCo: every joint where DeepMimic has it, sliding feet and hinges and all."""
    pytest.importorskip("mink")
    assert benchmark.retargeted(FOLDER / f"humanoid3d_{name}.txt").max() < 1.5


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the shared corpus")
@pytest.mark.parametrize("name", ["run", "jog", "dance_a", "sideflip", "roll", "crawl"])
def test_corpus_clips(name):
    """Clips of the corpus."""
    assert_same(FOLDER / f"humanoid3d_{name}.txt")
