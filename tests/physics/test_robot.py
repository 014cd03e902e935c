"""Retargeting to MuJoCo models: a small robot like a G1, our own humanoid, DeepMimic's."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks import humanoids
from mrs import npz, rotations
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.physics import humanoid, robot, robot_names
from mrs.physics.humanoid import TO_Z_UP
from mrs.skeletons import SMPL_24
from tests.command import here
from tests.physics import poses
from tests.walker import walker

G1 = Path(__file__).with_name("g1_like.xml")


def test_names_of_many_dialects():
    """G1's links, PHC's and MimicKit's humanoids and Mixamo-like names are found; links that stand for nothing are left."""
    legs = {"hip": "left_hip_pitch_link left_hip_roll_link left_hip_yaw_link", "knee": "left_knee_link",
            "ankle": "left_ankle_pitch_link left_ankle_roll_link", "shoulder": "left_shoulder_pitch_link left_shoulder_roll_link",
            "elbow": "left_elbow_link"}
    left = " ".join(legs.values()).split()
    found = robot_names.match(["pelvis", "torso_link", *left, *(n.replace("left", "right") for n in left)])
    assert found["left_hip"] == "left_hip_roll_link" and found["right_ankle"] == "right_ankle_roll_link"
    phc = ["Pelvis", *(f"{s}_{p}" for s in "LR" for p in ("Hip", "Knee", "Ankle", "Toe", "Shoulder", "Elbow", "Wrist")), "Chest", "Torso"]
    assert robot_names.match(phc)["right_foot"] == "R_Toe" and robot_names.match(phc)["spine3"] == "Chest"
    kit = ["pelvis", "torso", "head", *(f"{s}_{p}" for s in ("left", "right") for p in (
        "thigh", "shin", "foot", "upper_arm", "lower_arm", "hand"))]
    found = robot_names.match(kit)
    assert (found["left_knee"], found["left_ankle"], found["right_elbow"]) == ("left_shin", "left_foot", "right_lower_arm")


def test_what_no_name_tells_is_asked_for():
    """The message names what is missing and how to say it; --map says it; a wrong map is refused."""
    names = ["pelvis", *(f"{s}_{p}" for s in ("left", "right") for p in ("hip", "knee", "ankle", "shoulder"))]
    with pytest.raises(InputError, match=r"left_elbow, right_elbow.*--map BODY=JOINT"):
        robot_names.match([*names, "a", "b"])
    assert robot_names.match([*names, "a", "b"], {"a": "left_elbow", "b": "right_elbow"})["left_elbow"] == "a"
    with pytest.raises(UsageError, match="--map"):
        robot_names.match([*names, "a"], {"c": "left_elbow"})


@pytest.fixture(scope="module")
def walk():
    """A short walk."""
    return walker(np.arange(36) / 30)[0]


@pytest.fixture(scope="module")
def robots_walk(walk):
    """The robot's."""
    pytest.importorskip("mink")
    return robot.retarget(walk, G1)


def test_a_robot_walks(walk, robots_walk):
    """Ankles meet their targets to millimetres, feet stand, it goes as far as its legs are long, nothing is under the floor."""
    found = robots_walk
    assert found.error_mm["left_ankle"].max() < 3 and found.error_mm["right_ankle"].max() < 3
    assert all(values.mean() < 35 for values in found.error_mm.values())
    assert found.slide_cm_s < 1
    way = walk.root_pos_m[-1, 2] - walk.root_pos_m[0, 2]
    assert found.qpos[-1, 0] - found.qpos[0, 0] == pytest.approx(found.scale * way, rel=0.05)
    assert 0.6 < found.scale < 0.9


def test_joint_limits_hold(robots_walk):
    """No joint is past its range, and knees bend."""
    model = robot.load_model(G1)
    for joint in range(1, model.njnt):
        low, high = model.jnt_range[joint]
        angles = robots_walk.qpos[:, model.jnt_qposadr[joint]]
        assert angles.min() > low - 1e-3 and angles.max() < high + 1e-3, model.joint(joint).name
    knee = model.joint("left_knee_joint").qposadr[0]
    assert robots_walk.qpos[:, knee].max() > 0.4


def test_right_stays_right():
    """Who raises the right arm to the side raises the robot's right arm, and turns left with it by 40 degrees."""
    pytest.importorskip("mink")
    motion = poses.posed({"left_shoulder": [0, 0, -80]}, np.arange(4) / 30, root_deg=(0, 40, 0))
    found = robot.retarget(motion, G1)
    model = robot.load_model(G1)
    roll = {side: found.qpos[-1, model.joint(f"{side}_shoulder_roll_joint").qposadr[0]] for side in ("left", "right")}
    assert roll["right"] < -1.2 and abs(roll["left"]) < 0.5
    assert 2 * np.degrees(np.arctan2(found.qpos[-1, 6], found.qpos[-1, 3])) == pytest.approx(40, abs=4)


def test_our_own_humanoid_gets_its_motion_back(walk, tmp_path):
    """Retargeted to the very person, every joint is within a centimetre of where it was."""
    pytest.importorskip("mink")
    mujoco = pytest.importorskip("mujoco")
    person = humanoid.build(walk, joints=humanoid.FOR_POLICIES)
    path = tmp_path / "person.xml"
    path.write_text(person.xml)
    found = robot.retarget(walk.part(0, 8), path)
    assert found.scale == pytest.approx(1, abs=1e-6)
    data = mujoco.MjData(person.model)
    data.qpos[:] = found.qpos[5]
    mujoco.mj_kinematics(person.model, data)
    for name in ("pelvis", "left_knee", "right_ankle", "left_foot"):
        x, y, z = walk.joints_m[5, SMPL_24.index(name)]
        assert data.body(name).xpos == pytest.approx([z, x, y], abs=0.02), name


def test_a_model_made_with_y_up_walks_upright(walk, tmp_path):
    """SMPL's humanoid as PHC has it lies on its back at rest: it walks upright, its head where the scaled person's is, right on the right."""
    pytest.importorskip("mink")
    path = tmp_path / "smpl.xml"
    path.write_text(humanoids.smpl())
    found = robot.retarget(walk.part(0, 4), path)
    model = robot.load_model(path)
    data = robot.extra.mujoco().MjData(model)
    data.qpos[:] = found.qpos[-1]
    robot.extra.mujoco().mj_kinematics(model, data)
    head, pelvis, left, right = (data.body(name).xpos for name in ("Head", "Pelvis", "L_Hip", "R_Hip"))
    ours = walk.joints_m[3, SMPL_24.index("head")] - walk.joints_m[3, 0]
    assert head[2] - pelvis[2] == pytest.approx(ours[1], abs=0.15)
    assert (left - right) @ (TO_Z_UP @ (walk.joints_m[3, 1] - walk.joints_m[3, 2])) > 0
    assert max(found.error_mm[f"{side}_{part}"].mean() for side in ("left", "right") for part in ("ankle", "knee", "wrist")) < 10


def test_feet_do_as_they_are_told(walk, tmp_path, capsys):
    """A walk that slides 10 cm/s: a robot's feet stand, or slide with `--feet follow`; MimicKit's humanoid takes the ranges of its hinges."""
    pytest.importorskip("mink")
    path = np.zeros((len(walk), 3))
    path[:, 2] = 0.1 * walk.times_s
    poses.moved(walk, path).part(0, 12).save(tmp_path / "walk.npz")
    (tmp_path / "kit.xml").write_text(humanoids.mimickit())
    for feet, least, most in (("auto", 0, 1), ("follow", 6, 12)):
        ended = here(capsys, "retarget", tmp_path / "walk.npz", "--to", tmp_path / "kit.xml", "-q", "--json", "--overwrite", "--feet", feet)
        assert ended.code == 0, ended.err
        facts = json.loads(ended.out)
        assert least <= facts["slide_cm_s"] < most and facts["feet"] == ("hold" if feet == "auto" else feet)


def test_flight_is_the_time_to_the_nearest_contact():
    """0 while something touches, 1 from 0.15 s on; without any contact all is flight; ten minutes take no table of frames by frames."""
    times = np.arange(18000) / 30
    contacts = np.zeros((18000, 4), bool)
    contacts[[300, 310], 1] = True
    tracemalloc.start()
    flight = robot._flight(contacts, times)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert flight[[0, 300, 302, 305, 308, 310, 315, 17999]] == pytest.approx([1, 0, 4 / 9, 1, 4 / 9, 0, 1, 1])
    assert (robot._flight(contacts & False, times) == 1).all()


def test_gymnasiums_humanoid_walks(walk):
    """A foreign humanoid whose root is its torso, without wrists or chest: ankles are met, feet hardly slide."""
    pytest.importorskip("mink")
    gymnasium = pytest.importorskip("gymnasium")
    found = robot.retarget(walk.part(0, 12), Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / "humanoid.xml")
    assert found.bodies["left_knee"] == "left_shin" and found.bodies["pelvis"] == "pelvis"
    assert found.error_mm["left_ankle"].mean() < 10 and found.slide_cm_s < 4


def test_in_the_air_the_body_leads(tmp_path):
    """Who folds in flight further than the robot can is followed in place and turn, not by the feet; on the floor feet are where they should be."""
    pytest.importorskip("mink")
    times = np.arange(16) / 30
    vectors = np.zeros((16, 24, 3))
    tuck = np.clip((times - 0.2) / 0.15, 0, 1)[:, None]
    for side in ("left", "right"):
        vectors[:, SMPL_24.index(f"{side}_hip")] = tuck * [-2.9, 0, 0]
        vectors[:, SMPL_24.index(f"{side}_knee")] = tuck * [0.3, 0, 0]
    vectors[:, 0] = tuck * [2.0, 0, 0]
    contacts = np.repeat(times < 0.1, 4).reshape(-1, 4).astype(float)
    body = load_body()
    root = np.stack([0 * times, 1.0 + 2.0 * np.maximum(times - 0.1, 0), 0.5 * times], -1)
    motion = body.motion(times, root, rotations.axis_angle_to_quat(vectors), np.zeros(10), contacts=contacts)
    found = robot.retarget(motion, G1)
    assert found.error_mm["pelvis"][times > 0.3].max() < 20
    assert max(found.error_mm[f"{side}_ankle"][:3].max() for side in ("left", "right")) < 5


def test_the_command_writes_states(walk, tmp_path, capsys):
    """npz and csv hold the same states; the error of each joint is reported; nothing is replaced unasked."""
    pytest.importorskip("mink")
    source = tmp_path / "walk.npz"
    walk.part(0, 6).save(source)
    ended = here(capsys, "retarget", source, "--to", G1, "-q", "--json")
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    assert facts["written"] == str(tmp_path / "walk_g1_like.npz")
    assert facts["error_mm"]["left_ankle"]["largest"] < 3
    arrays, meta = npz.load(facts["written"], "retargeted")
    assert arrays["qpos"].shape == (6, 7 + 25) and arrays["qvel"].shape == (6, 6 + 25)
    assert meta["joint_names"][0] == "floating_base_joint"
    target = tmp_path / "walk.csv"
    assert here(capsys, "retarget", source, "--to", G1, "-o", target, "-q").code == 0
    table = np.loadtxt(target, delimiter=",", skiprows=1)
    assert table[:, 1:] == pytest.approx(arrays["qpos"], abs=1e-6)
    assert target.read_text().split("\n")[0].endswith("right_wrist_roll_joint")
    before = target.read_bytes()
    assert here(capsys, "retarget", source, "--to", G1, "-o", target, "-q").code == 2
    assert target.read_bytes() == before


def test_everybody_of_a_run_is_carried_over(walk, tmp_path, capsys):
    """A file a person, numbered; --person says whom; JSON is then a list."""
    pytest.importorskip("mink")
    for number in ("01", "02"):
        (tmp_path / f"run/persons/{number}").mkdir(parents=True)
        walk.part(0, 3).save(tmp_path / f"run/persons/{number}/motion.npz")
    ended = here(capsys, "retarget", tmp_path / "run", "--to", G1, "-o", tmp_path / "g1", "-q", "--json")
    assert ended.code == 0, ended.err
    assert [facts["written"] for facts in json.loads(ended.out)] == [str(tmp_path / f"g1_{number}.npz") for number in ("01", "02")]
    ended = here(capsys, "retarget", tmp_path / "run", "--to", G1, "-q")
    assert ended.out.split() == [str(tmp_path / f"run/persons/{number}/motion_g1_like.npz") for number in ("01", "02")]


def test_bad_models_are_one_line(tmp_path, capsys):
    """A missing model, one that does not compile, one without a free root, an unknown ending: one line each, nothing written."""
    pytest.importorskip("mink")
    source = tmp_path / "walk.npz"
    poses.standing(np.arange(4) / 30).save(source)
    broken, fixed, other = tmp_path / "broken.xml", tmp_path / "fixed.xml", tmp_path / "robot.fbx"
    broken.write_text("<mujoco><body/></mujoco>")
    fixed.write_text('<mujoco><worldbody><body><joint axis="0 1 0"/><geom size="1"/></body></worldbody></mujoco>')
    other.write_text("")
    for path, code in ((tmp_path / "none.xml", 3), (broken, 3), (fixed, 3), (other, 2)):
        ended = here(capsys, "retarget", source, "--to", path, "-o", tmp_path / "out.npz", "-q")
        assert (ended.code, ended.err.count("\n")) == (code, 1), ended.err
    assert not (tmp_path / "out.npz").exists()
