"""DeepMimic's corpus through our Motion and back: how far joints of its humanoid end from where its files have them.

    python -m benchmarks.deepmimic_round_trip [FOLDER] [--clips 68]

Three ways, measured by the humanoid's own kinematics at every frame: the file read and exported again; exported to BVH, that read and
exported, of clips whose frames all last as long; retargeted by `mrs retarget` to DeepMimic's
humanoid in MuJoCo, less the constant by which that sets a clip on the floor. The last is no round trip: it stops feet that slide, and puts
ankles where our body's are, whose thighs and shins share the leg otherwise.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _common
from mrs import plugins
from mrs.formats.humanoid import forward_kinematics
from mrs.reading import read_motion

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "assets" / "motion" / "deepmimic"
BOUND_MM = 5.0
JOINTS = ("chest", "neck", *(f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")))
LEGS = tuple(name for name in JOINTS if name.endswith(("knee", "ankle")))


def main() -> None:
    """Print the largest and mean distances of each way."""
    parser = _common.parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CORPUS, help="folder of DeepMimic's files (default: the shared corpus)")
    parser.add_argument("--clips", type=int, default=10_000, help="how many of them (default: all)")
    parser.add_argument("--retargeted", type=int, default=4, help="how many are retargeted too, the first ones (default: 4)")
    args = parser.parse_args()
    report = _common.begin("DeepMimic's clips through our Motion and back", args, ("numpy", "mujoco"))
    paths = sorted(args.folder.glob("*.txt"))[: args.clips]
    found: dict[str, list[np.ndarray]] = {"file": [], "through BVH": [], "retargeted, trunk and arms": [], "retargeted, knees and ankles": []}
    for at, path in enumerate(paths):
        found["file"].append(through_file(path))
        if is_even(path):
            found["through BVH"].append(through_bvh(path))
        if at < args.retargeted:
            errors = retargeted(path)
            found["retargeted, trunk and arms"].append(np.stack([errors[n] for n in errors if n not in LEGS]))
            found["retargeted, knees and ankles"].append(np.stack([errors[n] for n in LEGS]))
        _common.say(f"{path.stem}: file {found['file'][-1].max():.3g} mm")
    report.table(("", "clips", "mean mm", "largest mm"),
                 [(name, len(parts), f"{np.mean([p.mean() for p in parts]):.3g}", f"{max(p.max() for p in parts):.3g}")
                  for name, parts in found.items() if parts])
    for name in ("file", "through BVH"):
        report.at_most(f"largest distance of a joint, {name}", max(p.max() for p in found[name]), BOUND_MM, "mm")
    report.finish(args)


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


def retargeted(path: Path) -> dict[str, np.ndarray]:
    """Distances (T,) in mm by joint on DeepMimic's humanoid in MuJoCo."""
    import mujoco

    from mrs.physics import humanoid, robot

    motion = read_motion(path, plugins.load())
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES, sizes="deepmimic")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "humanoid.xml"
        model.write_text(person.xml.replace("spine1", "chest"))
        found = robot.retarget(motion, model)
        model = robot.load_model(model)
    data, got = mujoco.MjData(model), {name: [] for name in JOINTS if name.split("_")[-1] != "wrist"}
    for state in found.qpos:
        data.qpos[:] = state
        mujoco.mj_kinematics(model, data)
        for name, rows in got.items():
            rows.append(data.body(name).xpos[[1, 2, 0]])
    truth = places(frames_of(path))
    raised = np.mean([np.array(got[f"{side}_hip"]) - truth[f"{side}_hip"] for side in ("left", "right")], axis=(0, 1)) * [0, 1, 0]
    return {name: 1000 * np.linalg.norm(np.array(rows) - truth[name] - raised, axis=-1) for name, rows in got.items()}


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
