"""Train what the lifter says of contacts anew, on a trunk that stays as it is.

    python -m tools.lifter_feet CORPUS WEIGHTS_PT OUT_SAFETENSORS [--bank BANK] [--windows 3000] [--steps 3000]

In films of the full recipe few bodies stand on their feet: most legs are mixed, bent or wave. Here all of them are clips whose legs
are left alone; features of the trunk are computed once, and two small layers learn from them. Prints precision, recall and F1 on held-out clips.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from mrs.lifting import corpus, measure, train, weights
from mrs.lifting.detections import Detected
from mrs.lifting.dice import Dice
from mrs.lifting.encoder import Encoder
from mrs.lifting.films import Studio
from mrs.lifting.poses import PLAIN, Mix

STANDING = Mix(leg=0, keyed_all=0, keyed=0, bent=0, turned=0, spun=0, calm=1)


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--windows", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=3000)
    args = parser.parse_args()
    net, told = opened(args.weights)
    clips = corpus.load([args.corpus])
    torch.manual_seed(0)
    fresh = Encoder(net.size).contacts
    net.contacts.load_state_dict(fresh.state_dict())
    net.contacts.requires_grad_(True)
    learn(net, *features(net, clips.part(False), args.bank, args.windows, STANDING, 1), args.steps)
    told["contacts_held_out"] = score(net, *features(net, clips.part(True), None, 400, PLAIN, 2))
    print(told["contacts_held_out"])
    weights.save(args.out, net.eval().requires_grad_(False), told)


def opened(path: Path) -> tuple[Encoder, dict]:
    """The network of a training, whose contacts may have another shape."""
    state = train.load(path)
    net = Encoder.of(state["size"])
    found = {name: value.float() for name, value in state["net"].items() if not name.startswith("contacts")}
    net.load_state_dict(found, strict=False)
    return net.eval().requires_grad_(False), {"recipe": state["recipe"], **state["told"]}


@torch.no_grad()
def features(net: Encoder, clips, bank, windows: int, mix: Mix, seed: int):
    """Features (N, width) and contacts (N, 4) of films."""
    studio, dice = Studio(clips), Dice("cpu", seed)
    if bank is not None:
        studio.spoiler.bank = Detected(bank, studio).bank()
    said, true = [], []
    for _ in range(0, windows, 100):
        films = studio.shoot(dice, 100, mix)
        said.append(net.features(measure.numbers_of(films)).flatten(0, 1))
        true.append(films.truth.contacts.flatten(0, 1))
    return torch.cat(said), torch.cat(true)


def learn(net: Encoder, said: torch.Tensor, true: torch.Tensor, steps: int) -> None:
    """Fit the layers by AdamW on random rows."""
    optimiser = torch.optim.AdamW(net.contacts.parameters(), 1e-3, weight_decay=0.05)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    dice = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(len(said), (1024,), generator=dice)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net.contacts(said[rows]), true[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()


@torch.no_grad()
def score(net: Encoder, said: torch.Tensor, true: torch.Tensor) -> dict[str, float]:
    """Precision, recall and F1 of contacts above a half."""
    made, right = net.contacts(said) > 0, true > 0.5
    both = (made & right).sum().item()
    precision, recall = both / max(made.sum().item(), 1), both / max(right.sum().item(), 1)
    return {"precision": round(precision, 3), "recall": round(recall, 3), "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 3)}


if __name__ == "__main__":
    main()
