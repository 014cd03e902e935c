"""Lift a track from the pictures, by a regressor of HMR's kind: crops turned upright, seen at three angles, turned back.

Any regressor becomes equivariant to the picture's turns this way, upside-down people included, and how far the three answers are apart says
how much each joint is to be trusted. What the head decodes is handed to the refiner with the codes (SFV's latent space).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mrs import rotations
from mrs.body import Body
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.lifting import checkpoint, crops
from mrs.lifting.head import HeadDecoder
from mrs.lifting.placing import betas_of_stature, filled, from_pixels, joint_confidence, lines, resected_root
from mrs.motion import BODY, Motion
from mrs.tracks import Track

HALF_PX = crops.SIDE_PX / 2
SPREAD_DEG = 20.0
"""Answers so far apart (root mean square) leave 1/e of a joint's confidence."""
SMPL_PELVIS_M = np.array([-0.0018, -0.2233, 0.0282])
"""Where SMPL's pelvis joint rests, which HMR's translation counts from; a body of the user's says it itself."""


@dataclass(frozen=True)
class Options:
    """How to look: `apart_deg` between the three angles (0: one alone), `batch` crops at a time."""

    upright: bool = True
    apart_deg: float = 15.0
    batch: int = 16
    stature_m: float | None = None
    min_confidence: float = 0.3


@dataclass(frozen=True)
class Seen:
    """What the network says of N frames in V views: codes (N, D) of the middle view, rotations (N, V, 24, 3, 3) of the crop, camera (N, V, 3),
    betas (N, V, 10); `turned_rad` (V,) are the views' angles."""

    codes: np.ndarray
    turned: np.ndarray
    camera: np.ndarray
    betas: np.ndarray
    turned_rad: np.ndarray


class ImageLifter:
    """One checkpoint on one device, ready to lift tracks."""

    def __init__(self, path: Path, mean: str | None = None, device: str = "cpu", options: Options = Options()):
        self.regressor, self.device, self.options = checkpoint.load(path, mean, device), device, options

    def decoder(self) -> HeadDecoder:
        """What turns the motion's codes into 23 joint rotations; the root is the refiner's, as crops are turned."""
        return HeadDecoder(self.regressor.head, root=False)

    def lift(self, video, track: Track, body: Body, progress: Callable = lambda done, total: None) -> Motion:
        """Return a Motion in the camera frame, with codes; frames without evidence are interpolated with confidence 0."""
        rows = np.flatnonzero(track.seen)
        if not len(rows):
            raise InputError(f"Expected person {track.person} to be seen in some frame, but it is not. Try another --person.")
        cuts = crops.about(track, self.options.upright)
        seen = self.look(video, track, cuts, rows, progress)
        turned, spread = self._together(seen, cuts, rows, video.camera)
        betas = self._betas(seen, body)
        known = np.zeros(len(track), bool)
        known[rows] = True
        root = np.zeros((len(track), 3))
        root[rows] = weak_root(seen, cuts, rows, video.camera, pelvis_of(body, betas))
        quats = np.zeros((len(track), 24, 4))
        quats[rows] = rotations.matrix_to_quat(turned)
        quats, root = filled(track.times_s, quats, root, known)
        exact = resected_root(body, track, body.global_rotations(quats), betas, video.camera.K, seen=known,
                              min_confidence=self.options.min_confidence)
        root = np.where(known[:, None] & np.isfinite(exact), exact, root)
        quats, root = filled(track.times_s, quats, root, known)
        trust = lines(track.times_s[rows], np.exp(-((np.degrees(spread) / SPREAD_DEG) ** 2)), track.times_s)
        motion = body.motion(track.times_s, root, quats, betas, confidence=joint_confidence(track) * trust, frame="camera", camera=video.camera)
        return replace(motion, code=lines(track.times_s[rows], seen.codes, track.times_s))

    def look(self, video, track: Track, cuts: crops.Crops, rows: np.ndarray, progress: Callable = lambda done, total: None) -> Seen:
        """Show the network the crops of some rows of the track, every one at each angle."""
        apart = np.radians(self.options.apart_deg)
        turned_rad = np.array([0.0, -apart, apart]) if apart else np.zeros(1)
        maps = np.stack([cuts.to_crop(angle) for angle in turned_rad], 1)
        wanted = {int(track.frame_ids[row]): place for place, row in enumerate(rows)}
        first = int(np.searchsorted(video.frame_ids, track.frame_ids[rows[0]]))
        pending, out, done = [], [], 0
        with closing(video.frames(first)) as frames:
            for frame in frames:
                if frame.id in wanted:
                    pending.append([crops.cut(frame.rgb, affine) for affine in maps[rows[wanted[frame.id]]]])
                    done += 1
                    if len(pending) * len(turned_rad) >= self.options.batch or done == len(rows):
                        out.append(self._answers(np.array(pending)))
                        pending = []
                        progress(int(rows[done - 1]) + 1, len(track))
                if done == len(rows):
                    break
        if pending or done < len(rows):
            raise InputError(f"Expected pictures of all {len(rows)} frames in which person {track.person} is seen, but {len(rows) - done} "
                             "can't be decoded.")
        return Seen(*(np.concatenate(part) for part in zip(*out, strict=True)), turned_rad)

    def _answers(self, cut: np.ndarray) -> tuple[np.ndarray, ...]:
        """Codes (n, D), rotations (n, V, 24, 3, 3), camera (n, V, 3) and betas (n, V, 10) of crops (n, V, 224, 224, 3)."""
        count, views = cut.shape[:2]
        with torch.inference_mode():
            code = self.regressor.encoder(self.regressor.normalised(cut.reshape(-1, *cut.shape[2:]), self.device))
            camera, pose, betas = self.regressor.head(code)
            turned = self.regressor.head.rotations(pose)
        code, turned, camera, betas = (v.cpu().double().numpy().reshape(count, views, *v.shape[1:]) for v in (code, turned, camera, betas))
        return code[:, 0], turned, camera, betas

    def _together(self, seen: Seen, cuts: crops.Crops, rows: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Turn the views back and average them: local rotations (N, 24, 3, 3), the root's in the camera's frame, and their spread (N, 24)."""
        turned = seen.turned.copy()
        back = about_z(cuts.angle_rad[rows, None] + seen.turned_rad)
        turned[:, :, 0] = to_ray(cuts.center_px[rows], at_rows(camera.K, rows))[:, None] @ back @ turned[:, :, 0]
        return averaged(turned)

    def _betas(self, seen: Seen, body: Body) -> np.ndarray:
        """The mean of what the network says, where the body has SMPL's shapes; else that of the stature that is known."""
        if body.name == BODY or self.options.stature_m is not None:
            return betas_of_stature(body, self.options.stature_m)
        return seen.betas.mean((0, 1))


def pelvis_of(body: Body, betas: np.ndarray) -> np.ndarray:
    """Where the pelvis joint (3,) rests in the frame that SMPL's translation moves."""
    return SMPL_PELVIS_M if body.name == BODY else body.rest_m[0] + body.rest_shape_m[0] @ betas


def weak_root(seen: Seen, cuts: crops.Crops, rows: np.ndarray, camera: Camera, pelvis_m: np.ndarray) -> np.ndarray:
    """Pelvis (N, 3) in the camera's frame from the views' weak cameras: u = s (X + t) in the crop, Z = f / (pixels a metre)."""
    scale = np.maximum(seen.camera[..., :1], 1e-3)
    at_crop = crops.MIDDLE + HALF_PX * scale * (pelvis_m[:2] + seen.camera[..., 1:])
    back = np.stack([crops.inverse(cuts.to_crop(angle)[rows]) for angle in seen.turned_rad], 1)
    pixel = crops.mapped(back, at_crop[:, :, None])[:, :, 0].mean(1)
    per_metre = scale[..., 0].mean(1) * cuts.side_px[rows] / 2
    return from_pixels(pixel, per_metre, at_rows(camera.K, rows))


def to_ray(pixel: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) from a camera that looks at pixels (N, 2) to the camera itself.

    A regressor that sees a crop alone takes its person for one straight ahead.
    """
    ray = np.concatenate([(pixel - K[..., :2, 2]) / K[..., [0, 1], [0, 1]], np.ones((len(pixel), 1))], 1)
    return rotations.quat_to_matrix(rotations.between(np.broadcast_to([0.0, 0, 1], ray.shape), ray))


def at_rows(K: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """K as it is, or its rows where it changes."""
    return K[rows] if K.ndim == 3 else K


def about_z(angle: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) about the camera's z axis: clockwise in the picture."""
    return rotations.axis_angle_to_matrix(angle[..., None] * np.array([0, 0, 1.0]))


def averaged(turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rotations (N, J, 3, 3) to the means of views (N, V, J, 3, 3), and how far the views are from them (N, J), root mean square."""
    mean = turned.mean(1)
    u, _, vt = np.linalg.svd(mean)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    nearest = u @ vt
    cosine = (np.einsum("njab,nvjab->nvj", nearest, turned) - 1) / 2
    return nearest, np.sqrt((np.arccos(np.clip(cosine, -1, 1)) ** 2).mean(1))
