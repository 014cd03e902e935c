"""Use the encoder on a track: windows that overlap, seen as they are and in a mirror, blended into one code a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mrs.lifting.encoder import FLIP, Encoder, LatentDecoder
from mrs.lifting.films import FRAMES
from mrs.lifting.points import DEEP, chosen
from mrs.lifting.view import Seen, View, inputs, size_of, turn_of

STRIDE = 12
AT_ONCE = 64
BLOCK, RIM = 512, 96


@dataclass
class Lifted:
    """code (T, 2 D + 6); turned (T, 24, 3, 3) in the camera; betas (10,); contacts (T, 4) and sure (T, 24) probabilities; weak_m (T, 3):
    where the weak camera says that the pelvis is."""

    code: np.ndarray
    turned: np.ndarray
    betas: np.ndarray
    contacts: np.ndarray
    sure: np.ndarray
    weak_m: np.ndarray


def seen_of(track, camera, min_confidence: float = 0.0, use_3d: bool = True, device="cpu") -> Seen:
    """What the encoder is given of a track (one window of T frames), in the axes of the camera."""
    flat = chosen(track.keypoints, track.keypoints_px.astype(float))
    flat[flat[..., 2] < max(min_confidence, 1e-6)] = 0
    K = np.broadcast_to(camera.K, (len(track), 3, 3))[:, None]
    rays = np.where(flat[..., 2:] > 0, (flat[..., :2] - K[..., :2, 2]) / K[..., [0, 1], [0, 1]], 0)
    known = use_3d and track.keypoints3d_m is not None and track.keypoints.name == "blazepose-33"
    deep = chosen(track.keypoints, track.keypoints3d_m.astype(float))[:, : len(DEEP)] if known else np.zeros((len(track), len(DEEP), 3))
    whole = np.isfinite(deep).all((1, 2))
    up = np.broadcast_to(camera.R, (len(track), 3, 3))[:, :, 1]
    put = lambda values: torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32, device=device)[None]
    return Seen(put(np.concatenate([rays, flat[..., 2:]], -1)), put(np.where(whole[:, None, None], deep, 0)), put(known * track.seen * whole), put(track.times_s - track.times_s[0]),
                put(up), torch.full((1,), float(camera.is_still), device=device))


@torch.no_grad()
def lift(net: Encoder, seen: Seen, *, progress=lambda done, total: None) -> Lifted:
    """Lift one person's sights over T frames (a batch of one), as they are and in a mirror."""
    frames = seen.rays.shape[1]
    turn = _turns(seen)
    rows = _windows(frames).to(seen.rays.device)
    ways = [seen, seen.mirrored()]
    sums = []
    for number, way in enumerate(ways):
        own = turn if number == 0 else turn * _MIRROR.to(turn)
        sums.append(_blended(net, way, own, rows, frames, lambda done, k=number: progress(done + k * len(rows), len(ways) * len(rows))))
    phi, contacts, sure = (list(parts) for parts in zip(*sums, strict=True))
    contacts[1], sure[1] = contacts[1][:, [2, 3, 0, 1]], sure[1][:, list(FLIP)]
    mean = lambda parts: torch.sigmoid(sum(parts) / len(parts)).double().cpu().numpy()
    view = turn[0].transpose(-1, -2)
    code = torch.cat([phi[0], phi[1], view[..., 0], view[..., 1]], -1)
    decoder = LatentDecoder(net, code.device)
    camera, _, betas = net.head(torch.stack(phi))
    scale = 2 * torch.nn.functional.softplus(camera[0, :, :1]) * size_of(seen, turn)
    weak = (view @ torch.cat([camera[0, :, 1:], 1 / scale.clamp_min(0.02)], -1)[..., None])[..., 0]
    weight = seen.rays[0, ..., 2].sum(-1) + 1e-6
    shape = (betas.mean(0) * weight[:, None]).sum(0) / weight.sum()
    turned = decoder.turned(code)
    return Lifted(code.cpu().numpy(), turned.double().cpu().numpy(), shape.double().cpu().numpy(), mean(contacts), mean(sure),
                  weak.double().cpu().numpy())


_MIRROR = torch.tensor([[1.0, -1, -1], [-1, 1, 1], [-1, 1, 1]])


def _turns(seen: Seen) -> torch.Tensor:
    """Turns (1, T, 3, 3) of the view over the whole clip, some hundred frames at a time."""
    frames = seen.rays.shape[1]
    parts = []
    for first in range(0, frames, BLOCK):
        low, high = max(first - RIM, 0), min(first + BLOCK + RIM, frames)
        part = turn_of(_rows(seen, slice(low, high)))
        parts.append(part[:, first - low : first - low + BLOCK])
    return torch.cat(parts, 1)


def _rows(seen: Seen, rows) -> Seen:
    """Some frames of a batch of one."""
    return Seen(seen.rays[:, rows], seen.deep_m[:, rows], seen.deep[:, rows], seen.times_s[:, rows], seen.up[:, rows], seen.still)


def _windows(frames: int) -> torch.Tensor:
    """Frames (W, FRAMES) of each window; a short clip goes back and forth."""
    last = max(frames - FRAMES, 0)
    starts = torch.tensor(sorted({*range(0, last + 1, STRIDE), last}))
    rows = starts[:, None] + torch.arange(FRAMES)
    length = max(frames - 1, 1)
    return (length - (torch.remainder(rows, 2 * length) - length).abs()).clamp_max(frames - 1) if frames < FRAMES else rows


def _blended(net: Encoder, seen: Seen, turn, rows, frames: int, progress):
    """Codes (T, D) and log odds (T, 4), (T, 24), blended over windows by a bell."""
    bell = torch.hann_window(FRAMES + 2, periodic=False, device=rows.device)[1:-1, None]
    sums, total = None, torch.zeros(frames, 1, device=rows.device)
    for first in range(0, len(rows), AT_ONCE):
        some = rows[first : first + AT_ONCE]
        told = net.trunk(_numbers(seen, turn, some))
        flat = torch.cat(told, -1).float()
        if sums is None:
            sums = torch.zeros(frames, flat.shape[-1], device=rows.device)
        sums.index_add_(0, some.flatten(), (flat * bell).flatten(0, 1))
        total.index_add_(0, some.flatten(), bell.expand(len(some), -1, -1).flatten(0, 1))
        progress(min(first + AT_ONCE, len(rows)))
    size = net.size.code
    return (sums / total).split([size, 4, 24], -1)


def _numbers(seen: Seen, turn, rows) -> torch.Tensor:
    """The encoder's input (W, FRAMES, INPUTS) of windows; the times of a clip that goes back and forth go on."""
    step = (seen.times_s[0, 1:] - seen.times_s[0, :-1]).mean() if seen.times_s.shape[1] > 1 else torch.tensor(1 / 30)
    times = seen.times_s[0, rows]
    if len(rows) == 1 and seen.times_s.shape[1] < FRAMES:
        times = (torch.arange(FRAMES, device=rows.device) * step)[None]
    part = Seen(seen.rays[0, rows], seen.deep_m[0, rows], seen.deep[0, rows], times, seen.up[0, rows],
                seen.still.expand(len(rows)))
    own = turn[0, rows]
    return inputs(part, View(own, size_of(part, own)))


def place(body, track, found: Lifted, betas: np.ndarray, camera, min_confidence: float) -> np.ndarray:
    """Pelvis (T, 3) in the camera: full-perspective resection of limb points, its depth steadied; NaN where they do not fix it.

    Where they fix it in fewer than three frames, the weak camera says where it is.
    """
    from mrs.world.resection import resect

    turned = found.turned
    track = track.limited_to(body.landmark_names)
    names = track.keypoints.names
    share, moments = body.landmark_moments(names, betas)
    joints = body.place(np.zeros((len(track), 3)), turned, betas)
    marks = np.einsum("kj,tjc->tkc", share, joints) + np.einsum("tjab,kjb->tka", turned, moments)
    limbs = np.array([n.endswith(("shoulder", "elbow", "hip", "knee", "ankle", "ear")) for n in names])
    sure = np.where(track.seen[:, None], track.keypoints_px[..., 2], 0)
    weights = np.where(limbs & (sure >= min_confidence), sure**2, 0)
    root, _ = resect(marks, track.keypoints_px[..., :2], weights, camera.K, robust_px=0.03 * track.heights_px())
    if np.isfinite(root).all(1).sum() < min(3, len(root)):
        return np.where(track.seen[:, None], found.weak_m, np.nan)
    return _steadied(track.times_s, root)


def _steadied(times_s: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Take the log of the depth through a median over 0.2 s and a bell of 0.1 s; the line of sight stays."""
    placed = np.isfinite(root).all(1)
    if placed.sum() < 3:
        return root
    from scipy.ndimage import median_filter

    rate = 1 / np.median(np.diff(times_s))
    deep = np.interp(times_s, times_s[placed], np.log(root[placed, 2].clip(0.05)))
    deep = median_filter(deep, 2 * round(0.1 * rate) + 1, mode="nearest")
    bell = np.exp(-((times_s[:, None] - times_s) ** 2) / (2 * 0.1**2)) if len(times_s) <= 2000 else None
    deep = bell @ deep / bell.sum(1) if bell is not None else _long_bell(deep, rate)
    return np.where(placed[:, None], root * (np.exp(deep) / root[:, 2])[:, None], np.nan)


def _long_bell(values: np.ndarray, rate: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, 0.1 * rate, mode="nearest")

