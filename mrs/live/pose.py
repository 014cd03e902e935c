"""One person's body from each new frame, from the past alone: shape, rotations, place, ground, contacts, filtered causally."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from mrs import rotations, world
from mrs.body import landmark_ik, load_body
from mrs.causal import OneEuroFilter
from mrs.motion import BODY, JOINTS
from mrs.skeletons import Keypoints
from mrs.world.ground import SOLES
from mrs.world.resection import resect

SHAPE_FRAMES, GROUND_S, LOST_S = 30, 5.0, 1.0
MIN_CONFIDENCE, STILL_M_S, LOW_M = 0.3, 0.35, 0.06
LIMBS = ("shoulder", "elbow", "hip", "knee", "ankle", "ear")


@dataclass(frozen=True)
class LivePose:
    """A body at one time in the world: metres, Y up, the ground at y = 0, the camera above x = z = 0."""

    time_s: float
    turned_wxyz: np.ndarray
    joints_m: np.ndarray
    soles_m: np.ndarray
    contacts: np.ndarray
    betas: np.ndarray


class Follower:
    """Follow one person. The bones' lengths are read off the first SHAPE_FRAMES frames; then they stay."""

    def __init__(self, keypoints: Keypoints, size_px: tuple[int, int], fov_deg: float | None, filters: dict[str, float]):
        self.keypoints, self.body = keypoints, load_body(BODY)
        self.camera = world.level_camera(size_px, fov_deg)
        self.betas, self.last_s = np.zeros(10), -np.inf
        self.settled = False
        self._seen: list[tuple[np.ndarray, np.ndarray]] = []
        self._filters = filters
        self._turns, self._root = OneEuroFilter(**filters), OneEuroFilter(**filters)
        self._lowest: deque[tuple[float, float]] = deque()
        self._before: tuple[float, np.ndarray] | None = None

    def step(self, points_px: np.ndarray, points3d_m: np.ndarray, time_s: float) -> LivePose | None:
        """Go on with keypoints (K, 3) and landmarks (K, 3) about the hips; None where they do not say where the body is."""
        if time_s - self.last_s > LOST_S:
            self._turns, self._root, self._before = OneEuroFilter(**self._filters), OneEuroFilter(**self._filters), None
        self._learn(points3d_m, points_px[:, 2])
        turned = landmark_ik.rotations_from_landmarks(self.body, self.keypoints.names, points3d_m[None].astype(float), self.betas, rounds=2)
        root = self._place(turned, points_px)
        if not np.isfinite(root).all():
            return None
        self.last_s = time_s
        matrices = self.camera.R.T @ turned[0]
        sixd = self._turns.step(rotations.matrix_to_sixd(matrices).ravel(), time_s)
        matrices = rotations.sixd_to_matrix(sixd.reshape(JOINTS, 6))
        root = self._root.step(self.camera.to_world(root), time_s)
        return self._grounded(matrices, root, time_s)

    def _learn(self, points3d_m: np.ndarray, sure: np.ndarray) -> None:
        """Fit the shape once enough was seen."""
        if self.settled:
            return
        self._seen.append((points3d_m.astype(float), sure))
        if len(self._seen) in (3, SHAPE_FRAMES):
            points, weights = (np.stack(part) for part in zip(*self._seen, strict=True))
            self.betas = landmark_ik.fit_betas(self.body, self.keypoints.names, points, weights)
            self.settled = len(self._seen) == SHAPE_FRAMES
        if self.settled:
            self._seen = []

    def _place(self, turned: np.ndarray, points_px: np.ndarray) -> np.ndarray:
        """The pelvis (3,) in the camera frame that puts the body onto its keypoints; NaN where they do not fix it."""
        names = self.keypoints.names
        joints = self.body.place(np.zeros((1, 3)), turned, self.betas)
        marks = self.body.landmarks(joints, turned, names, self.betas)
        sure = np.where(points_px[:, 2] >= MIN_CONFIDENCE, points_px[:, 2] ** 2, 0.0)
        sure[[not name.endswith(LIMBS) for name in names]] = 0
        height_px = float(np.linalg.norm(np.ptp(points_px[:, :2], axis=0)))
        root, _ = resect(marks, points_px[None, :, :2].astype(float), sure[None], self.camera.K, robust_px=0.03 * max(height_px, 1.0))
        return root[0]

    def _grounded(self, matrices: np.ndarray, root: np.ndarray, time_s: float) -> LivePose:
        """Lift the body so that the lowest sole of the last seconds is at y = 0; a sole touches that is low and slow."""
        joints = self.body.place(root[None], matrices[None], self.betas)
        soles = self.body.landmarks(joints, matrices[None], SOLES.names, self.betas)[0]
        self._lowest.append((time_s, float(soles[:, 1].min())))
        while self._lowest[0][0] < time_s - GROUND_S:
            self._lowest.popleft()
        ground = float(np.percentile([low for _, low in self._lowest], 10))
        speed = np.full(4, np.inf)
        if self._before is not None and time_s > self._before[0]:
            speed = np.linalg.norm((soles - self._before[1])[:, :2], axis=-1) / (time_s - self._before[0])
        self._before = (time_s, soles)
        contacts = ((speed < STILL_M_S) & (soles[:, 1] - ground < LOW_M)).astype(float)
        up = np.array([0.0, ground, 0.0])
        return LivePose(time_s, rotations.matrix_to_quat(matrices), joints[0] - up, soles - up, contacts, self.betas)


class Followers:
    """Everybody in sight, by the detector's own lanes; at most `most`, the largest first."""

    def __init__(self, keypoints: Keypoints, fov_deg: float | None, filters: dict[str, float], most: int):
        self.keypoints, self.fov_deg, self.filters, self.most = keypoints, fov_deg, filters, most
        self.people: dict[int, Follower] = {}

    def warm(self) -> None:
        """Import and compute once what would else delay the first frames."""
        follower = Follower(self.keypoints, (640, 480), self.fov_deg, self.filters)
        points = np.random.default_rng(0).normal(size=(len(self.keypoints), 3))
        for time_s in range(3):
            follower.step(np.c_[320 + 90 * points[:, :2], np.ones(len(points))], 0.4 * points, time_s / 30)

    def step(self, people, size_px: tuple[int, int], time_s: float) -> dict[int, LivePose]:
        """Return the pose of each person of a frame, by lane; those unseen for LOST_S are forgotten."""
        sizes = np.linalg.norm(people.boxes_px[:, 2:] - people.boxes_px[:, :2], axis=-1)
        lanes = np.arange(len(people)) if people.lanes is None else people.lanes
        out = {}
        for row in np.argsort(-sizes)[: self.most]:
            lane = int(lanes[row])
            follower = self.people.get(lane)
            if follower is None:
                follower = self.people[lane] = Follower(self.keypoints, size_px, self.fov_deg, self.filters)
            pose = follower.step(people.keypoints_px[row].astype(float), people.keypoints3d_m[row], time_s)
            if pose is not None:
                out[lane] = pose
        self.people = {lane: f for lane, f in self.people.items() if time_s - f.last_s <= LOST_S}
        return out
