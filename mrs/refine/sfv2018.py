"""The objective of SFV's published code, term for term and weight for weight, for comparison.

Peng, Kanazawa, Malik, Abbeel and Levine, "SFV: Reinforcement Learning of Physical Skills from Videos", 2018, in pose
space: a row of 85 numbers a frame, as HMR gives them: weak camera s, tx, ty; 72 of axis-angle; 10 betas. Pictures are
crops of 224 pixels in which the person is 150 high, with x and y from -1 to 1; the projection is u = s (X_xy + t).
What the original does per frame stays per frame: results depend on the frame rate, and speed is punished.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.body.torch_body import TorchBody, axis_angle_to_matrix
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.skeletons import COCOPLUS_19
from mrs.tracks import Track

PERSON_PX, HALF_PX, CROP_PX = 150.0, 112.0, 224.0
BOX_CONFIDENCE, BOX_POINTS, USED_CONFIDENCE = 0.1, 5, 0.2
MEDIAN_FRAMES, SIGMA_FRAMES = 11, 3.0
HIPS = COCOPLUS_19.indices("right_hip", "left_hip")
NEAREST_M, SMALLEST_SCALE = 0.2, 0.05


@dataclass(frozen=True)
class Weights:
    """Weights of the five terms; SFV's."""

    keypoints: float = 10.0
    betas: float = 0.5
    pose: float = 100.0
    joints: float = 25.0
    camera: float = 1.0


@dataclass(frozen=True)
class Crops:
    """Crops of N frames: sigma (N,) scales the picture, start_px (N, 2) is the crop's corner in the scaled picture."""

    sigma: np.ndarray
    start_px: np.ndarray

    def to_crop(self, px: np.ndarray) -> np.ndarray:
        """Pixels (N, ..., 2) of the video to -1..1 of the crop."""
        sigma, start = self._like(px)
        return (px * sigma - start) / HALF_PX - 1

    def to_source(self, u: np.ndarray) -> np.ndarray:
        """-1..1 of the crop (N, ..., 2) to pixels of the video."""
        sigma, start = self._like(u)
        return ((u + 1) * HALF_PX + start) / sigma

    def _like(self, points):
        between = (1,) * (points.ndim - 2)
        return self.sigma.reshape(-1, *between, 1), self.start_px.reshape(-1, *between, 2)


def crops_of(keypoints_px: np.ndarray) -> Crops | None:
    """Cut crops about keypoints (N, K, 3): the diagonal of their box becomes 150 pixels.

    Boxes of frames with fewer than five keypoints above 0.1 are those of the frame before; centre and scale pass a
    median of 11 frames and a Gaussian of 3. Ends are repeated, where the original's median padded with zeros. None
    where no frame has enough keypoints.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter

    visible = keypoints_px[..., 2] > BOX_CONFIDENCE
    enough = np.flatnonzero(visible.sum(1) >= BOX_POINTS)
    if len(enough) == 0:
        return None
    px = keypoints_px[enough, :, :2]
    shown = visible[enough, :, None]
    low, high = np.where(shown, px, np.inf).min(1), np.where(shown, px, -np.inf).max(1)
    sigma = PERSON_PX / np.maximum(np.linalg.norm(high - low, axis=-1), 1.0)
    boxes = np.concatenate([(low + high) / 2, sigma[:, None]], 1)
    latest = np.maximum(np.searchsorted(enough, np.arange(len(keypoints_px)), side="right") - 1, 0)
    boxes = median_filter(boxes[latest], size=(MEDIAN_FRAMES, 1), mode="nearest")
    boxes = gaussian_filter1d(boxes, SIGMA_FRAMES, axis=0, mode="nearest")
    sigma = boxes[:, 2]
    return Crops(sigma, np.round(boxes[:, :2] * sigma[:, None]) - HALF_PX)


def observed(track: Track, crops: Crops) -> np.ndarray:
    """The track's cocoplus keypoints (N, 19, 3) in crop units; zeros where the confidence is at most 0.2."""
    points = track.keypoints.convert(track.keypoints_px.astype(float), COCOPLUS_19)
    out = np.concatenate([crops.to_crop(points[..., :2]), points[..., 2:]], -1)
    return np.where(points[..., 2:] > USED_CONFIDENCE, out, 0.0)


def to_theta(motion: Motion, crops: Crops) -> np.ndarray:
    """A world motion as rows (N, 85): weak camera from the pelvis's place, axis-angle in camera axes, betas."""
    camera = motion.camera
    pelvis = camera.to_camera(motion.root_pos_m)
    depth = np.maximum(pelvis[:, 2:], NEAREST_M)
    focal = camera.K[..., [0, 1], [0, 1]]
    pixel = pelvis[:, :2] / depth * focal + camera.K[..., :2, 2]
    scale = camera.K[..., :1, 0] * crops.sigma[:, None] / (HALF_PX * depth)
    quats = motion.local_quat_wxyz.copy()
    quats[:, 0] = rotations.matrix_to_quat(_to_crop_axes(camera, crops) @ rotations.quat_to_matrix(quats[:, 0]))
    pose = rotations.quat_to_axis_angle(quats).reshape(len(motion), 72)
    betas = np.broadcast_to(motion.betas, (len(motion), 10))
    return np.concatenate([scale, crops.to_crop(pixel) / scale, pose, betas], 1)


def to_motion(theta: np.ndarray, crops: Crops, motion: Motion) -> Motion:
    """Rows (N, 85) back into the world of `motion`: Z = f sigma / (112 s), the pelvis on its pixel, mean betas.

    Body joint rotations stay as they are.
    """
    camera, body = motion.camera, load_body(motion.body)
    scale = np.maximum(theta[:, :1], SMALLEST_SCALE)
    depth = camera.K[..., :1, 0] * crops.sigma[:, None] / (HALF_PX * scale)
    pixel = crops.to_source(scale * theta[:, 1:3])
    focal = camera.K[..., [0, 1], [0, 1]]
    pelvis = np.concatenate([(pixel - camera.K[..., :2, 2]) / focal, np.ones_like(depth)], 1) * depth
    local = rotations.axis_angle_to_matrix(theta[:, 3:75].reshape(-1, 24, 3))
    local[:, 0] = np.swapaxes(_to_crop_axes(camera, crops), -1, -2) @ local[:, 0]
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(local))
    betas, root = theta[:, 75:].mean(0), camera.to_world(pelvis)
    return replace(motion, root_pos_m=root, local_quat_wxyz=quats, betas=betas, joints_m=body.joints(root, quats, betas))


def _to_crop_axes(camera: Camera, crops: Crops) -> np.ndarray:
    """Rotations (N, 3, 3) from the world to a camera that looks at the middle of the crop.

    A regressor that sees the crop alone takes the person for one straight ahead: at the edge of a wide picture that
    turns the body by the angle of the ray. Bodies enter and leave the crops through this rotation.
    """
    pixel = crops.to_source(np.zeros_like(crops.start_px))
    ray = np.concatenate([(pixel - camera.K[..., :2, 2]) / camera.K[..., [0, 1], [0, 1]], np.ones((len(pixel), 1))], 1)
    return rotations.quat_to_matrix(rotations.between(ray, np.array([0, 0, 1.0]))) @ camera.R


class Problem:
    """The five terms at rows of 85 numbers; `theta0` (N, 85) is where they start, points (N, 19, 3) what was seen."""

    def __init__(self, theta0: np.ndarray, points: np.ndarray, crops: Crops, weights: Weights = Weights(), *,
                 camera_bug: bool = True, dtype=torch.float32, device: str = "cpu", body: str | None = None):
        def tensor(array):
            return torch.as_tensor(np.asarray(array), dtype=dtype, device=device)

        self.body = TorchBody(load_body(body), COCOPLUS_19.names, dtype=dtype, device=device)
        self.moments = self.body.moments.flatten(1).T
        self.moments_shape = self.body.moments_shape.permute(1, 2, 3, 0).flatten(0, 1).flatten(1)
        self.weights, self.camera_bug = weights, camera_bug
        self.theta0, self.sigma, self.start = tensor(theta0), tensor(crops.sigma)[:, None], tensor(crops.start_px)
        self.points = tensor(points)
        with torch.no_grad():
            projected, _, self.local0 = self.bodies(self.theta0)
            self.trust = trust(projected, self.points)

    def bodies(self, theta):
        """Projected keypoints (N, 19, 2) in crop units, keypoints (N, 19, 3) about the pelvis in metres, and local
        rotations (N, 24, 3, 3)."""
        body, betas = self.body, theta[:, 75:]
        local = axis_angle_to_matrix(theta[:, 3:75].unflatten(-1, (24, 3)))
        turned = body.chain(local)
        bones = body.bones + torch.einsum("jck,nk->njc", body.bones_shape, betas)
        joints = body.ancestors @ (turned[:, body.parents] @ bones[..., None])[..., 0]
        flat = turned.transpose(1, 2).flatten(-2)
        marks = body.share @ joints + (flat @ self.moments).transpose(-1, -2)
        marks = marks + torch.einsum("ncbk,nb->nkc", (flat @ self.moments_shape).unflatten(-1, (10, -1)), betas)
        return theta[:, None, :1] * (marks[..., :2] + theta[:, None, 1:3]), marks, local

    def terms(self, theta) -> dict[str, torch.Tensor]:
        """The five weighted terms by name; their sum is the objective."""
        w = self.weights
        projected, marks, local = self.bodies(theta)
        camera_term = camera_term_published if self.camera_bug else camera_term_corrected
        return {
            "keypoints": w.keypoints * keypoint_term(projected, self.points),
            "betas": w.betas * ((theta[:, 75:] - self.theta0[:, 75:].mean(0)) ** 2).mean(),
            "pose": w.pose * pose_term(local, self.local0, self.trust),
            "joints": w.joints * joint_term(marks),
            "camera": w.camera * camera_term(theta, self.sigma, self.start),
        }

    def solve(self, iterations: int = 300, learning_rate: float = 1e-3, progress=lambda done, total: None):
        """Take exactly `iterations` steps of Adam from the start; return theta (N, 85) and the terms before and after."""
        theta = self.theta0.clone().requires_grad_()
        optimiser = torch.optim.Adam([theta], lr=learning_rate)
        first = None
        for step in range(iterations):
            optimiser.zero_grad()
            terms = self.terms(theta)
            first = first or _floats(terms)
            sum(terms.values()).backward()
            optimiser.step()
            progress(step + 1, iterations)
        with torch.no_grad():
            last = _floats(self.terms(theta))
        return theta.detach().double().cpu().numpy(), first, last


def keypoint_term(projected, points):
    """sum_tj c_tj |x_tj - xhat_tj|_1, by the number of coordinates whose weight is not 0. (N, 19, 2), (N, 19, 3)."""
    confidence = points[..., 2]
    count = 2 * (confidence != 0).sum()
    return (confidence * (projected - points[..., :2]).abs().sum(-1)).sum() / count.clamp_min(1)


def trust(projected, points):
    """w_t = exp(-(e_t / max e)^2), e_t = sum_j c_tj |x_tj - xhat_tj|_1: from exp(-1) in the worst frame to 1."""
    error = (points[..., 2] * (projected - points[..., :2]).abs().sum(-1)).sum(1)
    return torch.exp(-((error / error.max().clamp_min(1e-12)) ** 2))


def pose_term(local, initial, trusted):
    """Mean over N x 24 of w_t (1 - cos theta_tj)^2, cos theta = (trace(R_init R^T) - 1) / 2."""
    cosine = ((initial * local).sum((-1, -2)) - 1) / 2
    return (trusted[:, None] * (1 - cosine) ** 2).mean()


def joint_term(marks):
    """Mean over (N-1) x 19 x 3 of squared first differences of keypoints about the mid-hip, in metres."""
    return _mean_square_step(marks - marks[:, HIPS].mean(1, keepdim=True))


def camera_term_published(theta, sigma, start):
    """As published: steps of s / sigma, and of ((t + 1) 112 + start) / 224, which adds metres to pixels of the crop."""
    return _mean_square_step(theta[:, :1] / sigma) + _mean_square_step(((theta[:, 1:3] + 1) * HALF_PX + start) / CROP_PX)


def camera_term_corrected(theta, sigma, start):
    """Steps of the pelvis's pixel p = ((s t + 1) 112 + start) / sigma and of the scale 112 s / sigma in px per metre.

    Both in units of the clip's mean crop (224 and 112 pixels by mean sigma), so that weights stay comparable.
    """
    unit = sigma.mean()
    scale = theta[:, :1]
    pixel = ((scale * theta[:, 1:3] + 1) * HALF_PX + start) / sigma
    return _mean_square_step(scale / sigma * unit) + _mean_square_step(pixel * unit / CROP_PX)


def _mean_square_step(values):
    """Mean of squared first differences along time; 0 for one frame."""
    return ((values[1:] - values[:-1]) ** 2).mean() if len(values) > 1 else values.sum() * 0


def _floats(terms) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in terms.items()}


def refine(track: Track, motion: Motion, weights: Weights = Weights(), *, iterations: int = 300,
           learning_rate: float = 1e-3, camera_bug: bool = True, device: str = "cpu",
           progress=lambda done, total: None) -> tuple[Motion, dict]:
    """Refine a world motion as SFV did; return it and a report of every term before and after."""
    camera = _camera_of(motion)
    crops, report = crops_of(track.keypoints.convert(track.keypoints_px.astype(float), COCOPLUS_19)), {}
    if crops is None:
        crops = crops_of(_own_keypoints(motion, camera))
        report["fallback"] = "no frame has five keypoints; crops are cut about the lifted body"
    theta0 = to_theta(motion, crops)
    problem = Problem(theta0, observed(track, crops), crops, weights, camera_bug=camera_bug, device=device, body=motion.body)
    theta, first, last = problem.solve(iterations, learning_rate, progress)
    return to_motion(theta, crops, motion), {"terms_at_start": first, "terms": last, **report}


def _own_keypoints(motion: Motion, camera: Camera) -> np.ndarray:
    """The body's own cocoplus keypoints (N, 19, 3) in pixels, with confidence 1."""
    marks = camera.to_camera(load_body(motion.body).keypoints(motion, COCOPLUS_19))
    marks[..., 2] = np.maximum(marks[..., 2], NEAREST_M)
    px = marks @ np.swapaxes(camera.K, -1, -2)
    return np.concatenate([px[..., :2] / px[..., 2:], np.ones_like(px[..., :1])], -1)


def _camera_of(motion: Motion) -> Camera:
    if motion.camera is None:
        raise InputError("Expected a motion with the camera that saw it, but it has none. Type: --smoother butterworth")
    return motion.camera
