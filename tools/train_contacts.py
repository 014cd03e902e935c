"""Train mrs/data/models/foot_contacts.npz from films of tools/contact_films.py, and print the numbers of its card.

    python -m tools.contact_films /tmp/mrs_contacts train && python -m tools.contact_films /tmp/mrs_contacts test
    python -m tools.train_contacts /tmp/mrs_contacts              # train, report, write --out
    python -m tools.train_contacts /tmp/mrs_contacts --report     # only compare the shipped weights with the rule

One thread, a few minutes; deterministic for a seed.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from mrs.world import contact_net
from tools.corpus import group

NAMES = ("left heel", "left toe", "right heel", "right toe")
BLIND = 0.3


def main() -> None:
    """Train and report."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", type=Path)
    ask.add_argument("--hidden", type=int, nargs=2, default=(32, 24))
    ask.add_argument("--epochs", type=int, default=60)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--out", type=Path, default=None, help="default: FOLDER/foot_contacts.npz")
    ask.add_argument("--report", action="store_true")
    args = ask.parse_args()
    torch.set_num_threads(1)
    if args.report:
        net = contact_net.network()
    else:
        net = train(films(args.folder / "train"), args)
        out = args.out or args.folder / "foot_contacts.npz"
        np.savez(out, **net)
        print(f"wrote {out}, {out.stat().st_size / 1000:.0f} kB")
        net = {name: value.astype(np.float32) for name, value in net.items()}
    report(films(args.folder / "test"), net)


def films(folder: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Every film's action and arrays."""
    out = []
    for path in sorted(folder.glob("*.npz")):
        if not path.name.endswith(".tmp.npz"):
            with np.load(path) as file:
                out.append((group(Path(path.stem[5:])), {name: file[name] for name in file.files}))
    return out


def train(found, args) -> dict[str, np.ndarray]:
    """Fit the network on windows of both sides of every film."""
    generator = torch.Generator().manual_seed(args.seed)
    windows, wanted, held = _windows(found)
    flat = windows.reshape(-1, contact_net.SIZE)
    mean, size = flat.mean(0), flat.std(0).clamp_min(0.02)
    signs = torch.as_tensor(contact_net.odd_signs())
    mean[contact_net.PICTURE], mean[signs < 0] = 0, 0
    taps, features = len(contact_net.TAPS), contact_net.SIZE
    sizes = (taps * features, *args.hidden, 2)
    params = [(torch.randn(a, b, generator=generator) * (2 / a) ** 0.5).requires_grad_() for a, b in pairwise(sizes)]
    params += [torch.zeros(b, requires_grad=True) for b in sizes[1:]]

    def answer(rows, blind):
        seen = windows[rows].clone()
        seen[blind, :, contact_net.PICTURE] = 0
        seen = (seen - mean) / size
        return (_mlp(seen.flatten(1), params) + _mlp((seen.flip(1) * signs).flatten(1), params)) / 2

    adam = torch.optim.AdamW(params, lr=2e-3, weight_decay=0.02)
    use, aside = torch.nonzero(~held)[:, 0], torch.nonzero(held)[:, 0]
    steps = args.epochs * (len(use) // 512)
    best, kept, begin = np.inf, None, time.monotonic()
    for step in range(steps):
        adam.param_groups[0]["lr"] = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
        rows = use[torch.randint(len(use), (512,), generator=generator)]
        out = answer(rows, torch.rand(512, generator=generator) < BLIND)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(out, wanted[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
        if (step + 1) % max(steps // 20, 1) == 0:
            with torch.no_grad():
                out = answer(aside, torch.zeros(len(aside), dtype=bool))
                miss = float(torch.nn.functional.binary_cross_entropy_with_logits(out, wanted[aside]))
                right = float(((out > 0) == (wanted[aside] > 0.5)).float().mean())
            if miss < best:
                best, kept = miss, [p.detach().clone() for p in params]
            print(f"step {step + 1} of {steps}: loss {float(loss):.3f}, kept aside {miss:.3f}, right {100 * right:.1f} %, "
                  f"{time.monotonic() - begin:.0f} s", flush=True)
    names = ("w0", "w1", "w2", "b0", "b1", "b2")
    half = {name: value.numpy().astype(np.float16) for name, value in zip(names, kept, strict=True)}
    return half | {"mean": mean.numpy(), "size": size.numpy()}


def _mlp(x, params):
    for layer in range(3):
        x = x @ params[layer] + params[3 + layer]
        x = torch.relu(x) if layer < 2 else x
    return x


def _windows(found):
    """Windows (N, taps, F), labels (N, 2), and which belong to the films kept aside (every eighth)."""
    windows, wanted, held = [], [], []
    for k, (_, film) in enumerate(found):
        for side, columns in (("left", [0, 1]), ("right", [2, 3])):
            values = film[side]
            rows = np.clip(np.arange(len(values))[:, None] + np.array(contact_net.TAPS), 0, len(values) - 1)
            windows.append(values[rows])
            wanted.append(film["truth"][:, columns])
            held.append(np.full(len(values), k % 8 == 7))
    return (torch.as_tensor(np.concatenate(windows), dtype=torch.float32),
            torch.as_tensor(np.concatenate(wanted), dtype=torch.float32), torch.as_tensor(np.concatenate(held)))


def answers(film: dict[str, np.ndarray], net) -> dict[str, np.ndarray]:
    """Contacts (T, 4), true or false, of the rule, the network, and the network without the picture."""
    times = np.arange(len(film["left"])) / contact_net.GRID_HZ
    out = {"rule": film["rule"] > 0.5}
    for name, blind in (("network", False), ("network, no track", True)):
        sides = [film[side].copy() for side in ("left", "right")]
        for side in sides:
            if blind:
                side[:, contact_net.PICTURE] = 0
        likely = 1 / (1 + np.exp(-np.concatenate([contact_net.logits(net, side) for side in sides], -1)))
        out[name] = contact_net.without_short(likely, times) > 0.5
    return out


def report(found, net) -> None:
    """Print precision, recall and F1 by foot point and by action, and touches claimed in flight."""
    table: dict[str, dict[str, list]] = {}
    for name, film in found:
        for who, said in answers(film, net).items():
            table.setdefault(who, {}).setdefault(name, []).append((said, film["truth"], film["aloft"]))
    for who, actions in table.items():
        rows = [row for action in actions.values() for row in action]
        print(f"\n{who}")
        for k, point in enumerate(NAMES):
            print(f"  {point:12s} {_scores([(said[:, k], true[:, k]) for said, true, _ in rows])}")
        print(f"  {'all':12s} {_scores([(said, true) for said, true, _ in rows])}, {_flight(rows)}")
        for action, rows in sorted(actions.items()):
            print(f"    {action:14s} {_scores([(said, true) for said, true, _ in rows])}, {_flight(rows)}")


def _scores(pairs) -> str:
    said, true = (np.concatenate([np.asarray(p[k]).ravel() for p in pairs]).astype(bool) for k in (0, 1))
    both = (said & true).sum()
    precision, recall = both / max(said.sum(), 1), both / max(true.sum(), 1)
    return f"precision {precision:.3f} recall {recall:.3f} F1 {2 * both / max(said.sum() + true.sum(), 1):.3f}"


def _flight(rows) -> str:
    aloft = np.concatenate([a for _, _, a in rows]).astype(bool)
    said = np.concatenate([s for s, _, _ in rows])
    return f"in {aloft.sum()} frames of flight a touch in {100 * said[aloft].any(-1).mean() if aloft.any() else 0:.0f} %"


if __name__ == "__main__":
    main()
