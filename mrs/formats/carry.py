"""Carry a body's turns to another skeleton whose bones lie differently at rest; heights against the floor; where a motion came from."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.motion import Motion
from mrs.skeletons import SMPL_24

LIMBS = tuple((SMPL_24.index(f"{side}_{a}"), SMPL_24.index(f"{side}_{b}")) for side in ("left", "right")
              for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")))
# Our world (Y up, forward +Z, left +X) and body to those of simulators (Z up, forward +X, left +Y): (x, y, z) -> (z, x, y).
TO_SIM = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
# The same world with Z up, nothing else moved, as AMASS and CAD programs have it: (x, y, z) -> (x, -z, y).
TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
REACH_S = 0.1


def point_limbs(world: np.ndarray, ours_m: np.ndarray, theirs_m: np.ndarray) -> np.ndarray:
    """Global matrices (T, 24, 3, 3) for a skeleton with rest joints `theirs_m` (24, 3), so that its limbs point where ours do."""
    world = world.copy()
    for joint, child in LIMBS:
        turn = rotations.between(theirs_m[child] - theirs_m[joint], ours_m[child] - ours_m[joint])
        world[:, joint] = world[:, joint] @ rotations.quat_to_matrix(turn)
    return world


def leg_m(rest_m: np.ndarray) -> float:
    """Mean length of thigh plus shin of rest joints (24, 3)."""
    left, right = ((1, 4, 7), (2, 5, 8))
    return float(np.mean([np.linalg.norm(rest_m[b] - rest_m[a]) + np.linalg.norm(rest_m[c] - rest_m[b])
                          for a, b, c in (left, right)]))


def came_from(motion: Motion, *importers: str) -> bool:
    """Tell whether one of the importers read the motion, turn for turn, so that its rest pose is that file's."""
    return any(step.get("stage") == "importer" and step.get("plugin") in importers for step in motion.history)


def asked_for(motion: Motion, name: str):
    """What `mrs export` was told of a preparation, "heading" or "ground"; None where it was told nothing."""
    return next((step[name] for step in reversed(motion.history) if step.get("stage") == "export" and step.get(name)), None)


def loop_of(motion: Motion) -> str:
    """How the motion is meant to go on at its end: "wrap" or "clamp".

    A cycle is what `mrs export --loop wrap` made, or what a file said that it is (DeepMimic's) as long as nothing has been done to it since.
    """
    for step in reversed(motion.history):
        if step.get("loop"):
            return step["loop"]
        if step.get("stage") != "export" or step.get("trim") or step.get("fps"):
            break
    return "clamp"


def floor_lift(lowest_m: np.ndarray, times_s: np.ndarray, *, cyclic: bool = False) -> np.ndarray:
    """Smallest smooth lift (T,) in metres after which nothing of `lowest_m` (T,) is below 0; zero far from where it is needed.

    The largest need within REACH_S, averaged over as long: never less than the need itself. Of a `cyclic` motion, whose last frame
    is its first, both ends are lifted alike, or it would sink or rise at every wrap.
    """
    from scipy import ndimage

    need = np.maximum(0.0, -np.asarray(lowest_m, float))
    if len(need) < 3 or need.max() <= 0:
        return need
    step_s = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
    width = 2 * max(1, round(REACH_S / step_s)) + 1
    if cyclic:
        need[0] = max(need[0], need[-1])
        need, mode = need[:-1], "wrap"
    else:
        mode = "nearest"
    width = min(width, 2 * len(need) - 1)
    envelope = ndimage.maximum_filter1d(need, width, mode=mode)
    lift = np.maximum(ndimage.uniform_filter1d(envelope, width, mode=mode), need)
    return np.r_[lift, lift[0]] if cyclic else lift
