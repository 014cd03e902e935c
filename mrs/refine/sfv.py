"""The `sfv` refinement of one person's whole clip, in overlapping windows.

Stages: every window without contacts; contacts and ground from that; every
window with them. Windows overlap, and each goes on from the one before, so that the path has no seam.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mrs.body import load_body
from mrs.body.torch_body import TorchBody, sixd_to_matrix
from mrs.motion import Motion
from mrs.refine import terms
from mrs.refine.footlock import lock_feet
from mrs.refine.solver import Problem, Scales, Window, difference_weights, one_quick_thread
from mrs.tracks import Track
from mrs.world.contact import contact_probabilities
from mrs.world.ground import SOLES, ground_height, sole_points

HELD = 6
OVERLAP_S = 0.5
KEYPOINT_WEIGHT = {"eye": 0.15, "mouth": 0.15, "ear": 0.5, "nose": 0.5, "pinky": 0.3, "index": 0.4, "thumb": 0.3,
                   "hip": 0.5, "heel": 1.0}


@dataclass(frozen=True)
class Plan:
    """How much work to do."""

    iterations: int = 60
    contact_iterations: int = 30
    start_s: float = 0.1
    window_frames: int = 300
    overlap_frames: int = 40
    foot_lock: str = "auto"


def refine(track: Track, motion: Motion, scales: Scales, plan: Plan, *, device: str = "cpu",
           progress=lambda done, total: None) -> tuple[Motion, dict]:
    """Refine a world motion against its track; return it and a report of every term."""
    with one_quick_thread():
        return _refine(track, motion, scales, plan, device, progress)


def _refine(track, motion, scales, plan, device, progress):
    body = load_body(motion.body)
    tensors = _Tensors(body, track, motion, device).smoothed(plan.start_s)
    betas = tensors.betas
    total = 2 * len(track)
    tensors = tensors.with_seen_acceleration(betas)
    faithful = replace(scales, reprojection_rho=None)
    tensors, first = _sweep(tensors, betas, faithful, plan, plan.iterations, lambda d: progress(d, total))
    smooth = tensors.motion(motion, betas)
    soles = sole_points(smooth)
    contacts = contact_probabilities(soles, track.times_s, motion.camera, _foot_evidence(track))
    smooth = replace(smooth, contacts=contacts)
    ground = ground_height([smooth])
    tensors = tensors.with_ground(contacts, ground)
    tensors, second = _sweep(tensors, betas, scales, plan, plan.contact_iterations,
                             lambda d: progress(len(track) + d, total))
    refined, locked = lock_feet(replace(tensors.motion(motion, betas), contacts=contacts), ground, plan.foot_lock)
    return refined, {"terms_before_contact": first, "terms": second, "ground_m": ground, "foot_lock": locked}


class _Tensors:
    """The clip as tensors, and the way back to a Motion."""

    def __init__(self, body, track: Track, motion: Motion, device: str):
        kind = {"dtype": torch.float32, "device": device}
        self.numpy_body = body
        self.body = TorchBody(body, track.keypoints.names, **kind)
        self.soles = TorchBody(body, SOLES.names, **kind)
        self.betas = torch.as_tensor(motion.betas, **kind)
        camera = motion.camera
        turned = torch.as_tensor(body.global_rotations(motion.local_quat_wxyz), **kind)
        weights = np.array([_keypoint_weight(n) for n in track.keypoints.names]) * track.keypoints_px[..., 2] ** 2
        self.all = Window(
            times=torch.as_tensor(track.times_s, dtype=torch.float64, device=device), step=torch.as_tensor(frame_steps(track.times_s), **kind),
            observed=torch.as_tensor(track.keypoints_px[..., :2], **kind), weights=torch.as_tensor(weights, **kind),
            height=torch.as_tensor(_smooth_heights(track), **kind), turned=turned, initial=turned,
            root=torch.as_tensor(motion.root_pos_m, **kind), pull=torch.as_tensor(motion.confidence**2, **kind),
            K=torch.as_tensor(camera.K, **kind), R=torch.as_tensor(camera.R, **kind), t=torch.as_tensor(camera.t, **kind))

    def with_state(self, turned, root) -> _Tensors:
        """The same clip at another state."""
        return self._replace(turned=turned, root=root)

    def smoothed(self, sigma_s: float) -> _Tensors:
        """The same clip started from means over time: Gaussian for rotations, weighted by how well each joint was seen,
        and for the root's place in the picture; a running median first for its distance, which jumps."""
        times = self.all.times
        turned = self.all.turned.clone()
        sure = self.all.pull + 1e-4
        for rows in torch.arange(len(times)).split(256):
            low = max(int(torch.searchsorted(times, times[rows[0]] - 4 * sigma_s)), 0)
            high = int(torch.searchsorted(times, times[rows[-1]] + 4 * sigma_s)) + 1
            kernel = torch.exp(-((times[rows, None] - times[None, low:high]) ** 2) / (2 * sigma_s**2)).to(sure)
            weights = kernel[..., None] * sure[None, low:high]
            mean = torch.einsum("tsj,sjab->tjab", weights / weights.sum(1, keepdim=True), self.all.turned[low:high])
            turned[rows] = sixd_to_matrix(torch.cat([mean[..., 0], mean[..., 1]], -1))
        return self.with_state(turned, self._steady_root(sigma_s))

    def _steady_root(self, sigma_s: float) -> torch.Tensor:
        from scipy.ndimage import gaussian_filter1d, median_filter

        w = self.all
        camera = (w.root @ w.R.T + w.t).cpu().double().numpy()
        rate_hz = 30 / float(w.step.mean())
        depth = np.maximum(camera[:, 2], 0.2)
        ray = median_filter(camera[:, :2] / depth[:, None], size=(_odd(0.1 * rate_hz), 1), mode="nearest")
        ray = gaussian_filter1d(ray, sigma_s * rate_hz, axis=0, mode="nearest")
        far = median_filter(np.log(depth), size=_odd(0.7 * rate_hz), mode="nearest")
        far = np.exp(gaussian_filter1d(far, 2 * sigma_s * rate_hz, mode="nearest"))[:, None]
        steady = torch.as_tensor(np.concatenate([ray * far, far], 1)).to(w.root)
        return (steady - w.t) @ w.R

    def with_ground(self, contacts: np.ndarray, ground_m: float) -> _Tensors:
        """The same clip with contacts and a ground."""
        like = self.all.root
        return self._replace(contacts=torch.as_tensor(contacts).to(like), ground=torch.tensor(ground_m).to(like))

    def with_seen_acceleration(self, betas: torch.Tensor) -> _Tensors:
        """The same clip with the accelerations (T, 24) that the start itself shows across the line of sight, m/s^2.

        Taken over about 0.1 s, so that fast limbs keep their speed and still ones their calm.
        """
        w = self.all
        joints = self.body.joints(w.root, w.turned, betas)
        ray = joints - (-w.t @ w.R)
        ray = ray / ray.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        seen = torch.zeros_like(w.pull)
        if len(w.times) > 2:
            a = terms.second_difference(joints, difference_weights((w.times[1:] - w.times[:-1]).to(joints))[0])
            seen[1:-1] = (a - (a * ray[1:-1]).sum(-1, keepdim=True) * ray[1:-1]).norm(dim=-1)
        reach = round(0.07 * 30 / float(w.step.mean()))
        seen = torch.nn.functional.max_pool1d(seen.T[None], 2 * reach + 1, 1, reach)[0].T
        return self._replace(seen_acceleration=seen)

    def _replace(self, **values) -> _Tensors:
        other = object.__new__(_Tensors)
        other.__dict__ = {**self.__dict__, "all": replace(self.all, **values)}
        return other

    def motion(self, motion: Motion, betas: torch.Tensor) -> Motion:
        """The present state as a Motion."""
        quats = self.numpy_body.local_quats(self.all.turned.cpu().numpy())
        return self.numpy_body.motion(
            motion.times_s, self.all.root.cpu().numpy(), quats, betas.cpu().numpy(), confidence=motion.confidence,
            contacts=motion.contacts, frame="world", camera=motion.camera, history=motion.history)


def _sweep(tensors: _Tensors, betas, scales: Scales, plan: Plan, iterations: int, progress):
    """Solve window after window.

    Over the overlap a window starts from what is done, faded into its own start, and its result is faded in again: no
    kink to solve and no seam to see. The first HELD frames of it are held.
    """
    clip = tensors.all
    overlap = _overlap(plan, clip.step)
    turned, root = clip.turned, clip.root
    sums: dict[str, float] = {}
    start = done = 0
    while done < len(clip.times):
        end = min(start + plan.window_frames, len(clip.times))
        if len(clip.times) - end < overlap:
            end = len(clip.times)
        rows = slice(start, end)
        fade = _fade(clip.times[rows], done - start).to(root)
        now = turned[rows], root[rows]
        begin = _mixed(now, (clip.turned[rows], clip.root[rows]), fade)
        window = replace(clip.at(rows), turned=begin[0], root=begin[1], held=HELD if start else 0)
        *solved, _, last = Problem(window, tensors.body, tensors.soles, betas, scales).solve(iterations)
        turned, root = turned.clone(), root.clone()
        turned[rows], root[rows] = _mixed(now, solved, fade)
        for name, value in last.items():
            sums[name] = sums.get(name, 0.0) + value
        progress(end)
        start, done = end - overlap - HELD, end
    return tensors.with_state(turned, root), sums


def _overlap(plan: Plan, step: torch.Tensor) -> int:
    """Frames that two windows share: the plan's, OVERLAP_S at least, half a window at most."""
    wanted = max(plan.overlap_frames, round(OVERLAP_S * 30 / float(step.mean())))
    return min(wanted, plan.window_frames // 2)


def _fade(times: torch.Tensor, done: int) -> torch.Tensor:
    """Share (T,) of the new: 0 in the held frames, rising smoothly over the `done` frames, then 1."""
    if done <= HELD:
        return torch.ones_like(times)
    share = ((times - times[HELD - 1]) / (times[done - 1] - times[HELD - 1])).clamp(0, 1)
    return share**2 * (3 - 2 * share)


def _mixed(old, new, share: torch.Tensor):
    """Rotations and root between two near states."""
    turned = torch.lerp(old[0], new[0], share[:, None, None, None])
    return sixd_to_matrix(torch.cat([turned[..., 0], turned[..., 1]], -1)), torch.lerp(old[1], new[1], share[:, None])


def frame_steps(times_s: np.ndarray) -> np.ndarray:
    """Time (T,) that each frame stands for, in units of 1/30 s."""
    if len(times_s) < 2:
        return np.ones(len(times_s))
    between = np.diff(times_s)
    return 30 * (np.r_[between[:1], between] + np.r_[between, between[-1:]]) / 2


def _odd(frames: float) -> int:
    return 2 * round(frames / 2) + 1


def _keypoint_weight(name: str) -> float:
    part = name.split("_")[-1] if "eye" not in name else "eye"
    return KEYPOINT_WEIGHT.get(part, 1.0)


def _smooth_heights(track: Track) -> np.ndarray:
    """Person heights (T,) in pixels, steadied over about half a second and carried over unseen frames."""
    from scipy.ndimage import gaussian_filter1d

    seen = track.seen if track.seen.any() else np.ones(len(track), bool)
    heights = np.interp(track.times_s, track.times_s[seen], track.heights_px()[seen])
    rate = (len(track) - 1) / max(track.times_s[-1] - track.times_s[0], 1e-6)
    return gaussian_filter1d(heights, max(0.2 * rate, 0.1), mode="nearest")


def _foot_evidence(track: Track) -> np.ndarray:
    """How well heels and toes (T, 4) were seen about a tenth of a second around; ankles stand in where a set has no feet."""
    from scipy.ndimage import maximum_filter1d

    names = track.keypoints.names
    columns = []
    for side in ("left", "right"):
        for options in (("heel", "ankle"), ("foot_index", "big_toe", "ankle")):
            known = [f"{side}_{o}" for o in options if f"{side}_{o}" in names]
            columns.append(track.keypoints_px[:, names.index(known[0]), 2] if known else np.zeros(len(track)))
    reach = _odd(0.1 * 30 / frame_steps(track.times_s).mean())
    return maximum_filter1d(np.minimum(1.0, 2 * np.stack(columns, -1)), reach, axis=0)


