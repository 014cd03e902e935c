"""What can be checked of a motion without a simulator: floor, speeds, joint limits, evidence, flight, skate, seams."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.metrics import derivative
from mrs.motion import JOINTS, Motion
from mrs.physics import surface
from mrs.physics.segments import Segments
from mrs.physics.series import Series, runs
from mrs.refine.flight import GRAVITY_M_S2
from mrs.skeletons import SMPL_24
from mrs.world.contact import contact_probabilities
from mrs.world.ground import TOUCHING, sole_points

CLEAR_M = 0.05
FLIGHT_S = 0.1
STEP_S = 1 / 30
# How far a joint may turn from the T-pose, degrees: the far end of what gymnasts show, so that only the impossible is above.
RANGE_DEG = {"hip": 145, "knee": 165, "ankle": 75, "foot": 70, "spine1": 50, "spine2": 50, "spine3": 50, "neck": 65, "head": 65,
             "collar": 55, "shoulder": 160, "elbow": 165, "wrist": 95, "hand": 95}
HYPEREXTENSION_DEG = 15.0
SIDEWAYS_DEG = 25.0


def contacts_of(motion: Motion) -> np.ndarray:
    """The motion's contacts (T, 4), or those read off its soles where it has none (a file from elsewhere)."""
    if motion.contacts.any() or len(motion) < 3:
        return motion.contacts
    return contact_probabilities(sole_points(motion), motion.times_s, None)


def measure(motion: Motion, person: Segments, *, loop: bool = False) -> list[Series]:
    """Every kinematic check of a world motion, as series over its frames."""
    contacts = contacts_of(motion)
    low = surface.lowest(motion, person)
    found = [*_floor(motion, low, contacts), *_speeds(motion), *_joints(motion), _evidence(motion),
             _skate(motion, contacts), _flight(motion, person, low.min(1), contacts),
             Series("self_collision", "cm", 100 * surface.self_penetration(motion, person), 5, 12,
                    "limbs are inside each other or the trunk", 0.1)]
    return [*found, *_seam(motion)] if loop else found


def _floor(motion: Motion, low: np.ndarray, contacts: np.ndarray) -> list[Series]:
    lowest = low.min(1)
    level = float(np.percentile(lowest, 2))
    supported = contacts.max(1) > TOUCHING
    height = np.where(supported, 0.0, lowest - level)
    return [
        Series("penetration", "cm", 100 * np.maximum(-lowest, 0), 3, 8, "parts of the body are below the floor"),
        Series("joint_below_floor", "cm", 100 * np.maximum(-motion.joints_m[..., 1].min(1), 0), 2, 5,
               "a joint is below the floor (ProtoMotions' filter)"),
        Series("floating", "cm", 100 * height, 10, 20, "nothing comes down to a floor for a second (ProtoMotions' filter)", 1.0)]


def _speeds(motion: Motion) -> list[Series]:
    rate = 1 / np.diff(motion.times_s) if len(motion) > 1 else np.zeros(0)
    joints = np.abs(np.diff(motion.joints_m, axis=0)).max((1, 2)) * rate
    turns = rotations.geodesic_angle(motion.local_quat_wxyz[:-1], motion.local_quat_wxyz[1:])[:, 1:].max(1) * rate
    return [
        Series("speed", "m/s", _held(joints, len(motion)), 12, 15, "a joint moves faster than people do (ProtoMotions' filter)"),
        Series("joint_speed", "rad/s", _held(turns, len(motion)), 25, 40, "a joint turns faster than people do (ProtoMotions' filter)"),
        Series("teleport", "m", _jumps(motion), 0.08, 0.16, "the body jumps from one place to another")]


def _jumps(motion: Motion) -> np.ndarray:
    """By how much the pelvis misses, after 1/30 s or a frame, where its speed would have carried it (T,)."""
    if len(motion) < 3:
        return np.zeros(len(motion))
    step = max(1, round(STEP_S * motion.fps))
    times, root = motion.times_s, motion.root_pos_m
    out = np.zeros(len(motion))
    if len(motion) > 2 * step:
        before, after = times[step:-step] - times[: -2 * step], times[2 * step :] - times[step:-step]
        carried = (root[step:-step] - root[: -2 * step]) * (after / before)[:, None]
        out[step:-step] = np.linalg.norm(root[2 * step :] - root[step:-step] - carried, axis=1) * (STEP_S / np.maximum(after, STEP_S))
    return out


def _joints(motion: Motion) -> list[Series]:
    return [Series("joint_limits", "deg", beyond_limits_deg(motion.local_quat_wxyz).max(1), 10, 30,
                   "a joint is bent beyond what people can", 0.1)]


def beyond_limits_deg(local_quat_wxyz: np.ndarray) -> np.ndarray:
    """Degrees (T, 24) by which each joint is past its range; knees and elbows must not bend backwards or sideways either."""
    quats = local_quat_wxyz
    turn = np.degrees(2 * np.arctan2(np.linalg.norm(quats[..., 1:], axis=-1), np.abs(quats[..., 0])))
    allowed = np.array([RANGE_DEG.get(name.split("_")[-1], 360) for name in SMPL_24.names], float)
    over = np.maximum(turn - allowed, 0)
    for joint, axis, bends in ((4, [0, -1.0, 0], -1), (5, [0, -1.0, 0], -1), (18, [1.0, 0, 0], 1), (19, [-1.0, 0, 0], 1)):
        bone = rotations.quat_rotate(quats[:, joint], np.array(axis))
        side = bone[:, 0] if joint in (4, 5) else bone[:, 1]
        back = np.degrees(np.arcsin(np.clip(-bends * bone[:, 2], -1, 1)))
        along = (bone * np.array(axis)).sum(-1) > 0
        over[:, joint] = np.maximum(over[:, joint], np.where(along, back - HYPEREXTENSION_DEG, 0))
        over[:, joint] = np.maximum(over[:, joint], np.degrees(np.arcsin(np.clip(np.abs(side), 0, 1))) - SIDEWAYS_DEG)
    return np.maximum(over, 0)


def _evidence(motion: Motion) -> Series:
    return Series("missing_evidence", "share", 1 - motion.confidence.mean(1), 0.6, 0.85, "hardly any joint was seen", 0.3)


def _skate(motion: Motion, contacts: np.ndarray) -> Series:
    """Speed of soles that touch in this frame and the next."""
    values = np.full(len(motion), np.nan)
    if len(motion) > 1:
        speed = np.linalg.norm(np.diff(sole_points(motion), axis=0), axis=-1) / np.diff(motion.times_s)[:, None]
        touching = (contacts[1:] > TOUCHING) & (contacts[:-1] > TOUCHING)
        held = np.where(touching, speed, np.nan)
        known = touching.any(1)
        values[1:][known] = 100 * np.nanmin(held[known], axis=1)
    return Series("foot_skate", "cm/s", values, 20, 60, "standing feet slide", 0.1)


def _flight(motion: Motion, person: Segments, lowest: np.ndarray, contacts: np.ndarray) -> Series:
    """How far the centre of mass is from falling with gravity while nothing touches."""
    values = np.full(len(motion), np.nan)
    level = max(float(np.percentile(lowest, 2)), 0.0)
    flying = (contacts.max(1) < 0.3) & (lowest > level + CLEAR_M)
    if len(motion) >= 5:
        com = centre_of_mass(motion, person)
        for first, past in runs(flying):
            if motion.times_s[past - 1] - motion.times_s[first] < FLIGHT_S or past - first < 4:
                continue
            fit = np.polyfit(motion.times_s[first:past] - motion.times_s[first], com[first:past, 1], 2)
            values[first:past] = abs(2 * fit[0] + GRAVITY_M_S2)
    return Series("flight", "m/s²", values, 3, 6, "the body does not fall as gravity has it while nothing touches")


def centre_of_mass(motion: Motion, person: Segments) -> np.ndarray:
    """Centre of mass (T, 3) of the person's segments."""
    turned = load_body(motion.body).global_rotations(motion.local_quat_wxyz)
    centres = np.stack([person.centre(joint) for joint in range(JOINTS)])
    places = motion.joints_m + np.einsum("tjab,jb->tja", turned, centres)
    return np.einsum("j,tjc->tc", person.mass_kg, places) / person.total_kg


def _seam(motion: Motion) -> list[Series]:
    """How far the last posture is from the first, at the last frame."""
    angle, speed = np.full(len(motion), np.nan), np.full(len(motion), np.nan)
    angle[-1] = np.degrees(rotations.geodesic_angle(motion.local_quat_wxyz[0], motion.local_quat_wxyz[-1])[1:].max())
    if len(motion) > 2:
        flow = derivative(motion.joints_m - motion.root_pos_m[:, None], motion.times_s, 1)
        speed[-1] = np.linalg.norm(flow[0] - flow[-1], axis=-1).max()
    return [Series("loop_gap", "deg", angle, 10, 30, "the last posture is not the first, so that a loop jumps"),
            Series("loop_speed_gap", "m/s", speed, 1.5, 4, "the last movement is not the first, so that a loop jerks")]


def _held(values: np.ndarray, frames: int) -> np.ndarray:
    """Give each frame the larger of what lies before and after it."""
    out = np.zeros(frames)
    out[1:] = values
    out[:-1] = np.maximum(out[:-1], values)
    return out
