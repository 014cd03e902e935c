"""The project's own motions, known by construction: a walker, and a backflip that falls exactly as gravity says."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.refine.flight import GRAVITY_M_S2, centre_of_mass

TAKE_OFF_S, LEAVING_M_S, BACKWARDS_M_S = 1.25, 2.8, -0.5
FLIGHT_S = 2 * LEAVING_M_S / GRAVITY_M_S2
LANDING_S = TAKE_OFF_S + FLIGHT_S
BACKFLIP_S = LANDING_S + 1.0
TURNING_S = 0.12
HIPS, KNEES, ANKLES, SHOULDERS = (1, 2), (4, 5), (7, 8), (16, 17)
TUCK_RAD = {"hip": -1.7, "knee": 1.9, "ankle": 0.3}


def walk(times_s: np.ndarray) -> Motion:
    """Walk along a straight line; feet stand exactly still."""
    from tests.walker import walker

    return walker(times_s)[0]


def backflip(times_s: np.ndarray) -> Motion:
    """Stand, crouch, turn once backwards in the air, land, stand; the centre of mass flies along an exact parabola.

    Feet stand flat and exactly still before TAKE_OFF_S and after LANDING_S. Legs are solved in the sagittal plane so that
    the centre of mass is where it has to be.
    """
    times_s = np.asarray(times_s, float)
    ground = times_s <= TAKE_OFF_S, times_s >= LANDING_S
    wanted = _centre(times_s)
    dense = np.r_[np.arange(0, TAKE_OFF_S, 1 / 240), TAKE_OFF_S, LANDING_S, np.arange(LANDING_S + 1 / 240, BACKFLIP_S, 1 / 240)]
    standing = _standing_legs(dense)
    legs = _through_the_air(dense, standing, times_s)
    for rows in ground:
        legs[rows] = _standing_legs(times_s[rows])
    quats, contacts = _pose(times_s, legs), np.zeros((len(times_s), 4))
    contacts[ground[0] | ground[1]] = 1
    body = load_body()
    about_root = body.joints(np.zeros((len(times_s), 3)), quats, np.zeros(10))
    root = wanted - centre_of_mass(about_root)
    for rows, shift in zip(ground, (0.0, _landing_z()), strict=True):
        root[rows] = _planted(about_root[rows], shift)
    return body.motion(times_s, root, quats, np.zeros(10), contacts=contacts)


def _centre(times_s: np.ndarray) -> np.ndarray:
    """Where the centre of mass (T, 3) is: Hermite curves on the ground, a parabola in the air."""
    from scipy.interpolate import CubicHermiteSpline

    stand = centre_of_mass(load_body().joints(np.zeros((1, 3)), _pose(np.zeros(1), np.zeros((1, 3))), np.zeros(10)))[0]
    high, ahead = _planted_root(0.0)[1] + stand[1] - 0.012, stand[2] + _planted_root(0.0)[2]
    low, off, back = high - 0.30, high - 0.05, BACKWARDS_M_S * FLIGHT_S
    at = [0, 0.55, 0.98, TAKE_OFF_S, LANDING_S, LANDING_S + 0.27, LANDING_S + 0.75, BACKFLIP_S + 1]
    y = CubicHermiteSpline(at, [high, high, low, off, off, low, high, high], [0, 0, 0, LEAVING_M_S, -LEAVING_M_S, 0, 0, 0])(times_s)
    start, end = ahead - 0.04, ahead - 0.04 + back
    settled = ahead + _landing_z()
    z = CubicHermiteSpline(at, [ahead, ahead, ahead, start, end, settled, settled, settled],
                           [0, 0, 0, BACKWARDS_M_S, BACKWARDS_M_S, 0, 0, 0])(times_s)
    flying = (times_s > TAKE_OFF_S) & (times_s < LANDING_S)
    since = times_s[flying] - TAKE_OFF_S
    y[flying] = off + LEAVING_M_S * since - GRAVITY_M_S2 / 2 * since**2
    return np.stack([np.full_like(y, stand[0]), y, z], -1)


def _landing_z() -> float:
    return BACKWARDS_M_S * FLIGHT_S - 0.08


def _turned_rad(times_s: np.ndarray) -> np.ndarray:
    """Turn of the pelvis about +X: once backwards, from just before the feet leave to just after they are back."""
    share = np.clip((times_s - TAKE_OFF_S + TURNING_S) / (FLIGHT_S + 2 * TURNING_S), 0, 1)
    return -2 * np.pi * share**3 * (share * (6 * share - 15) + 10)


def _standing_legs(times_s: np.ndarray) -> np.ndarray:
    """Hip, knee and ankle angles (T, 3) about +X with which flat feet carry the centre of mass where it is wanted."""
    legs = np.tile([-0.3, 0.6, -0.3], (len(times_s), 1))
    shift = np.where(times_s < LANDING_S - 1e-9, 0.0, _landing_z())
    wanted = _centre(times_s)[:, 1:]
    for _ in range(40):
        now = _carried(times_s, legs, shift)
        slopes = np.stack([(_carried(times_s, legs + step, shift) - now) / 1e-5
                           for step in (np.array([1e-5, 0, 0]), np.array([0, 1e-5, 0]))], -1)
        step = np.linalg.solve(slopes + 1e-9 * np.eye(2), (wanted - now)[..., None])[..., 0]
        legs[:, :2] += np.clip(step, -0.2, 0.2)
    legs[:, 2] = -_turned_rad(times_s) - legs[:, 0] - legs[:, 1]
    return legs


def _carried(times_s: np.ndarray, legs: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Height and place ahead (T, 2) of the centre of mass over planted feet."""
    legs = np.c_[legs[:, :2], -_turned_rad(times_s) - legs[:, 0] - legs[:, 1]]
    joints = load_body().joints(np.zeros((len(times_s), 3)), _pose(times_s, legs), np.zeros(10))
    return (centre_of_mass(joints) + _planted(joints, shift))[:, 1:]


def _planted(about_root: np.ndarray, shift) -> np.ndarray:
    """Pelvis (T, 3) that puts the ankles of joints (T, 24, 3) where flat feet have them, `shift` metres ahead."""
    root = -about_root[:, ANKLES].mean(1)
    root[:, 1] += _ankle_height()
    root[:, 2] += shift
    root[:, 0] = 0
    return root


def _planted_root(shift: float) -> np.ndarray:
    rest = load_body().rest_joints(np.zeros(10))
    return _planted(rest[None], shift)[0]


def _ankle_height() -> float:
    body = load_body()
    return float(body.rest_joints(np.zeros(10))[7, 1] - body.template_m[:, 1].min() + body.rest_m[0, 1])


def _through_the_air(known_s: np.ndarray, standing: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Angles (T, 3) on splines from those on the ground through a tuck."""
    from scipy.interpolate import CubicSpline

    around = np.abs(known_s - (TAKE_OFF_S + LANDING_S) / 2) < FLIGHT_S / 2 + 0.05
    middle = (TAKE_OFF_S + LANDING_S) / 2
    tuck = np.array([list(TUCK_RAD.values())] * 2)
    landing = standing[around & (known_s >= LANDING_S)].copy()
    landing[:, 2] -= 2 * np.pi * np.round((landing[:, 2] - 0) / (2 * np.pi))
    values = np.concatenate([standing[around & (known_s <= TAKE_OFF_S)], tuck, landing])
    at = np.r_[known_s[around & (known_s <= TAKE_OFF_S)], middle - 0.07, middle + 0.07, known_s[around & (known_s >= LANDING_S)]]
    return CubicSpline(at, values)(times_s)


def _pose(times_s: np.ndarray, legs: np.ndarray) -> np.ndarray:
    """Local quaternions (T, 24, 4) from the pelvis's turn and the angles of both legs; arms swing up into the jump."""
    vectors = np.zeros((len(legs), 24, 3))
    for joints, column in ((HIPS, 0), (KNEES, 1), (ANKLES, 2)):
        vectors[:, joints, 0] = legs[:, column, None]
    vectors[:, 0, 0] = _turned_rad(times_s)
    quats = rotations.axis_angle_to_quat(vectors)
    up = np.exp(-(((times_s - TAKE_OFF_S) / 0.22) ** 2))
    for joint, side in zip(SHOULDERS, (1, -1), strict=True):
        down = rotations.axis_angle_to_quat(np.array([0, 0, -side * np.radians(75)]))
        forward = rotations.axis_angle_to_quat(np.stack([-2.2 * up, 0 * up, 0 * up], -1))
        quats[:, joint] = rotations.quat_multiply(forward, np.broadcast_to(down, forward.shape))
    return rotations.align_hemispheres(quats)
