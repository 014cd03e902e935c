"""Futures from the flow, behaviours between two, and what is near to a motion in behaviour or in posture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mrs.errors import InputError, MissingError
from mrs.motion import Motion
from mrs.refine.solver import one_quick_thread
from mrs.synth import features, transfer
from mrs.synth.features import CONTACT, RATE_HZ
from mrs.synth.flow import start_numbers
from mrs.synth.kinematics import Skeleton, batched

SEGMENT = 30


def futures(weights, start: torch.Tensor, before: torch.Tensor, frames: int, seed: int, kind: str = "flow") -> torch.Tensor:
    """Draw futures of starts (n, SIZE): features (n, frames + 1, SIZE), of which the first is the start.

    Each stretch of SEGMENT frames has its own draw from the flow, given the posture and motion it begins with. To
    compare, `kind` "free" hides those from the flow, and "prior" draws from N(0, 1).
    """
    if weights.flow is None and kind != "prior":
        raise MissingError("Expected weights with a flow, but these have none. Type: mrs train bds --flow")
    generator = torch.Generator().manual_seed(seed)
    parts, model = [start[:, None]], weights.model
    left = frames
    with torch.no_grad():
        while left > 0:
            if kind == "prior":
                z = torch.randn(len(start), model.shape.latent, generator=generator)
            else:
                seen = start_numbers(model, start, before) if kind == "flow" else None
                z = weights.flow.draw(len(start), generator, seen)
            out = model.roll(model.plan(z), z, start, before)
            out[:, 1:, CONTACT] = torch.sigmoid(out[:, 1:, CONTACT])
            count = min(SEGMENT, left)
            parts.append(out[:, 1 : count + 1])
            start, before = out[:, count], out[:, count - 1]
            left -= count
    return torch.cat(parts, 1)


@one_quick_thread()
def sample(weights, start: transfer.Start, count: int, seconds: float, seed: int, feet: bool = True) -> list[Motion]:
    """Draw `count` futures of a start as Motions of its body."""
    first, before = (torch.as_tensor(v, dtype=torch.float32).expand(count, -1) for v in (start.frame, start.before))
    drawn = futures(weights, first, before, round(seconds * RATE_HZ), seed).numpy().astype(float)
    return transfer.all_finished(drawn, start, feet)


@one_quick_thread()
def interpolate(model, a: Motion, b: Motion, start: transfer.Start, steps: int, feet: bool = True) -> list[Motion]:
    """Go from the behaviour of `a` to that of `b` in `steps` steps, ends included, all from one start.

    Codes are mixed window by window over the time that both last.
    """
    if steps < 2:
        raise InputError(f"Expected at least 2 steps from one behaviour to the other, but got {steps}.")
    both = [features.prepared(motion, f"motion {name}") for name, motion in (("A", a), ("B", b))]
    frames = min(map(len, both))
    (za, rows, _), (zb, _, _) = (transfer.encode(model, motion.part(0, frames), f"motion {name}")
                                 for name, motion in zip("AB", both, strict=True))
    out = []
    for share in np.linspace(0, 1, steps):
        plan, code = transfer.blended(model, (1 - float(share)) * za + float(share) * zb, rows)
        out.append(transfer.finished(transfer.rolled(model, plan, code, start), start, feet=feet))
    return out


@dataclass(frozen=True)
class Library:
    """Windows of many motions: codes (n, latent), middle postures (n, 72) in metres, and where each stands."""

    codes: np.ndarray
    postures_m: np.ndarray
    where: list[tuple[str, float]]


@one_quick_thread()
def library(model, motions: list[tuple[str, Motion]]) -> Library:
    """Encode every window of named motions; those that are too short are passed over."""
    codes, postures, where = [], [], []
    for name, motion in motions:
        try:
            z, rows, prepared = transfer.encode(model, motion, name, fitting=False)
        except InputError:
            continue
        values = features.to_features(prepared)
        codes.append(z.numpy())
        postures.append(middle_postures(values[rows + model.shape.window // 2]))
        where += [(name, float(row / RATE_HZ)) for row in rows]
    if not codes:
        raise InputError(f"Expected motions of at least {model.shape.window / RATE_HZ:.2f} s in the library, but there are none.")
    return Library(np.concatenate(codes), np.concatenate(postures), where)


def middle_postures(frames: np.ndarray) -> np.ndarray:
    """Joints (n, 72) in metres about the pelvis, in the heading of each of the frames (n, SIZE)."""
    skeleton = Skeleton()
    joints = batched(lambda x: skeleton.joints(x), frames.astype(np.float32))
    return (joints - joints[:, :1]).reshape(len(frames), -1)


@one_quick_thread()
def nearest(model, motion: Motion, known: Library, count: int, at_s: float | None = None) -> dict[str, list[dict]]:
    """Find the windows nearest in behaviour, and nearest in posture, to the motion's window at `at_s` (its middle).

    At most one window of a file, so that a list is not one clip many times. Distances in behaviour are in deviations of
    the library's codes (root mean square over dimensions), in posture in metres (the same over joints).
    """
    z, rows, prepared = transfer.encode(model, motion, "the motion", fitting=False)
    middle = (prepared.times_s[-1] - prepared.times_s[0] - model.shape.window / RATE_HZ) / 2
    row = int(np.argmin(np.abs(rows / RATE_HZ - (middle if at_s is None else at_s))))
    scale = known.codes.std(0) + 1e-6
    behaviour = np.sqrt((((known.codes - z[row].numpy()) / scale) ** 2).mean(1))
    values = features.to_features(prepared)[[rows[row] + model.shape.window // 2]]
    posture = np.sqrt(3 * ((known.postures_m - middle_postures(values)) ** 2).mean(1))
    return {"behaviour": _listed(behaviour, known.where, count), "posture": _listed(posture, known.where, count)}


def _listed(distances: np.ndarray, where: list[tuple[str, float]], count: int) -> list[dict]:
    found, seen = [], set()
    for number in np.argsort(distances):
        name, at_s = where[number]
        if name not in seen:
            seen.add(name)
            found.append({"file": name, "at_s": round(at_s, 3), "distance": round(float(distances[number]), 4)})
        if len(found) == count:
            break
    return found


def motions_of(path: Path, read) -> list[tuple[str, Motion]]:
    """Name and motion of everything in a corpus, or in a folder of motion files; files that are none are passed over."""
    from mrs.errors import MrsError
    from mrs.synth import corpus

    if (path / corpus.INDEX).is_file() and (path / "root_pos_m.npy").is_file():
        found = corpus.load(path)
        return [(clip.name, found.motion(number)) for number, clip in enumerate(found.clips)]
    out = []
    for file in sorted(p for p in path.rglob("*") if p.suffix.lower() in (".npz", ".bvh", ".txt", ".json")) if path.is_dir() else [path]:
        try:
            out.append((str(file), read(file)))
        except MrsError:
            continue
    if not out:
        raise InputError(f"Expected a corpus or a folder of motions at {path}, but it holds none.")
    return out
