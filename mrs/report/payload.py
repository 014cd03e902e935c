"""The moving part of a report: bodies, contacts, confidences and measures over time, packed for the page's script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrs import metrics, rotations, world
from mrs.body import load_body
from mrs.motion import Motion
from mrs.report.paint import person_colour
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from mrs.tracks import Track

MOST_FRAMES = 3000
INFLUENCES = 4


@dataclass(frozen=True)
class Shown:
    """One person as a report shows it: the track, what the lifter said (None: gone), and the refined motion in the world."""

    track: Track
    lifted: Motion | None
    motion: Motion

    @property
    def number(self) -> int:
        """Id of the person."""
        return self.track.person


def pack(people: Sequence[Shown], start_s: float, duration_s: float) -> dict[str, Any]:
    """Return what the script needs, JSON-able; arrays are base64 of little-endian bytes. Times are from `start_s` on.

    A clip of more than MOST_FRAMES frames is thinned evenly.
    """
    return {"duration_s": duration_s, "joints": [name.replace("_", " ") for name in SMPL_24.names],
            "parents": SMPL_PARENTS.tolist(), "body": _body(people), "people": [_person(one, start_s) for one in people]}


def _body(people: Sequence[Shown]) -> dict[str, Any]:
    """The mesh that all share: faces (F, 3), and of each vertex the INFLUENCES joints that move it most."""
    body = load_body(people[0].motion.body)
    order = np.argsort(-body.weights, axis=1)[:, :INFLUENCES]
    weights = np.take_along_axis(body.weights, order, 1)
    return {"faces": _text(body.faces, "<u2"), "bones": _text(order, "u1"),
            "weights": _text(weights / weights.sum(1, keepdims=True), "<f4")}


def _person(one: Shown, start_s: float) -> dict[str, Any]:
    motion, body = one.motion, load_body(one.motion.body)
    rows = np.arange(0, len(motion), -(-len(motion) // MOST_FRAMES))
    before = in_world(one.lifted, motion)
    turned = rotations.matrix_to_quat(body.global_rotations(motion.local_quat_wxyz[rows]))
    over = {"after": metrics.over_time(one.track, motion, motion.contacts)}
    if before is not None:
        over["before"] = metrics.over_time(one.track, before, motion.contacts)
    return {
        "number": one.number, "colour": "#" + "".join(f"{value:02x}" for value in person_colour(one.number)),
        "times_s": _text(motion.times_s[rows] - start_s, "<f4"), "joints_m": _text(motion.joints_m[rows], "<f4"),
        "turned": _text(np.round(turned * 32767), "<i2"),
        "before_m": None if before is None else _text(before.joints_m[rows], "<f4"),
        "template_m": _text(body.template_m + body.shape_m @ motion.betas, "<f4"),
        "rest_m": _text(body.rest_m + body.rest_shape_m @ motion.betas, "<f4"),
        "contacts": _text(np.clip(motion.contacts[rows], 0, 1) * 255, "u1"),
        "confidence": _text(np.clip(motion.confidence[rows], 0, 1) * 255, "u1"),
        "measures": {name: {key: _text(values[key][rows], "<f4") for key in values} for name, values in over.items()},
    }


def in_world(lifted: Motion | None, motion: Motion) -> Motion | None:
    """The lifted motion where the refined one is; None where their frames or cameras do not match."""
    if lifted is None or motion.camera is None or len(lifted) != len(motion):
        return None
    if lifted.frame == "world":
        return lifted
    from dataclasses import replace

    return world.to_world(replace(lifted, camera=motion.camera))


def _text(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()
