"""One person's whole clip as tensors, and the way back to a Motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mrs.body.torch_body import TorchBody, sixd_to_matrix
from mrs.motion import Motion
from mrs.refine.solver import Window
from mrs.refine.spaces import local_rotations
from mrs.tracks import Track
from mrs.world.ground import SOLES

KEYPOINT_WEIGHT = {"eye": 0.15, "mouth": 0.15, "ear": 0.5, "nose": 0.5, "pinky": 0.3, "index": 0.4, "thumb": 0.3,
                   "hip": 0.5, "heel": 1.0}
ABOUT_S = 1 / 60
"""How long before and after a time soles must touch for it to hold them still."""
APART_S = 1.0
"""Whoever is unseen for longer has left: what follows is another segment."""


class Clip:
    """A world motion and its evidence; every method that changes something returns a new clip."""

    def __init__(self, body, track: Track | None, motion: Motion, device: str):
        kind = {"dtype": torch.float32, "device": device}
        frames = len(motion)
        self.numpy_body = body
        names = track.keypoints.names if track is not None else ()
        self.body = TorchBody(body, names, **kind)
        self.soles = TorchBody(body, SOLES.names, **kind)
        self.betas = torch.as_tensor(motion.betas, **kind)
        self.segments = segments(track, motion)
        turned = torch.as_tensor(body.global_rotations(motion.local_quat_wxyz), **kind)
        root = torch.as_tensor(motion.root_pos_m, **kind)
        nothing = np.zeros((frames, 0))
        weights = keypoint_weights(track) if track is not None else nothing
        camera = motion.camera
        pull = motion.confidence**2 if track is not None else np.ones((frames, 24))
        K, R, t = (np.eye(3), np.eye(3), np.zeros(3)) if camera is None else (camera.K, camera.R, camera.t)
        no_root = track is None or camera is None
        self.all = Window(
            times=torch.as_tensor(motion.times_s, dtype=torch.float64, device=device),
            step=torch.as_tensor(frame_steps(motion.times_s), **kind),
            observed=torch.as_tensor(np.zeros((frames, 0, 2)) if track is None else track.keypoints_px[..., :2], **kind),
            weights=torch.as_tensor(weights, **kind),
            height=torch.as_tensor(np.ones(frames) if track is None else smooth_heights(track), **kind),
            turned=turned, initial=turned, root=root, pull=torch.as_tensor(pull, **kind), K=torch.as_tensor(K, **kind),
            R=torch.as_tensor(R, **kind), t=torch.as_tensor(t, **kind), up=torch.tensor([0.0, 1, 0], **kind),
            has_camera=not no_root, root_initial=root if no_root else None,
            root_pull=torch.ones(frames, **kind) if no_root else None)

    def with_state(self, turned, root, codes=None) -> Clip:
        """The same clip at another state."""
        return self.changed(turned=turned, root=root, codes=codes)

    def smoothed(self, sigma_s: float) -> Clip:
        """The same clip started from means over time: Gaussian for rotations, weighted by how well each joint was seen,
        and for the root's place in the picture; a running median first for its distance, which jumps."""
        times = self.all.times
        turned = self.all.turned.clone()
        sure = self.all.pull + 1e-4
        for rows in torch.arange(len(times)).split(256):
            low = max(int(torch.searchsorted(times.contiguous(), times[rows[0]].clone() - 4 * sigma_s)), 0)
            high = int(torch.searchsorted(times.contiguous(), times[rows[-1]] + 4 * sigma_s)) + 1
            kernel = torch.exp(-((times[rows, None] - times[None, low:high]) ** 2) / (2 * sigma_s**2)).to(sure)
            weights = kernel[..., None] * sure[None, low:high]
            mean = torch.einsum("tsj,sjab->tjab", weights / weights.sum(1, keepdim=True), self.all.turned[low:high])
            turned[rows] = sixd_to_matrix(torch.cat([mean[..., 0], mean[..., 1]], -1))
        return self.with_state(turned, self._steady_root(sigma_s) if self.all.has_camera else self.all.root)

    def _steady_root(self, sigma_s: float) -> torch.Tensor:
        from scipy.ndimage import gaussian_filter1d, median_filter

        camera = self.all.seen(self.all.root).cpu().double().numpy()
        rate_hz = 30 / float(self.all.step.mean())
        depth = np.maximum(camera[:, 2], 0.2)
        ray = median_filter(camera[:, :2] / depth[:, None], size=(frames_within(0.067, rate_hz), 1), mode="nearest")
        ray = gaussian_filter1d(ray, sigma_s * rate_hz, axis=0, mode="nearest")
        far = median_filter(np.log(depth), size=frames_within(1 / 3, rate_hz), mode="nearest")
        far = np.exp(gaussian_filter1d(far, 2 * sigma_s * rate_hz, mode="nearest"))[:, None]
        return self.all.unseen(torch.as_tensor(np.concatenate([ray * far, far], 1)).to(self.all.root))

    def with_ground(self, ground_m: float, let_go_m_s: float, **probabilities: np.ndarray) -> Clip:
        """The same clip with a ground and probabilities by name: contacts (T, 4), hands (T, 2), flight (T,).

        How far soles are held to stand is the least contact about a time, by how slow they are now: (1 + (v / let_go)^2)^-2, the slope
        of Geman and McClure's loss. Else the small doubts of a swinging foot would together shorten a walk. Hands may go twice as fast.
        """
        like = self.all.root
        given = {name: torch.as_tensor(np.asarray(value)).to(like) for name, value in probabilities.items()}
        touching = np.concatenate([probabilities["contacts"], probabilities["hands"]], 1)
        still = least_about(touching, self.all.times.cpu().numpy()) * self._slow(let_go_m_s)
        return self.changed(ground=torch.tensor(ground_m).to(like), still=torch.as_tensor(still).to(like), **given)

    def _slow(self, let_go_m_s: float) -> np.ndarray:
        """How slow (T, 6) soles and hands are until the next frame, 1 where they stand."""
        w = self.all
        joints = self.body.joints(w.root, w.turned, self.betas)
        points = torch.cat([self.soles.keypoints(joints, w.turned, self.betas), joints[:, 22:]], 1).cpu().double().numpy()
        times = w.times.cpu().numpy()
        points, times = np.concatenate([points, points[-1:]]), np.r_[times, times[-1] + 1]
        speed = np.linalg.norm(np.diff(points, axis=0), axis=-1) / np.maximum(np.diff(times), 1e-6)[:, None]
        return (1 + (speed / (let_go_m_s * np.array([1, 1, 1, 1, 2, 2]))) ** 2) ** -2

    def with_seen_acceleration(self) -> Clip:
        """The same clip with the accelerations (T, 24) that the start itself shows across the line of sight, m/s^2.

        Taken over about 0.1 s, so that fast limbs keep their speed and still ones their calm.
        """
        w = self.all
        joints = self.body.joints(w.root, w.turned, self.betas)
        seen = torch.zeros_like(w.pull)
        if len(w.times) > 2:
            a = _accelerations(joints, w.times, w.step)
            if w.has_camera:
                ray = w.seen(joints)
                ray = ray / ray.norm(dim=-1, keepdim=True).clamp_min(1e-6)
                ray = ray @ (w.R if w.R.ndim == 3 else w.R.expand(len(ray), 3, 3))
                a = a - (a * ray).sum(-1, keepdim=True) * ray
            seen = a.norm(dim=-1)
        reach = round(0.07 * 30 / float(w.step.mean()))
        seen = torch.nn.functional.max_pool1d(seen.T[None], 2 * reach + 1, 1, reach)[0].T
        return self.changed(seen_acceleration=seen)

    def with_local_share(self) -> Clip:
        """The same clip with the share (24,) of each joint's pull that goes by its angle against its parent, not in the world.

        Where errors add up along the chain, as a regressor's do, the start is steadier against the parent; where each
        bone's direction is measured, as from landmarks, it is steadier in the world. Inverse variances decide.
        """
        w = self.all
        if len(w.times) < 8:
            return self
        turned = w.initial
        local = torch.cat([turned[:, :1], local_rotations(turned, self.body.parents)], 1)
        lag = max(1, round(1 / float(w.step.mean())))
        if len(w.times) < 3 * lag:
            return self
        world, own = _unsteadiness(turned, lag), _unsteadiness(local, lag)
        share = world**2 / (world**2 + own**2)
        share[0] = 0
        return self.changed(local_share=share)

    def with_codes(self, prior) -> Clip:
        """The same clip with the codes of its state."""
        return self.changed(codes=prior.encode(local_rotations(self.all.turned, self.body.parents)).detach())

    def scaled(self, factor: float) -> Clip:
        """The same clip with a body `factor` times as tall, as much further away, so that the picture stays."""
        if abs(factor - 1) < 1e-4:
            return self
        betas = scaled_betas(self.numpy_body, self.betas.cpu().double().numpy(), factor)
        w = self.all
        root = w.unseen(w.seen(w.root) * factor) if w.has_camera else w.root
        other = self.changed(root=root)
        other.betas = torch.as_tensor(betas).to(self.betas)
        return other

    def turned_world(self, turn: torch.Tensor) -> Clip:
        """The same clip in a world turned by a matrix (3, 3); what the camera sees stays."""
        w = self.all
        return self.changed(turned=turn @ w.turned, initial=turn @ w.initial, root=w.root @ turn.T, R=w.R @ turn.T)

    def changed(self, **values) -> Clip:
        """The same clip with other tensors."""
        other = object.__new__(Clip)
        other.__dict__ = {**self.__dict__, "all": replace(self.all, **values)}
        return other

    def motion(self, motion: Motion) -> Motion:
        """The present state as a Motion."""
        quats = self.numpy_body.local_quats(self.all.turned.cpu().double().numpy())
        camera = motion.camera
        if camera is not None:
            K = self.all.K.cpu().double().numpy()
            camera = camera if np.allclose(K, camera.K, rtol=1e-6) else replace(camera, K=K)
        return self.numpy_body.motion(
            motion.times_s, self.all.root.cpu().double().numpy(), quats, self.betas.cpu().double().numpy(),
            confidence=motion.confidence, contacts=motion.contacts, frame="world", camera=camera, history=motion.history)


def _unsteadiness(turned: torch.Tensor, lag: int) -> torch.Tensor:
    """Median (J,) over frames of how far each rotation (T, J, 3, 3) is from the mean of those `lag` frames away, |R|_F."""
    away = turned[lag:-lag] - (turned[: -2 * lag] + turned[2 * lag :]) / 2
    return (away**2).sum((-1, -2)).median(0).values.sqrt() + 1e-4


def _accelerations(points: torch.Tensor, times: torch.Tensor, step: torch.Tensor, sigma_s: float = 0.035) -> torch.Tensor:
    """Accelerations (T, P, 3) of points (T, P, 3): of parabolas fitted about each time, whatever the times between."""
    out = torch.zeros_like(points)
    for rows in torch.arange(len(times)).split(256):
        low = int(torch.searchsorted(times.contiguous(), times[rows[0]].clone() - 4 * sigma_s))
        high = int(torch.searchsorted(times.contiguous(), times[rows[-1]] + 4 * sigma_s)) + 1
        low, high = max(low - 1, 0), min(high + 1, len(times))
        away = times[None, low:high] - times[rows, None]
        design = torch.stack([torch.ones_like(away), away / sigma_s, (away / sigma_s) ** 2 / 2], -1)
        weighted = (torch.exp(-((away / sigma_s) ** 2) / 2) * step[low:high])[..., None] * design
        normal = torch.einsum("tsa,tsb->tab", weighted, design) + 0.02 * torch.eye(3).to(design)
        share = torch.einsum("ta,tsa->ts", torch.linalg.inv(normal)[:, 2], weighted) / sigma_s**2
        near = points[low:high] - points[rows[len(rows) // 2]]
        share = share.to(points)
        out[rows] = torch.einsum("ts,spc->tpc", share, near) - share.sum(1)[:, None, None] * near[rows - low]
    return out


def segments(track: Track | None, motion: Motion) -> list[tuple[int, int]]:
    """Rows (first, past) of each stretch in which the person is there: gaps in evidence or time above APART_S part them."""
    times = motion.times_s
    seen = np.arange(len(times)) if track is None else np.flatnonzero((track.keypoints_px[..., 2] > 0).any(1))
    if len(seen) == 0:
        return [(0, len(times))]
    breaks = np.flatnonzero(np.diff(times[seen]) > APART_S)
    firsts = np.r_[0, seen[breaks + 1]]
    pasts = np.r_[seen[breaks] + 1, len(times)]
    return list(zip(firsts.tolist(), pasts.tolist(), strict=True))


def scaled_betas(body, betas: np.ndarray, factor: float) -> np.ndarray:
    """Betas (10,) of the body nearest in shape that is `factor` times as tall."""
    wanted = body.stature_m(betas) * factor
    slope = np.array([body.stature_m(betas + 0.5 * e) - body.stature_m(betas - 0.5 * e) for e in np.eye(10)])
    for _ in range(4):
        betas = betas + (wanted - body.stature_m(betas)) * slope / (slope**2).sum()
    return betas


def keypoint_weights(track: Track) -> np.ndarray:
    """Weights (T, K): squared confidence by how well each keypoint's place on the body is known."""
    weight = np.array([_keypoint_weight(n) for n in track.keypoints.names])
    return weight * track.keypoints_px[..., 2] ** 2


def _keypoint_weight(name: str) -> float:
    part = name.split("_")[-1] if "eye" not in name else "eye"
    return KEYPOINT_WEIGHT.get(part, 1.0)


def frame_steps(times_s: np.ndarray) -> np.ndarray:
    """Time (T,) that each frame stands for, in units of 1/30 s."""
    if len(times_s) < 2:
        return np.ones(len(times_s))
    between = np.minimum(np.diff(times_s), APART_S)
    return 30 * (np.r_[between[:1], between] + np.r_[between, between[-1:]]) / 2


def least_about(likely: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Least probability (T, C) within ABOUT_S of the middle between each frame and the next: the same at every frame rate."""
    middle = (times_s + np.r_[times_s[1:], times_s[-1:]]) / 2
    at = middle + ABOUT_S * np.linspace(-1, 1, 5)[:, None]
    around = np.stack([np.interp(at, times_s, column) for column in likely.T], -1).min(0)
    return np.minimum(around, np.minimum(likely, np.concatenate([likely[1:], likely[-1:]])))


def sums_about(times_s: np.ndarray, values: np.ndarray, sigma_s: float) -> np.ndarray:
    """Sums of values (T, ...) about each time, weighted by a bell of standard deviation sigma_s."""
    out, flat = np.empty((len(values), values[0].size)), values.reshape(len(values), -1)
    for first in range(0, len(values), 256):
        rows = slice(first, first + 256)
        at = times_s[rows]
        near = slice(*np.searchsorted(times_s, [at[0] - 4 * sigma_s, at[-1] + 4 * sigma_s]))
        out[rows] = np.exp(-((at[:, None] - times_s[near]) ** 2) / (2 * sigma_s**2)) @ flat[near]
    return out.reshape(values.shape)


def mean_about(times_s: np.ndarray, values: np.ndarray, sigma_s: float) -> np.ndarray:
    """Means of values (T, ...) over about a time, each frame by the time it stands for."""
    step = frame_steps(times_s).reshape(-1, *[1] * (values.ndim - 1))
    return sums_about(times_s, values * step, sigma_s) / sums_about(times_s, step, sigma_s)


def frames_within(reach_s: float, rate_hz: float) -> int:
    """How many frames lie within a time of one frame, itself included: the same time at every rate."""
    return 2 * max(round(reach_s * rate_hz), 0) + 1


def smooth_heights(track: Track) -> np.ndarray:
    """Person heights (T,) in pixels, steadied over about half a second and carried over unseen frames."""
    from scipy.ndimage import gaussian_filter1d

    seen = track.seen if track.seen.any() else np.ones(len(track), bool)
    heights = np.interp(track.times_s, track.times_s[seen], track.heights_px()[seen])
    rate = (len(track) - 1) / max(track.times_s[-1] - track.times_s[0], 1e-6)
    return gaussian_filter1d(heights, max(0.2 * rate, 0.1), mode="nearest")
