"""The legs a motion comes from: of the body that carries it, or of the file's own skeleton, whose feet went elsewhere.

A reader keeps the directions of limbs and puts them on our body. Where the file's thighs, shins and hips are shared out otherwise, the
body's feet don't go where the file's went: they slide where those stood. So a reader notes the file's legs in the history, and who
carries the motion on finds the ankles as the file had them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import SMPL_24

HIPS, KNEES, ANKLES = (SMPL_24.indices(f"left_{part}", f"right_{part}") for part in ("hip", "knee", "ankle"))
# Skeletons whose legs differ by less than this share of a leg have the same proportions.
ALIKE = 0.005
# What leaves limbs where the reader put them.
_LEAVES = ("importer", "export")


@dataclass(frozen=True)
class Legs:
    """Legs at the size of the motion's body, in metres and the body's axes.

    `hips_m` (2, 3) from the middle between them, `thighs_m` and `shins_m` (2,), left first; `sole_m` from the sole up to the ankle at
    rest; `raised_m` is by how much the reader raised the whole way so that the body's own soles come as low as the file's.
    """

    hips_m: np.ndarray
    thighs_m: np.ndarray
    shins_m: np.ndarray
    sole_m: float
    raised_m: float = 0.0

    def note(self) -> dict:
        """As plain numbers, for the history."""
        return {name: np.round(value, 9).tolist() for name, value in asdict(self).items()}

    def hips_middle_m(self, motion: Motion) -> np.ndarray:
        """The middle between the hips (T, 3), at the height that the file has."""
        return motion.joints_m[:, HIPS].mean(1) - [0, self.raised_m, 0]

    def ankles_m(self, motion: Motion) -> np.ndarray:
        """Ankles (T, 2, 3) of these legs, which point where the motion's do."""
        pelvis = rotations.quat_to_matrix(motion.local_quat_wxyz[:, 0])
        joints = motion.joints_m
        thighs = rotations.normalise(joints[:, KNEES] - joints[:, HIPS]) * self.thighs_m[:, None]
        shins = rotations.normalise(joints[:, ANKLES] - joints[:, KNEES]) * self.shins_m[:, None]
        return self.hips_middle_m(motion)[:, None] + self.hips_m @ np.swapaxes(pelvis, -1, -2) + thighs + shins

    def alike(self, rest_m: np.ndarray, scale: float) -> bool:
        """Tell whether a skeleton at rest (24, 3), in the body's axes, has these legs at `scale` times the size."""
        other = of_rest(rest_m, 0.0)
        most = max(np.abs(theirs - scale * ours).max() for theirs, ours in
                   ((other.hips_m, self.hips_m), (other.thighs_m, self.thighs_m), (other.shins_m, self.shins_m)))
        return bool(most < ALIKE * (other.thighs_m + other.shins_m).mean())


def of_rest(rest_m: np.ndarray, sole_m: float, scale: float = 1.0) -> Legs:
    """The legs of rest joints (24, 3) and of the height of ankles over soles, at `scale` times the size."""
    hips = rest_m[HIPS]
    thighs, shins = (np.linalg.norm(rest_m[b] - rest_m[a], axis=-1) for a, b in ((HIPS, KNEES), (KNEES, ANKLES)))
    return Legs(scale * (hips - hips.mean(0)), scale * thighs, scale * shins, scale * sole_m)


def own(motion: Motion) -> Legs:
    """The legs of the body that carries a motion."""
    body = load_body(motion.body)
    return of_rest(body.rest_joints(motion.betas), sole_m(body, motion.betas))


def sole_m(body, betas: np.ndarray) -> float:
    """Height of the body's ankles over its soles in the T-pose."""
    skin = body.template_m[:, 1] + body.shape_m[:, 1] @ betas
    return float((body.rest_m[list(ANKLES)] + body.rest_shape_m[list(ANKLES)] @ betas)[:, 1].mean() - skin.min())


def of(motion: Motion) -> Legs:
    """The legs that a motion comes from: those that its reader noted, as long as nothing moved limbs since; else the body's own."""
    for step in reversed(motion.history):
        if step.get("stage") not in _LEAVES:
            break
        if "legs" in step:
            return Legs(**{name: np.array(value) if isinstance(value, list) else value for name, value in step["legs"].items()})
    return own(motion)
