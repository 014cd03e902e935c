"""Generated BVH texts in the manner of several tools, and two independent readers to compare with."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CMU8 = Path("/work/shared/assets/motion/cmu8")
TURNS = {"Z": "Zrotation", "X": "Xrotation", "Y": "Yrotation"}
PLACES = ("Xposition", "Yposition", "Zposition")

SMALL = """HIERARCHY
ROOT Hips
{
\tOFFSET 1.0 2.0 3.0
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
\tJOINT Leg
\t{
\t\tOFFSET 0.0 -10.0 0.0
\t\tCHANNELS 3 Zrotation Xrotation Yrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0.0 0.0 5.0
\t\t}
\t}
}
MOTION
Frames: 2
Frame Time: 0.0333333333
0.0 100.0 0.0 0.0 0.0 0.0 0.0 90.0 0.0
1.0 101.0 2.0 90.0 0.0 0.0 0.0 0.0 90.0
"""


def _side(side, sign, *bones):
    """Rows of one limb: (name, parent, offset) with x mirrored on the right."""
    return [(side + name, parent.replace("*", side), (sign * x, y, z)) for name, parent, (x, y, z) in bones]


def cmu_like():
    """38 nodes with zero-length stubs, legs spread in the rest pose, ZYX, an extra first T-pose."""
    rows = [("Hips", None, (0, 0, 0))]
    for letter, side, sign in (("L", "Left", 1), ("R", "Right", -1)):
        rows += [
            (f"{letter}HipJoint", "Hips", (0, 0, 0)),
            (f"{side}UpLeg", f"{letter}HipJoint", (sign * 9.4, -10.2, 3.5)),
        ]
        rows += _side(
            side,
            sign,
            ("Leg", "*UpLeg", (14.7, -40.3, 0)),
            ("Foot", "*Leg", (14.1, -38.7, 0)),
            ("ToeBase", "*Foot", (1.1, -3.1, 12.1)),
        )
    rows += [
        ("LowerBack", "Hips", (0, 0, 0)),
        ("Spine", "LowerBack", (0.1, 11.6, -0.8)),
        ("Spine1", "Spine", (0.1, 11.7, -0.3)),
        ("Neck", "Spine1", (0, 0, 0)),
        ("Neck1", "Neck", (0, 8.8, 0.8)),
        ("Head", "Neck1", (0.2, 8.8, -0.6)),
    ]
    for letter, side, sign in (("L", "Left", 1), ("R", "Right", -1)):
        rows += [(f"{side}Shoulder", "Spine1", (0, 0, 0))]
        rows += _side(
            side,
            sign,
            ("Arm", "*Shoulder", (20, 5.1, -1)),
            ("ForeArm", "*Arm", (27.5, 0, 0)),
            ("Hand", "*ForeArm", (19, 0, 0)),
            ("FingerBase", "*Hand", (0, 0, 0)),
            ("HandIndex1", "*FingerBase", (3.7, 0, 0)),
        )
        rows += [(f"{letter}Thumb", f"{side}Hand", (0, 0, 0))]
    return {"rows": rows, "order": "ZYX", "tpose_first": True, "frame_time": 1 / 120}


def lafan1_like():
    """22 joints whose bones all lie along their local +X, ZYX."""
    rows = [("Hips", None, (0, 0, 0))]
    for side, sign in (("Left", 1), ("Right", -1)):
        rows += [
            (f"{side}UpLeg", "Hips", (0.1, 1.9, sign * 10.5)),
            (f"{side}Leg", f"{side}UpLeg", (43.5, 0, 0)),
            (f"{side}Foot", f"{side}Leg", (42.4, 0, 0)),
            (f"{side}Toe", f"{side}Foot", (17.3, 0, 0)),
        ]
    rows += [
        ("Spine", "Hips", (6.9, -2.6, 0)),
        ("Spine1", "Spine", (12.6, 0, 0)),
        ("Spine2", "Spine1", (12.6, 0, 0)),
        ("Neck", "Spine2", (25.6, 0, 0)),
        ("Head", "Neck", (11.7, 0, 0)),
    ]
    for side, sign in (("Left", 1), ("Right", -1)):
        rows += [
            (f"{side}Shoulder", "Spine2", (20.8, -1.4, sign * 6.3)),
            (f"{side}Arm", f"{side}Shoulder", (11, 0, 0)),
            (f"{side}ForeArm", f"{side}Arm", (28, 0, 0)),
            (f"{side}Hand", f"{side}ForeArm", (25, 0, 0)),
        ]
    return {"rows": rows, "order": "ZYX", "frame_time": 1 / 30}


def deepmimic_made():
    """DeepMimic's 13 moving bodies in metres, arms hanging, facing +X, XYZ."""
    rows = [("root", None, (0, 0, 0)), ("chest", "root", (0, 0.236151, 0)), ("neck", "chest", (0, 0.223894, 0))]
    for side, sign in (("right", 1), ("left", -1)):
        rows += [
            (f"{side}_hip", "root", (0, 0, sign * 0.084887)),
            (f"{side}_knee", f"{side}_hip", (0, -0.421546, 0)),
            (f"{side}_ankle", f"{side}_knee", (0, -0.40987, 0)),
            (f"{side}_shoulder", "chest", (-0.02405, 0.2435, sign * 0.18311)),
            (f"{side}_elbow", f"{side}_shoulder", (0, -0.274788, 0)),
        ]
    return {"rows": rows, "order": "XYZ", "frame_time": 1 / 60}


def blender_like():
    """Six channels on each joint, connected bones, XYZ."""
    return lafan1_like() | {"order": "XYZ", "six": True, "frame_time": 1 / 24}


DIALECTS = {f.__name__: f for f in (cmu_like, lafan1_like, deepmimic_made, blender_like)}


def text_of(rows, order, frame_time, *, six=False, tpose_first=False, frames=6, seed=0, sway=0.0) -> str:
    """Write a skeleton with random motion, without any code of mrs.formats. `sway` moves positions off the offsets."""
    rng = np.random.default_rng(seed)
    children = {name: [row for row in rows if row[1] == name] for name, _, _ in rows}
    turns = [TURNS[axis] for axis in order]
    lines, columns = ["HIERARCHY"], []

    def emit(name, parent, offset, depth):
        tabs = "  " * depth
        channels = ([*PLACES] if six or parent is None else []) + turns
        lines.extend(
            [
                f"{tabs}{'JOINT' if parent else 'ROOT'} {name}",
                f"{tabs}{{",
                f"{tabs}  OFFSET {offset[0]} {offset[1]} {offset[2]}",
                f"{tabs}  CHANNELS {len(channels)} {' '.join(channels)}",
            ]
        )
        if parent is None:
            columns.append(np.cumsum(rng.normal(size=(frames, 3)), 0) + [0, 90, 0])
        elif six:
            columns.append(np.array(offset, float) + sway * rng.normal(size=(frames, 3)))
        columns.append(
            rng.uniform(-170, 170, (frames, 3)) * (0 if tpose_first else 1) + _after_tpose(rng, frames, tpose_first)
        )
        for child in children[name]:
            emit(*child, depth + 1)
        if not children[name]:
            lines.extend([f"{tabs}  End Site", f"{tabs}  {{", f"{tabs}    OFFSET 0 0 {len(name)}", f"{tabs}  }}"])
        lines.append(f"{tabs}}}")

    emit(*rows[0], 0)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {frame_time:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in np.concatenate(columns, 1)]
    return "\n".join(lines) + "\n"


def _after_tpose(rng, frames, tpose_first):
    if not tpose_first:
        return 0
    angles = rng.uniform(20, 60, 3) + np.cumsum(rng.normal(size=(frames, 3)), 0)
    angles[0] = 0
    return angles


def head_of(text: str, frames: int) -> str:
    """Cut a BVH text to its first frames, line by line."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Frames"))
    return "\n".join([*lines[:start], f"Frames: {frames}", *lines[start + 1 : start + 2 + frames]]) + "\n"


def bvhio_positions(path) -> dict[str, np.ndarray]:
    """World positions (T, 3) by joint name from bvhio."""
    import bvhio

    frames = bvhio.readAsBvh(str(path)).FrameCount
    root = bvhio.readAsHierarchy(str(path))
    joints = [joint for joint, _, _ in root.layout()]
    out = {joint.Name: np.empty((frames, 3)) for joint in joints}
    for frame in range(frames):
        root.loadPose(frame)
        for joint in joints:
            out[joint.Name][frame] = list(joint.PositionWorld)
    return out


@contextmanager
def _pkg_resources():
    """Lend bvhtoolbox the one function it asks of pkg_resources, which setuptools no longer has, for its version."""
    if importlib.util.find_spec("pkg_resources"):
        yield
        return
    stub = types.ModuleType("pkg_resources")
    stub.get_distribution = importlib.metadata.distribution
    sys.modules["pkg_resources"] = stub
    try:
        yield
    finally:
        del sys.modules["pkg_resources"]


def bvhtoolbox_positions(path) -> dict[str, np.ndarray]:
    """World positions (T, 3) by joint name from bvhtoolbox; End Sites as NAME_End."""
    with _pkg_resources():
        from bvhtoolbox import BvhTree
        from bvhtoolbox.convert.bvh2csv import write_joint_positions

    class Tree(BvhTree):
        frame_time = 1.0  # its time column has a row too many for some frame times

    table = Path(path).with_suffix(".csv")
    assert write_joint_positions(Tree(Path(path).read_text()), str(table), end_sites=True)
    with open(table, newline="") as file:
        header = next(csv.reader(file))
    values = np.loadtxt(table, delimiter=",", skiprows=1, ndmin=2)
    names = [name[:-2] for name in header[1::3]]
    return {name: values[:, 1 + 3 * i : 4 + 3 * i] for i, name in enumerate(names)}
