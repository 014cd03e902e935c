"""Prediction measured as the field does: 50 draws a start, best of them, spread, and several true futures."""

from __future__ import annotations

import numpy as np
import torch

from mrs.errors import InputError
from mrs.synth import sample
from mrs.synth.features import RATE_HZ
from mrs.synth.played import Played
from mrs.synth.windows import Windows

DRAWS, HORIZON_S, STRIDE_S, SAME_START_M = 50, 2.0, 0.5, 0.5
MEASURES = ("APD", "ADE", "FDE", "MMADE", "MMFDE", "CMD", "ASD", "FSD")


def segments(windows: Windows, most: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Held-out stretches (n, 2 + frames, SIZE): the frame before a start, the start, and its future of HORIZON_S."""
    frames, stride = round(HORIZON_S * RATE_HZ), round(STRIDE_S * RATE_HZ)
    rows, labels = [], []
    for piece in windows.pieces:
        if piece.split == "test" and piece.variant == 0:
            found = np.arange(1, piece.frames - frames, stride)
            rows += (piece.first + found).tolist()
            labels += [piece.label] * len(found)
    if len(rows) < 2:
        raise InputError(f"Expected held-out clips longer than {HORIZON_S:g} s for prediction, but there are none.")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))
    rows = np.array(rows)[chosen]
    return (np.asarray(windows.frames[rows[:, None] + np.arange(-1, frames + 1)], np.float32), np.array(labels)[chosen])


def postures(values: np.ndarray) -> np.ndarray:
    """Features (n, T, SIZE) to postures (n, T, 69) in metres: joints about the pelvis, in the axes of the start's heading."""
    joints = Played.of(values).oriented_m()
    return joints.reshape(*joints.shape[:2], -1)


def drawn(weights, starts: np.ndarray, before: np.ndarray, frames: int, seed: int, kind: str) -> np.ndarray:
    """Postures (n, DRAWS, frames, 69) of futures; `kind` is flow, free (the flow without the start), or prior."""
    first, earlier = (torch.as_tensor(np.repeat(v, DRAWS, 0)) for v in (starts, before))
    values = sample.futures(weights, first, earlier, frames, seed, kind).numpy()
    parts = [postures(values[at : at + 500])[:, 1:] for at in range(0, len(values), 500)]
    return np.concatenate(parts).reshape(len(starts), DRAWS, frames, -1)


def measure(found: np.ndarray, true: np.ndarray, starts: np.ndarray, labels: np.ndarray, mean_motion: dict) -> dict[str, float]:
    """Every measure of draws (n, draws, T, D) against futures (n, T, D), with postures at the start (n, D).

    Norms are over the flattened posture, as DLow and its followers print them; `ADE_joint` and `FDE_joint` are means over
    joints instead, in metres. MMADE and MMFDE take as true every future whose start is nearer than SAME_START_M.
    """
    away = np.linalg.norm(found - true[:, None], axis=-1)
    joints = np.linalg.norm((found - true[:, None]).reshape(*found.shape[:3], -1, 3), axis=-1).mean(-1)
    near = np.linalg.norm(starts[:, None] - starts[None], axis=-1) < SAME_START_M
    several = [_several(found[row], true[near[row]]) for row in range(len(found))]
    apart = [_apart(draws) for draws in found]
    return {"APD": float(np.mean([a[0] for a in apart])), "ADE": float(away.mean(-1).min(1).mean()),
            "FDE": float(away[..., -1].min(1).mean()), "MMADE": float(np.mean([s[0] for s in several])),
            "MMFDE": float(np.mean([s[1] for s in several])), "CMD": _cumulative_motion(found, labels, mean_motion),
            "ASD": float(np.mean([a[1] for a in apart])), "FSD": float(np.mean([a[2] for a in apart])),
            "ADE_joint": float(joints.mean(-1).min(1).mean()), "FDE_joint": float(joints[..., -1].min(1).mean())}


def _several(draws: np.ndarray, futures: np.ndarray) -> tuple[float, float]:
    away = np.stack([np.linalg.norm(draws - future, axis=-1) for future in futures])
    return float(away.mean(-1).min(1).mean()), float(away[..., -1].min(1).mean())


def _apart(draws: np.ndarray) -> tuple[float, float, float]:
    """APD over flattened sequences; nearest other draw by mean distance over time (ASD) and at the end (FSD)."""
    flat = draws.reshape(len(draws), -1)
    square = (flat**2).sum(1)
    pairs = np.sqrt(np.maximum(square[:, None] + square[None] - 2 * flat @ flat.T, 0))
    over_time = np.stack([np.linalg.norm(draws - one, axis=-1).mean(-1) for one in draws])
    last = np.linalg.norm(draws[:, None, -1] - draws[None, :, -1], axis=-1)
    others = ~np.eye(len(draws), dtype=bool)
    own = [np.where(others, values, np.inf).min(1).mean() for values in (over_time, last)]
    return float(pairs[others].mean()), float(own[0]), float(own[1])


def mean_motions(windows: Windows) -> dict[str, float]:
    """Mean change of posture a frame of every label's held-out frames, in metres: what CMD compares with."""
    out = {}
    for label in windows.labels:
        found = []
        for piece in windows.pieces:
            if piece.label == label and piece.split == "test" and piece.variant == 0 and piece.frames > 2:
                values = np.asarray(windows.frames[piece.first : piece.first + piece.frames])[None]
                found.append(_moves(postures(values))[0])
        if found:
            out[label] = float(np.concatenate(found).mean())
    return out


def _moves(values: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(values, axis=-2).reshape(*values.shape[:-2], values.shape[-2] - 1, -1, 3), axis=-1).mean(-1)


def _cumulative_motion(found: np.ndarray, labels: np.ndarray, mean_motion: dict) -> float:
    """CMD of BeLFusion: sum over time of (T - t) |mean motion at t - the label's mean motion|, mean over labels by count."""
    moves, total = _moves(found), 0.0
    left = np.arange(moves.shape[-1], 0, -1)
    for label in np.unique(labels):
        rows = labels == label
        total += rows.mean() * (left * np.abs(moves[rows].mean((0, 1)) - mean_motion[label])).sum()
    return float(total)
