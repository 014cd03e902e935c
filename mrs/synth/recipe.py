"""The recipe of a training: every number that matters, in a file or by default, unknown names refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from mrs import recipes
from mrs.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """Stage 1 is the cVAE, stage 2 the flow (names with flow_).

    Of every `batch`, a share of `rolled` is rolled out, the rest learns code and plan only; `beside` of it is what joints,
    soles, critic and the second encoding see. The encoder is a matrix on `seen` principal components of the differences, or a
    recurrent net where that is 0. `half` computes products in bfloat16 where the machine has instructions for it.
    """

    seed: int = 0
    iterations: int = 3600
    batch: int = 128
    lr: float = 1.5e-3
    latent: int = 128
    seen: int = 128
    width: int = 192
    cell: int = 192
    halflife_s: float = 0.12
    cap_nats: float = 180.0
    gamma: float = 1e-4
    gamma_rate: float = 0.01
    own_start: float = 0.2
    near_start: float = 0.3
    plan_weight: float = 1.0
    plan_place: float = 0.3
    roll_place: float = 0.5
    roll_weight: float = 1.0
    early_share: float = 0.3
    energy_weight: float = 0.5
    joint_weight: float = 2.0
    slide_weight: float = 0.2
    contact_weight: float = 0.1
    probe_weight: float = 1.5
    probe_clamp: float = 0.7
    probe_clamp_late: float = 0.22
    probe_late_from: float = 0.4167
    probe_steps: int = 1
    again_weight: float = 0.05
    critic_weight: float = 0.05
    critic_from: float = 0.25
    critic_lr: float = 4e-4
    rolled: float = 0.4
    beside: float = 0.125
    half: int = 1
    check_every: int = 600
    patience: int = 12
    classifier_iterations: int = 700
    flow_iterations: int = 1200
    flow_blocks: int = 8
    flow_hidden: int = 128
    flow_lr: float = 1e-3
    flow_batch: int = 256


def read(path: Path | None, **given) -> Recipe:
    """Read a YAML or JSON file of names and values; `given` (not None) wins. Refuses unknown names and wrong types."""
    if path is None:
        return make(recipes.set_only(given))
    return make(recipes.read_values(Path(path), given), f"in {path}")


def make(values: dict, where: str = "") -> Recipe:
    """Build a recipe from plain values."""
    known = {f.name: f for f in dataclasses.fields(Recipe)}
    recipes.refuse_unknown(values, known, where)
    checked = {}
    for name, value in values.items():
        kind = type(known[name].default)
        try:
            if isinstance(value, bool) or (kind is int and float(value) != int(float(value))):
                raise ValueError
            checked[name] = kind(float(value))
        except (TypeError, ValueError):
            raise UsageError(f"Expected {name} {where} to be a {'whole number' if kind is int else 'number'}, "
                             f"but got '{value}'.") from None
        if checked[name] < 0:
            raise UsageError(f"Expected {name} {where} to be at least 0, but got {checked[name]}.")
    return Recipe(**checked)
