"""Where the simple shapes of a body are at every frame: what stands on the floor, what is inside of what."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mrs.body import load_body
from mrs.motion import JOINTS, Motion
from mrs.physics.segments import Segments
from mrs.skeletons import SMPL_24, SMPL_PARENTS

AT_ONCE = 2048
_ARMS = SMPL_24.indices("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand")
_REST = SMPL_24.indices("pelvis", "spine1", "spine2", "spine3", "head", "left_hip", "right_hip", "left_knee", "right_knee")
_LEGS = SMPL_24.indices("left_hip", "left_knee"), SMPL_24.indices("right_hip", "right_knee")


def points(motion: Motion, person: Segments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of capsules and corners of boxes (T, P, 3) in the world, their radii (P,) and joints (P,)."""
    turned = load_body(motion.body).global_rotations(motion.local_quat_wxyz)
    owners = np.concatenate([[joint] * len(person.shapes[joint].points()) for joint in range(JOINTS)])
    local = np.concatenate([shape.points() for shape in person.shapes])
    radii = np.array([person.shapes[joint].radius_m for joint in owners])
    places = motion.joints_m[:, owners] + np.einsum("tpab,pb->tpa", turned[:, owners], local)
    return places, radii, owners


def lowest(motion: Motion, person: Segments) -> np.ndarray:
    """Height (T, 24) of each part's lowest point."""
    places, radii, owners = points(motion, person)
    low = places[..., 1] - radii
    return np.stack([low[:, owners == joint].min(1) for joint in range(JOINTS)], -1)


def self_penetration(motion: Motion, person: Segments) -> np.ndarray:
    """Depth (T,) in metres of the deepest overlap of arms with the rest, or of one leg with the other, beyond that of the T-pose.

    Measured between capsules; parts next to each other along the body don't count.
    """
    rest = Motion.standing(np.array([0.0, 1.0]))
    rest = load_body(motion.body).motion(rest.times_s, rest.root_pos_m, rest.local_quat_wxyz, motion.betas)
    at_rest = _depths(rest, person)[0]
    depth = np.concatenate([_depths(motion.part(first, first + AT_ONCE), person) for first in range(0, len(motion), AT_ONCE)])
    return np.maximum(depth - np.maximum(at_rest, 0), 0).max(1)


@lru_cache(maxsize=1)
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Pairs of parts (K,), (K,) that can run into each other."""
    near = {(j, int(SMPL_PARENTS[j])) for j in range(1, JOINTS)}
    found = [(a, b) for a in _ARMS for b in _REST if (a, b) not in near]
    found += [(a, b) for a in _ARMS for b in _ARMS if SMPL_24.names[a][0] == "l" and SMPL_24.names[b][0] == "r"]
    found += [(a, b) for a in _LEGS[0] for b in _LEGS[1]]
    return np.array([a for a, _ in found]), np.array([b for _, b in found])


def _depths(motion: Motion, person: Segments) -> np.ndarray:
    """Overlap (T, K) of each pair of capsules, negative where they are apart."""
    places, radii, owners = points(motion, person)
    first = np.array([np.flatnonzero(owners == joint)[0] for joint in range(JOINTS)])
    a, b = pairs()
    radius = radii[first]
    apart = segment_distance(places[:, first[a]], places[:, first[a] + 1], places[:, first[b]], places[:, first[b] + 1])
    return radius[a] + radius[b] - apart


def segment_distance(p0: np.ndarray, p1: np.ndarray, q0: np.ndarray, q1: np.ndarray) -> np.ndarray:
    """Shortest distance (...) between segments p0 p1 and q0 q1, each (..., 3)."""
    u, v, w = p1 - p0, q1 - q0, p0 - q0
    a, b, c = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    d, e = (u * w).sum(-1), (v * w).sum(-1)
    tiny = 1e-12
    s = np.clip((b * e - c * d) / np.maximum(a * c - b * b, tiny), 0, 1)
    t = np.clip((b * s + e) / np.maximum(c, tiny), 0, 1)
    s = np.clip((b * t - d) / np.maximum(a, tiny), 0, 1)
    return np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)
