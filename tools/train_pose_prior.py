"""Train mrs/data/models/pose_prior.npz, the normalizing flow of mrs/refine/prior.py, and print the numbers of its card.

    python -m tools.train_pose_prior                    # train, or go on from the checkpoint in --work
    python -m tools.train_pose_prior --kind vae         # a variational autoencoder of the same cost, for comparison
    python -m tools.train_pose_prior --report           # only print what the shipped weights reach on held-out clips

One thread; deterministic for a seed and a number of steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from mrs.data import asset_path
from mrs.refine import prior
from tools import prior_report
from tools.pose_augment import Poses, noisy, to_matrix
from tools.pose_vae import Vae

FLOOR_RAD = 0.05
POOL, REDRAW = 60_000, 500


def main() -> None:
    """Train and report."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--kind", choices=("flow", "vae"), default="flow")
    ask.add_argument("--layers", type=int, default=6)
    ask.add_argument("--hidden", type=int, default=48)
    ask.add_argument("--steps", type=int, default=12000)
    ask.add_argument("--batch", type=int, default=512)
    ask.add_argument("--rate", type=float, default=3e-3)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--work", type=Path, default=Path("/tmp/mrs_pose_prior"))
    ask.add_argument("--out", type=Path, default=None, help="where to write; the package's own file for the flow")
    ask.add_argument("--report", action="store_true")
    args = ask.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not args.report:
        out = args.out or (args.work / f"{args.kind}.npz")
        np.savez(out, **train(args))
        print(f"wrote {out}, {out.stat().st_size / 1000:.0f} kB")
    else:
        out = args.out or asset_path(prior.WEIGHTS)
    with np.load(out) as file:
        arrays = {name: file[name].astype(np.float32) for name in file.files}
    prior_report.print_report(Vae(arrays) if args.kind == "vae" else prior.PosePrior(arrays))


def train(args) -> dict[str, np.ndarray]:
    """Train for `args.steps`, saving a checkpoint about every minute; return the arrays to ship (float16)."""
    args.work.mkdir(parents=True, exist_ok=True)
    place = args.work / f"checkpoint_{args.kind}_{args.layers}_{args.hidden}_{args.seed}.pt"
    generator = torch.Generator().manual_seed(args.seed)
    poses = Poses()
    arrays = frontend(poses, generator)
    arrays |= start_flow(args, generator) if args.kind == "flow" else Vae.start(args.hidden, generator)
    model = Vae(arrays) if args.kind == "vae" else prior.PosePrior(arrays)
    learned = {n: v.requires_grad_() for n, v in model.p.items() if n[:2] in ("w_", "v_", "b_", "p_", "q_", "c_")}
    mean = {n: v.detach().clone() for n, v in learned.items()}
    adam = torch.optim.Adam(learned.values(), lr=args.rate, betas=(0.9, 0.99))
    begin = 0
    if place.exists():
        saved = torch.load(place, weights_only=True)
        begin = saved["step"]
        for name, value in learned.items():
            value.data.copy_(saved["learned"][name])
        mean, _ = saved["mean"], adam.load_state_dict(saved["adam"])
        generator.set_state(saved["generator"])
    clock, running = time.monotonic(), None
    for step in range(begin, args.steps):
        if step % REDRAW == 0 or step == begin:
            pool = poses.draw(POOL, generator)
        for part in adam.param_groups:
            part["lr"] = args.rate * min(1, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * step / args.steps))
        model.prepare()
        batch = pool[torch.randint(POOL, (args.batch,), generator=generator)]
        numbers = model.numbers(to_matrix(noisy(batch, generator)))
        loss = model.loss(numbers, generator) if args.kind == "vae" else nll(model, numbers).mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned.values(), 20.0)
        adam.step()
        keep = min(0.999, (step + 1) / (step + 20))
        for name, value in learned.items():
            mean[name].lerp_(value.detach(), 1 - keep)
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if (step + 1) % 500 == 0:
            print(f"{args.kind} step {step + 1} of {args.steps}, loss {running:.2f}, {time.monotonic() - clock:.0f} s", flush=True)
        if (step + 1) % 2000 == 0:
            torch.save({"step": step + 1, "learned": {n: v.detach() for n, v in learned.items()}, "mean": mean,
                        "adam": adam.state_dict(), "generator": generator.get_state()}, place)
    for name, value in learned.items():
        value.data.copy_(mean[name])
    with torch.no_grad():
        model.prepare()
    return finish(model, arrays, poses)


def nll(model: prior.PosePrior, numbers: torch.Tensor) -> torch.Tensor:
    """Negative log likelihood (...) of whitened numbers, without the constant."""
    code, log_scale = model.flow(numbers)
    return 0.5 * (code**2).sum(-1) - log_scale


def frontend(poses: Poses, generator) -> dict[str, np.ndarray]:
    """Mean rotations and the whitening of 40,000 augmented poses; both commute with the mirror."""
    matrices = to_matrix(noisy(poses.draw(40000, generator), generator)).double()
    u, _, vt = torch.linalg.svd(matrices.mean(0))
    mean = evened(u @ vt)
    basis = prior.mirror_basis()
    numbers = prior.mrp(mean.transpose(-1, -2) @ matrices).flatten(1).numpy() @ basis
    centre = np.r_[numbers[:, : prior.EVEN].mean(0), np.zeros(prior.ODD)]
    whiten, unwhiten = np.zeros((69, 69)), np.zeros((69, 69))
    for part in (slice(0, prior.EVEN), slice(prior.EVEN, 69)):
        values, vectors = np.linalg.eigh(np.cov((numbers - centre)[:, part].T))
        size = np.sqrt(np.maximum(values, FLOOR_RAD**2))
        mixed = torch.linalg.qr(torch.randn(len(size), len(size), generator=generator))[0].double().numpy()
        whiten[part, part], unwhiten[part, part] = vectors / size @ mixed, mixed.T @ (vectors * size).T
    (a, b), (c, _) = prior.HALVES
    order = np.r_[:a, prior.EVEN : prior.EVEN + b, a : a + c, prior.EVEN + b : 69]
    whiten, unwhiten = whiten[:, order], unwhiten[order]
    return {"mean": mean.numpy(), "whiten": basis @ whiten, "unwhiten": unwhiten @ basis.T, "offset": centre @ whiten,
            "settled": np.zeros(()), "spread": np.ones(()), "usual_log_scale": np.zeros(())}


FLIP_SIGN = np.diag([-1.0, 1.0, 1.0])


def evened(mean: torch.Tensor) -> torch.Tensor:
    """Mean rotations (23, 3, 3) made mirror-even: each the middle of itself and its mirrored partner."""
    sign = torch.as_tensor(FLIP_SIGN)
    partner = sign @ mean[torch.as_tensor(prior.SMPL_24.flip[1:] - 1)] @ sign
    u, _, vt = torch.linalg.svd(mean + partner)
    return u @ vt


def start_flow(args, generator) -> dict[str, np.ndarray]:
    """Coupling networks that begin as the identity."""
    out, hidden = {}, args.hidden
    for k in range(args.layers):
        (even, odd), (moved_even, moved_odd) = prior.HALVES[k % 2], prior.HALVES[1 - k % 2]
        out[f"w_{k}"] = (torch.randn(even, hidden, generator=generator) / even**0.5).numpy()
        out[f"v_{k}"] = (torch.randn(odd, hidden, generator=generator) / odd**0.5).numpy()
        out[f"b_{k}"] = (0.5 * torch.randn(hidden, generator=generator)).numpy()
        out[f"p_{k}"] = np.zeros((hidden, 2 * moved_even + moved_odd), np.float32)
        out[f"c_{k}"] = np.zeros(2 * moved_even + moved_odd, np.float32)
        out[f"q_{k}"] = np.zeros((hidden, moved_odd), np.float32)
    return out


def finish(model, arrays, poses: Poses) -> dict[str, np.ndarray]:
    """Arrays to ship, with the zero of the energy set: common poses of the corpus lie at or below it."""
    out = dict(arrays) | {name: value.detach().numpy() for name, value in model.p.items()}
    if not isinstance(model, Vae):
        plain = to_matrix(poses.complete(poses.rows(20000, torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2)))
        with torch.no_grad():
            code, log_scale = model.flow(model.numbers(plain))
        nats = 0.5 * (code**2).sum(-1) - log_scale
        out |= {"settled": np.percentile(nats.numpy(), 75), "spread": np.array(4.0), "usual_log_scale": log_scale.median().numpy()}
    exact = ("mean", "whiten", "unwhiten", "offset", "settled", "spread", "usual_log_scale")
    return {n: np.asarray(v, np.float32 if n.startswith(exact) else np.float16) for n, v in out.items()}


if __name__ == "__main__":
    main()
