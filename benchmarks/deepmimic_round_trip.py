"""DeepMimic's corpus through our Motion and back: how far joints of its humanoid end from where its files have them.

    python -m benchmarks.deepmimic_round_trip [FOLDER] [--clips 68]

Three ways, measured by the humanoid's own kinematics at every frame: the file read and exported again; exported to BVH, that read and
exported, of clips whose frames all last as long; retargeted by `mrs retarget` to DeepMimic's humanoid in MuJoCo, with its hinges and
their limits (widened by what a file itself goes past them), less the constant by which that sets a clip on the floor.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _common, humanoids
from mrs import plugins
from mrs.formats.humanoid import COLUMNS, LINKS, forward_kinematics
from mrs.reading import read_motion

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "assets" / "motion" / "deepmimic"
BOUND_MM = 5.0
JOINTS = ("chest", "neck", *(f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")))
WAYS = ("file", "through BVH", "retargeted")


def main() -> None:
    """Print the largest and mean distances of each way."""
    parser = _common.parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CORPUS, help="folder of DeepMimic's files (default: the shared corpus)")
    parser.add_argument("--clips", type=int, default=10_000, help="how many of them (default: all)")
    args = parser.parse_args()
    report = _common.begin("DeepMimic's clips through our Motion and back", args, ("numpy", "mujoco"))
    paths = sorted(args.folder.glob("*.txt"))[: args.clips]
    found = {path: measured(path) for path in paths}
    report.table(("largest distance, mm", "frames", *WAYS, "where, retargeted", "past limits, deg"),
                 [(path.stem.removeprefix("humanoid3d_"), f["file"].shape[1], *(f"{f[way].max():.2g}" if way in f else "-" for way in WAYS),
                   worst(f["retargeted"]), f"{np.degrees(past_limits_rad(frames_of(path))):.1f}") for path, f in found.items()])
    for way in WAYS:
        parts = [f[way] for f in found.values() if way in f]
        report.at_most(f"largest distance of a joint, {way}, {len(parts)} clips (mean {np.mean([p.mean() for p in parts]):.2g})",
                       max(p.max() for p in parts), BOUND_MM, "mm")
    report.finish(args)


def measured(path: Path) -> dict[str, np.ndarray]:
    """Distances (joints, T) in mm of each way that a clip can go."""
    out = {"file": through_file(path), **({"through BVH": through_bvh(path)} if is_even(path) else {}), "retargeted": retargeted(path)}
    _common.say(f"{path.stem}: " + ", ".join(f"{way} {values.max():.2g} mm" for way, values in out.items()))
    return out


def worst(distances: np.ndarray) -> str:
    """The joint and the frame that are furthest off."""
    joint, frame = np.unravel_index(distances.argmax(), distances.shape)
    return f"{JOINTS[joint]}, frame {frame}"


def places(frames: np.ndarray) -> dict[str, np.ndarray]:
    """Joints (T, 3) of frames of 44 numbers, by DeepMimic's kinematics."""
    placed, _ = forward_kinematics(frames[:, 1:])
    return {name: placed[name] for name in JOINTS}


def frames_of(path: Path) -> np.ndarray:
    """Frames (T, 44) of a file."""
    return np.array(json.loads(path.read_text())["Frames"], float)


def through_file(path: Path) -> np.ndarray:
    """Distances (joints, T) in mm after Motion and export."""
    return _apart(path, read_motion(path, plugins.load()), {})


def through_bvh(path: Path) -> np.ndarray:
    """The same with a BVH in between, which forgets where the motion came from and what the floor was."""
    registry = plugins.load()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "a.bvh"
        registry.make("exporter", "bvh", {}).write(read_motion(path, registry), written)
        return _apart(path, read_motion(written, registry), {"limbs": "directions", "forward": "same", "ground": "no"})


def retargeted(path: Path) -> np.ndarray:
    """Distances (joints, T) in mm of `mrs retarget` to DeepMimic's humanoid in MuJoCo."""
    import mujoco

    from mrs.physics import robot

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "humanoid.xml"
        file.write_text(humanoids.deepmimic(past_limits_rad(frames_of(path))))
        found = robot.retarget(read_motion(path, plugins.load()), file)
        model = robot.load_model(file)
    data, got = mujoco.MjData(model), {name: [] for name in JOINTS}
    for state in found.qpos:
        data.qpos[:] = state
        mujoco.mj_kinematics(model, data)
        for name, rows in got.items():
            rows.append(data.body(name).xpos[[1, 2, 0]])
    truth = places(frames_of(path))
    raised = np.mean([np.array(got[f"{side}_hip"]) - truth[f"{side}_hip"] for side in ("left", "right")], axis=(0, 1)) * [0, 1, 0]
    return np.stack([1000 * np.linalg.norm(np.array(rows) - truth[name] - raised, axis=-1) for name, rows in got.items()])


def past_limits_rad(frames: np.ndarray) -> float:
    """How far knees and elbows of frames (T, 44) go past the humanoid's own limits."""
    over = [np.maximum(link.limits_rad[0] - value, value - link.limits_rad[1]).max()
            for link in LINKS if link.joint == "hinge" for value in [frames[:, 1 + COLUMNS[link.name].start]]]
    return max(0.0, *over)


def _apart(path: Path, motion, options: dict) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "a.txt"
        plugins.load().make("exporter", "deepmimic", options).write(motion, written)
        ours, theirs = frames_of(written), frames_of(path)
    a, b = places(ours), places(theirs)
    return np.stack([1000 * np.linalg.norm(a[name] - b[name], axis=-1) for name in JOINTS])


def is_even(path: Path) -> bool:
    """Tell whether all frames of a file last as long, as BVH has them."""
    return bool(np.ptp(frames_of(path)[:-1, 0]) < 1e-4)


if __name__ == "__main__":
    main()
