"""Small motions whose behaviour is known by construction: waving, marching ahead, bending the knees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.synth import corpus

LABELS = ("wave", "march", "squat")


def puppet(label: str, seconds: float = 3.0, phase: float = 0.0, rate_hz: float = 30.0, betas=None):
    """Someone who waves (both arms), marches ahead at 1 m/s, or squats, at 1 Hz."""
    times = np.arange(round(seconds * rate_hz) + 1) / rate_hz
    swing = np.sin(2 * np.pi * times + phase)
    turns = np.zeros((len(times), 24, 3))
    turns[:, 16, 2], turns[:, 17, 2] = -1.2, 1.2
    root = np.tile([0.0, 0.93, 0.0], (len(times), 1))
    if label == "wave":
        turns[:, 16, 2] += 0.6 + 0.6 * swing
        turns[:, 17, 2] -= 0.6 + 0.6 * swing
    elif label == "march":
        turns[:, 1, 0], turns[:, 2, 0] = 0.5 * swing, -0.5 * swing
        root[:, 2] = times
    else:
        bend = 0.5 * (1 + swing)
        for hip, knee in ((1, 4), (2, 5)):
            turns[:, hip, 0], turns[:, knee, 0] = -bend, 2 * bend
        root[:, 1] -= 0.85 * (1 - np.cos(bend))
    quats = rotations.axis_angle_to_quat(turns)
    return load_body().motion(times, root, quats, np.zeros(10) if betas is None else betas)


def turned(motion, angle_rad: float, axis=(0, 1.0, 0), shift=(0, 0, 0)):
    """The same motion turned in the world and moved."""
    from mrs.world import _rigid

    turn = rotations.axis_angle_to_matrix(np.asarray(axis) * angle_rad)
    return _rigid(motion, turn, np.asarray(shift, float))


def make(folder, seconds: float = 5.0, clips: int = 4):
    """Write a small corpus: `clips` of each label, the last held out."""
    motions, facts = [], []
    for label in LABELS:
        for number in range(clips):
            motion = puppet(label, seconds, phase=0.7 * number)
            motions.append(replace(motion, contacts=np.ones((len(motion), 4))))
            facts.append((len(motions) - 1, corpus.Clip(f"{label}_{number}", label, "test" if number == clips - 1 else "train",
                                                        0, len(motion), group=str(len(motions)))))
    return corpus.write(folder, motions, facts)


SMALL = {"iterations": 6, "batch": 6, "latent": 6, "seen": 8, "width": 16, "cell": 16, "check_every": 3, "flow_iterations": 3,
         "flow_blocks": 2, "flow_hidden": 16, "flow_batch": 16, "critic_from": 0.0, "classifier_iterations": 3}
