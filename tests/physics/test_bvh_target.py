"""Retargeting to the skeleton of a BVH file."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import bvh, bvh_import
from mrs.formats.bvh_motion import to_bvh
from mrs.physics import bvh_target
from mrs.skeletons import SMPL_24
from tests.command import here
from tests.formats.test_legs import stretched
from tests.physics import poses
from tests.walker import walker


@pytest.fixture(scope="module")
def walk():
    """A walk of two steps."""
    return walker(np.arange(40) / 30)[0]


def skeleton(names="mixamo", order="ZXY", betas=None, **options) -> bvh.Bvh:
    """A BVH document of another person in T-pose."""
    betas = np.zeros(10) if betas is None else betas
    quats = np.tile([1.0, 0, 0, 0], (3, 24, 1))
    motion = load_body().motion(np.arange(3) / 30, np.zeros((3, 3)), quats, betas, grounded=True)
    return to_bvh(motion, names=names, order=order, **options)[0]


@pytest.mark.parametrize(("names", "order", "options"), [("smpl", "ZXY", {}), ("mixamo", "XYZ", {"unit": "m"}),
                                                         ("cmu", "ZYX", {"channels": 6}), ("lafan1", "YXZ", {"unit": "inch"})])
def test_the_persons_own_skeleton_gives_the_motion_back(walk, names, order, options):
    """In any names, order and unit, every joint is where it was to a tenth of a millimetre."""
    found = bvh_target.retarget(walk, skeleton(names, order, **options), "it")
    assert found.scale == pytest.approx(1, abs=1e-6)
    back = bvh_import.from_bvh(found.document)
    assert np.abs(back.joints_m - walk.joints_m)[:, :22].max() < 5e-3
    assert found.document.channels == skeleton(names, order, **options).channels


def test_a_smaller_person_keeps_directions_and_stands(walk):
    """Limbs point where they did, the way is as long as the legs, feet do not slide, ankles are met."""
    betas = 0.7 * np.eye(10)[0]
    target = skeleton(betas=betas if load_body().stature_m(betas) < load_body().stature_m(-betas) else -betas)
    found = bvh_target.retarget(walk, target, "it")
    assert 0.8 < found.scale < 0.99
    assert found.slide_cm_s < 0.5
    assert found.error_mm["left_ankle"].max() < 1 and found.error_mm["left_wrist"].max() < 1
    back = bvh_import.from_bvh(found.document)
    for a, b in (("left_elbow", "left_wrist"), ("right_shoulder", "right_elbow")):
        ours, theirs = (m.joints_m[:, SMPL_24.index(b)] - m.joints_m[:, SMPL_24.index(a)] for m in (walk, back))
        cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 1.5
    way = back.root_pos_m[-1, 2] - back.root_pos_m[0, 2]
    assert way == pytest.approx(found.scale * (walk.root_pos_m[-1, 2] - walk.root_pos_m[0, 2]), rel=0.02)


def test_sliding_feet_are_held(walk):
    """A walk whose whole body slides 5 cm/s sideways stands still in contact on another's legs, and on its own where that is wished."""
    path = np.zeros((len(walk), 3))
    path[:, 0] = 0.05 * walk.times_s
    sliding = poses.moved(walk, path)
    assert bvh_target.retarget(sliding, skeleton(betas=np.eye(10)[0]), "it").slide_cm_s < 0.5
    assert bvh_target.retarget(sliding, skeleton(), "it", "hold").slide_cm_s < 0.5
    assert bvh_target.retarget(sliding, skeleton(), "it").slide_cm_s == pytest.approx(5)


def test_a_file_on_its_own_skeleton_is_the_file(walk):
    """Other thighs and hips than any body of ours has, feet that slide: read and carried back, every joint is where the file has it."""
    path = np.zeros((len(walk), 3))
    path[:, 2] = 0.1 * walk.times_s
    document = stretched(poses.moved(walk, path))
    read = bvh_import.from_bvh(document)
    found = bvh_target.retarget(read, document, "it")
    assert found.feet == "follow"
    ours, theirs = found.document.pose()[1] / 100, document.pose()[1] / 100
    rows = [document.names.index(f"mixamorig:{side}{part}") for side in ("Left", "Right") for part in ("UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand")]
    assert np.abs(ours - theirs)[:, rows].max() < 1e-3
    held = bvh_target.retarget(read, document, "it", "hold")
    assert held.feet == "hold" and held.slide_cm_s < 0.5 and found.slide_cm_s > 5


def test_a_t_pose_as_first_frame_serves_as_rest(walk):
    """A skeleton in A-pose whose first frame is a T-pose, with more frames after it."""
    document = to_bvh(walk, names="mixamo", tpose_first=True)[0]
    found = bvh_target.retarget(walk, document, "it")
    back = bvh_import.from_bvh(found.document)
    assert np.abs(back.joints_m - walk.joints_m)[:, :22].max() < 5e-3
    assert len(found.document) == len(walk)


def test_uneven_times_become_even(walk):
    """Times that jitter are brought to the mean rate."""
    times = walk.times_s + np.random.default_rng(0).uniform(-0.005, 0.005, len(walk))
    found = bvh_target.retarget(replace(walk, times_s=times), skeleton(), "it")
    assert found.document.frame_time_s == pytest.approx((times[-1] - times[0]) / (len(walk) - 1))


def test_a_skeleton_that_does_not_stand_is_refused(walk):
    """LAFAN1's raw offsets lie along one axis: the message says what to do."""
    target = skeleton("lafan1")
    lying = replace(target, offsets=np.abs(np.linalg.norm(target.offsets, axis=1))[:, None] * np.array([1.0, 0, 0]), values=target.values[:0])
    with pytest.raises(InputError, match="T-pose"):
        bvh_target.retarget(walk, lying, "it.bvh")


def test_offsets_along_one_axis_as_lafan1s(walk):
    """Where every bone of the rest pose lies along +X, the first frame, someone who stands turned by 30 degrees, serves as rest."""
    standing = poses.posed({"left_shoulder": [0, 0, -70], "right_shoulder": [0, 0, 70]}, np.arange(3) / 30, root_deg=(0, 30, 0))
    plain = to_bvh(standing, names="lafan1")[0]
    turned, placed = plain.pose()
    straight = {row: rotations.quat_to_matrix(rotations.between(np.array([1.0, 0, 0]), plain.offsets[child]))
                for child, row in enumerate(plain.parents) if row >= 0}
    frames = np.stack([straight.get(row, np.eye(3)) for row in range(len(plain.names))])
    offsets = plain.offsets.copy()
    local = np.empty_like(turned)
    for row, parent in enumerate(plain.parents):
        own = turned[:, row] @ frames[row]
        local[:, row] = own if parent < 0 else np.swapaxes(turned[:, parent] @ frames[parent], -1, -2) @ own
        offsets[row] = plain.offsets[row] if parent < 0 else frames[parent].T @ plain.offsets[row]
    lafan = bvh.build(plain.names, plain.parents, offsets, local, placed[:, 0], 1 / 30)
    assert np.abs(lafan.pose()[1] - placed).max() < 1e-6
    found = bvh_target.retarget(walk, lafan, "lafan.bvh")
    assert len(found.notes) == 1
    joints = found.document.pose()[1] / 100
    rows = {name: found.document.names.index(names) for name, names in (("pelvis", "Hips"), ("left_ankle", "LeftFoot"),
            ("right_wrist", "RightHand"), ("left_knee", "LeftLeg"), ("right_elbow", "RightForeArm"))}
    for name, row in rows.items():
        assert np.abs(joints[:, row] - walk.joints_m[:, SMPL_24.index(name)]).max() < 0.03, name


def test_the_command(walk, tmp_path, capsys):
    """Writes a BVH beside the motion and tells errors; --map and another ending are refused."""
    source, target = tmp_path / "walk.npz", tmp_path / "hero.bvh"
    walk.save(source)
    bvh.write(target, skeleton())
    ended = here(capsys, "retarget", source, "--to", target)
    assert ended.code == 0, ended.err
    assert ended.out.strip() == str(tmp_path / "walk_hero.bvh")
    assert "standing feet slide" in ended.err and "left_ankle" in ended.err
    assert bvh.read(tmp_path / "walk_hero.bvh").names == bvh.read(target).names
    assert here(capsys, "retarget", source, "--to", target, "-o", tmp_path / "x.npz").code == 2
    assert here(capsys, "retarget", source, "--to", target, "-o", tmp_path / "x.bvh", "--map", "a=b").code == 2
    assert here(capsys, "retarget", source, "--to", target).code == 2
