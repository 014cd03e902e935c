"""What a pose prior does on held-out clips: reconstruction, discrimination, denoising, hypotheses, time."""

from __future__ import annotations

import time

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from benchmarks import synthetic
from mrs.body import landmark_ik, load_body
from mrs.body.torch_body import TorchBody
from mrs.skeletons import BLAZEPOSE_33
from tools import corpus
from tools.pose_augment import multiply, small_quat, to_matrix

CLEAN = synthetic.Noise(mirrored=0, swapped=0, dropout=0, bursts_per_s=0)
SMOOTH_S = 0.1
CORRUPTIONS = ("12 deg noise", "knee sideways", "knee backwards", "legs swapped", "depth mirrored", "random joints")
HYPOTHESES = ("as lifted", "turned 180", "depth mirrored", "legs swapped", "upside down")


def print_report(model, seed: int = 0) -> None:
    """Print every table."""
    print(f"energy and gradient of 300 poses: {milliseconds(model):.2f} ms of one thread")
    generator = torch.Generator().manual_seed(seed)
    train = torch.as_tensor(np.concatenate([m.local_quat_wxyz[:, 1:] for _, m in corpus.poses("train")])[::10])
    print(f"training poses: energy {summary(energies(model, to_matrix(train.float())))}")
    print("\nheld out, by action: frames; decode(encode) mm; energy 50 % and 95 %; 12 deg noise left after denoising;")
    print(f"  share of frames whose energy is below that of the same frame with: {', '.join(CORRUPTIONS)}")
    clips = [(corpus.group(path), motion) for path, motion in corpus.poses("test")]
    names = sorted({name for name, _ in clips})
    for name in [*names, "all"]:
        quats = np.concatenate([m.local_quat_wxyz[:, 1:] for n, m in clips if n == name or name == "all"])
        quats = torch.as_tensor(quats, dtype=torch.float32)
        local = to_matrix(quats)
        plain = energies(model, local)
        shares = [float((plain < energies(model, corrupted(kind, quats, generator))).mean()) for kind in CORRUPTIONS]
        left = denoised_deg(model, local, to_matrix(noise(quats, 12.0, generator)))
        print(f"{name:16s} {len(quats):5d} {reconstruction_mm(model, local):6.1f} mm  E {summary(plain)}  "
              f"{left[0]:.1f} -> {left[1]:.1f} deg  " + " ".join(f"{100 * share:.0f}" for share in shares))
    print_hypotheses(model, clips)


def energies(model, local: torch.Tensor) -> np.ndarray:
    """Energies (T,) without gradients."""
    with torch.no_grad():
        return model.energy(local).numpy()


def summary(values: np.ndarray) -> str:
    """Median and 95th percentile."""
    return "{:5.1f} {:5.1f}".format(*np.percentile(values, [50, 95]))


def milliseconds(model) -> float:
    """Processor time of energy and gradient of 300 poses in ms, the least of 50 tries."""
    local = torch.linalg.qr(torch.randn(300, 23, 3, 3))[0]
    best = np.inf
    for _ in range(50):
        start = time.thread_time()
        leaf = local.clone().requires_grad_()
        torch.autograd.grad(model.energy(leaf).sum(), leaf)
        best = min(best, time.thread_time() - start)
    return 1000 * best


def reconstruction_mm(model, local: torch.Tensor) -> float:
    """Mean distance of joints between poses and decode(encode(poses)), pelvis on pelvis."""
    body = TorchBody(load_body())
    with torch.no_grad():
        again = model.decode(model.encode(local))
        placed = [body.joints(torch.zeros(len(local), 3), body.chain(with_root(x)), torch.zeros(10)) for x in (local, again)]
    return 1000 * float((placed[0] - placed[1]).norm(dim=-1).mean())


def with_root(local: torch.Tensor) -> torch.Tensor:
    """Put an upright root before 23 local rotations."""
    return torch.cat([torch.eye(3).expand(len(local), 1, 3, 3), local], 1)


def noise(quats: torch.Tensor, degrees: float, generator) -> torch.Tensor:
    """Turn every joint by `degrees` (root mean square) about a random axis."""
    turn = torch.randn(len(quats), 23, 3, generator=generator) * np.radians(degrees) / 3**0.5
    return multiply(quats, small_quat(turn))


def corrupted(kind: str, quats: torch.Tensor, generator) -> torch.Tensor:
    """Poses (T, 23, 3, 3) with one kind of mistake."""
    if kind == "12 deg noise":
        return to_matrix(noise(quats, 12.0, generator))
    if kind == "random joints":
        return to_matrix(torch.nn.functional.normalize(torch.randn(quats.shape, generator=generator), dim=-1))
    if kind.startswith("knee"):
        turn = torch.tensor([0.0, 0, np.radians(35)]) if "sideways" in kind else torch.tensor([-np.radians(35), 0, 0])
        bent = quats.clone()
        if "backwards" in kind:
            bent[:, 3] = torch.tensor([1.0, 0, 0, 0])
        bent[:, 3] = multiply(small_quat(turn.float()).expand(len(quats), 4), bent[:, 3])
        return to_matrix(bent)
    return hypothesis(kind, marks_of(quats))


def marks_of(quats: torch.Tensor) -> np.ndarray:
    """BlazePose landmarks (T, 33, 3) of poses seen from the front right."""
    body = load_body()
    root = np.tile([np.cos(0.4), 0, np.sin(0.4), 0], (len(quats), 1, 1))
    motion = body.motion(np.arange(len(quats)) / 30, np.zeros((len(quats), 3)), np.concatenate([root, quats.numpy()], 1), np.zeros(10))
    return body.keypoints(motion, BLAZEPOSE_33)


def hypothesis(kind: str, marks: np.ndarray) -> torch.Tensor:
    """Local rotations (T, 23, 3, 3) of what landmarks (T, 33, 3), z along the line of sight, would be if `kind` were true."""
    marks, k = marks.copy(), BLAZEPOSE_33
    middle = marks[:, k.indices("left_hip", "right_hip")].mean(1, keepdims=True)
    if kind == "depth mirrored":
        marks[..., 2] = 2 * middle[..., 2] - marks[..., 2]
    if kind == "turned 180":
        marks = marks[:, k.flip]
    if kind == "legs swapped":
        legs = [k.index(f"{s}_{p}") for s in ("left", "right") for p in ("knee", "ankle", "heel", "foot_index")]
        marks[:, legs] = marks[:, k.flip[legs]]
    if kind == "upside down":
        marks = _upside_down(marks)
    body = load_body()
    turned = landmark_ik.rotations_from_landmarks(body, k.names, marks, np.zeros(10))
    return to_matrix(torch.as_tensor(body.local_quats(turned)[:, 1:], dtype=torch.float32))


def _upside_down(marks: np.ndarray) -> np.ndarray:
    """Take arms for legs and legs for arms, the head for what lies beyond the hips."""
    k, out = BLAZEPOSE_33, marks.copy()
    pairs = (("shoulder", "hip"), ("elbow", "knee"), ("wrist", "ankle"), ("index", "foot_index"), ("pinky", "heel"))
    for side in ("left", "right"):
        for a, b in pairs:
            i, j = k.index(f"{side}_{a}"), k.index(f"{side}_{b}")
            out[:, i], out[:, j] = marks[:, j], marks[:, i]
        out[:, k.index(f"{side}_thumb")] = marks[:, k.index(f"{side}_heel")]
    head = [i for i, n in enumerate(k.names) if n.endswith(("nose", "ear", "inner", "outer", "eye")) or "mouth" in n]
    neck, hips = (marks[:, k.indices(f"left_{p}", f"right_{p}")].mean(1, keepdims=True) for p in ("shoulder", "hip"))
    out[:, head] = hips - (marks[:, head] - neck) * [1, 1, -1]
    return out


def denoised_deg(model, local: torch.Tensor, noisy: torch.Tensor, sigma_deg: float = 12.0) -> tuple[float, float]:
    """Mean angle to the truth, before and after 60 steps down energy + squared distance to the noisy pose / (2 sigma^2)."""
    variance = 2 * (np.radians(sigma_deg) ** 2) / 3
    sixd = torch.cat([noisy[..., 0], noisy[..., 1]], -1).clone().requires_grad_()
    from mrs.body.torch_body import sixd_to_matrix

    adam = torch.optim.Adam([sixd], lr=0.02)
    for step in range(60):
        adam.param_groups[0]["lr"] = 0.02 * (1 - step / 60)
        now = sixd_to_matrix(sixd)
        loss = model.energy(now).sum() + ((now - noisy) ** 2).sum() / (2 * variance)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return _angle_deg(local, noisy), _angle_deg(local, sixd_to_matrix(sixd.detach()))


def _angle_deg(a: torch.Tensor, b: torch.Tensor) -> float:
    cosine = (((a * b).sum((-1, -2)) - 1) / 2).clamp(-1, 1)
    return float(torch.rad2deg(torch.arccos(cosine)).mean())


def print_hypotheses(model, clips, seeds=range(2)) -> None:
    """Print which hypothesis of filmed and lifted held-out clips has the least energy, by frame and by half a second."""
    print(f"\nhypotheses, filmed with noise, smoothed over {SMOOTH_S} s: median energy; share of frames, of half seconds, where 'as lifted' is least:"
          f"\n  {', '.join(HYPOTHESES)}")
    total = []
    for name, motion in clips:
        for seed in seeds:
            track, _ = synthetic.film(motion, seed, CLEAN)
            marks = gaussian_filter1d(track.keypoints3d_m, SMOOTH_S * motion.fps, axis=0, mode="nearest")
            table = np.stack([energies(model, hypothesis(kind, marks)) for kind in HYPOTHESES], 1)
            total.append((name, table))
    for name in [*sorted({n for n, _ in total}), "all"]:
        tables = [t for n, t in total if n == name or name == "all"]
        frames = np.concatenate(tables)
        halves = np.concatenate([[part.mean(0) for part in np.array_split(t, max(len(t) // 15, 1))] for t in tables])
        pairs = [" ".join(f"{100 * (x[:, :1] < x[:, 1:]).mean(0)[c]:.0f}" for c in range(4)) for x in (frames, halves)]
        print(f"{name:16s} E {' '.join(f'{v:.1f}' for v in np.median(frames, 0))}  frames {pairs[0]}  half seconds {pairs[1]}")
