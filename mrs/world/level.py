"""Which way is up: the tilt of a camera that nobody told, from where feet stand and how people hold themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs import rotations
from mrs.motion import Motion
from mrs.skeletons import SMPL_24

PRIOR_DEG = (4.0, 8.0), (0.0, 2.5)
"""Mean and deviation of how far cameras look down, and of how far they are rolled."""
PLACE_M, DEPTH_SHARE = 0.03, 0.04
UPRIGHT_DEG = 9.0
"""How far a standing trunk leans from one stance to the next, lifters' own errors included."""
FLAT_M = 0.25
SHORTEST_S = 0.15
STANDING = np.cos(np.radians(50))
"""Feet of people who crawl or lie are no witnesses: they drag."""
CALM_S = 0.07
NEXT_S = 3.0
SURE_DEG = 4.0
SIGMAS = 2.0
"""A tilt is believed where its deviation is below SURE_DEG, and where it is SIGMAS of them from level."""


@dataclass(frozen=True)
class Level:
    """How far a camera that was taken for level looks down and is rolled, with deviations; and from how many witnesses."""

    down_deg: float = 0.0
    roll_deg: float = 0.0
    error_deg: tuple[float, float] = (0.0, 0.0)
    steps: int = 0
    stances: int = 0

    def believed(self) -> Level:
        """The same with 0 for an angle that is not sure enough to turn the world by; rounded, so that a report holds it exactly."""
        down, roll = (angle if error < SURE_DEG and abs(angle) > SIGMAS * error else 0.0
                      for angle, error in zip((self.down_deg, self.roll_deg), self.error_deg, strict=True))
        return replace(self, down_deg=round(down, 2), roll_deg=round(roll, 2))

    @property
    def turn(self) -> np.ndarray:
        """The turn (3, 3) that makes the world upright."""
        return _turn(np.radians([-self.down_deg, self.roll_deg]))

    def report(self) -> dict:
        """What run.json says of it."""
        return {"down_deg": self.down_deg, "roll_deg": self.roll_deg, "error_deg": [round(e, 2) for e in self.error_deg], "steps": self.steps, "stances": self.stances}


def level(motions: list[Motion]) -> Level:
    """Estimate the turn from the stances of world motions (camera taken for level, y up, camera looking along -z).

    Two witnesses, weighed by Gauss-Newton with a robust loss: places where feet stand within NEXT_S of each other are
    equally high (a step or a jump down is let go), and trunks over two standing feet are upright. Distances are the lifter's
    weak side: a place is as sure as DEPTH_SHARE of its distance along the line of sight.
    """
    places = [_places(motion) for motion in motions]
    steps = [step for found in places for step in _steps(found)]
    trunks = [place.trunk for found in places for place in found if place.trunk is not None]
    (down0, down_sd), (roll0, roll_sd) = PRIOR_DEG
    mean, sd = np.radians([-down0, roll0]), np.radians([down_sd, roll_sd])
    at = mean.copy()
    for _ in range(10):
        normal, right = np.diag(1 / sd**2), (mean - at) / sd**2
        for row, miss in [*(_of_step(at, *step) for step in steps), *(r for trunk in trunks for r in _of_trunk(at, trunk))]:
            weight = 1 / (1 + miss**2 / 9) ** 2
            normal = normal + weight * np.outer(row, row)
            right = right - weight * row * miss
        at = at + np.clip(np.linalg.solve(normal, right), -0.2, 0.2)
    error = np.degrees(np.sqrt(np.diag(np.linalg.inv(normal))))
    down, roll = np.degrees(-at[0]), np.degrees(at[1])
    return Level(float(down), float(roll), (float(error[0]), float(error[1])), len(steps), len(trunks))


@dataclass(frozen=True)
class _Place:
    time_s: float
    where: np.ndarray
    sight: np.ndarray
    far: float
    trunk: np.ndarray | None


def _places(motion: Motion) -> list[_Place]:
    """Where each foot stands, and how the trunk is held meanwhile, in order of time."""
    from mrs.world.contact import contact_probabilities
    from mrs.world.ground import sole_points

    joints, soles = _calm(motion.joints_m, motion.times_s), _calm(sole_points(motion), motion.times_s)
    touching = contact_probabilities(soles, motion.times_s, motion.camera, motion.confidence[:, [7, 10, 8, 11]]) > 0.5
    neck = SMPL_24.index("neck")
    trunk = rotations.normalise(joints[:, neck] - joints[:, 0], [0, 1, 0])
    legs = rotations.normalise(joints[:, 0] - joints[:, 7:9].mean(1), [0, 1, 0])
    out = []
    for foot in range(4):
        edges = np.flatnonzero(np.diff(np.r_[0, touching[:, foot].astype(int), 0]))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if motion.times_s[end - 1] - motion.times_s[start] < SHORTEST_S:
                continue
            rows = slice(start, end)
            where = np.median(soles[rows, foot], 0)
            centre = motion.camera.centre_m
            sight = where - (centre if centre.ndim == 1 else centre[start])
            straight = (trunk[rows] * legs[rows]).sum(-1).mean() > np.cos(np.radians(25))
            held = rotations.normalise((trunk + legs)[rows].mean(0), [0, 1, 0])
            if held[1] < STANDING:
                continue
            out.append(_Place(float(motion.times_s[rows].mean()), where, sight / np.linalg.norm(sight), float(np.linalg.norm(sight)),
                              held if straight and foot % 2 == 0 else None))
    return sorted(out, key=lambda place: place.time_s)


def _calm(points: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Points (T, P, 3) without the jitter of lifters: a Gaussian over CALM_S."""
    from scipy.ndimage import gaussian_filter1d

    rate = (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-6)
    return gaussian_filter1d(points, max(CALM_S * rate, 0.1), axis=0, mode="nearest")


def _steps(places: list[_Place]):
    """Pairs of places near in time: the way between them (3,), and the line of sight scaled by how unsure its end is."""
    for i, one in enumerate(places):
        for other in places[i + 1 : i + 7]:
            way = other.where - one.where
            if other.time_s - one.time_s > NEXT_S or np.hypot(way[0], way[2]) < FLAT_M:
                continue
            yield way, (one.sight + other.sight) / 2 * DEPTH_SHARE * (one.far + other.far) / 2, 4.0


def _turn(at: np.ndarray) -> np.ndarray:
    return rotations.axis_angle_to_matrix(np.array([at[0], 0, at[1]]))


def _of_step(at: np.ndarray, way: np.ndarray, unsure: np.ndarray, shared: float):
    """Row (2,) and miss of one pair: its height over its deviation. `shared`: each place is in so many pairs."""
    turn = _turn(at)
    spread = np.sqrt(shared * (PLACE_M**2 + (turn[1] @ unsure) ** 2))
    rows = [(_turn(at + step)[1] @ way - _turn(at - step)[1] @ way) / 2e-4 for step in (np.array([1e-4, 0]), np.array([0, 1e-4]))]
    return np.array(rows) / spread, float(turn[1] @ way) / spread


def _of_trunk(at: np.ndarray, trunk: np.ndarray):
    """Rows (2,) and misses of a trunk's lean forward and sideways."""
    spread = np.radians(UPRIGHT_DEG)
    for axis in (0, 2):
        rows = [(_turn(at + step)[axis] @ trunk - _turn(at - step)[axis] @ trunk) / 2e-4 for step in (np.array([1e-4, 0]), np.array([0, 1e-4]))]
        yield np.array(rows) / spread, float(_turn(at)[axis] @ trunk) / spread
