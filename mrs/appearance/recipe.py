"""The recipe of a training of the shape-and-posture network: every number that matters, from a file, a name or by default."""

from __future__ import annotations

import dataclasses
import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from mrs import recipes
from mrs.appearance.network import Shape
from mrs.errors import UsageError

CONFIGS = "appearance"


@dataclass(frozen=True)
class Recipe:
    """Names with `regressor` are of the posture regressor, the opponent; `cap_nats` is the information cap.

    looks: parts (ten upright patches) or picture. behaviour: 2021 repeats what BDS released (the regressor sends no gradient
    and is asked at most regressor_clamp, the cap's weight grows additively, deviations are bounded, pixels are shuffled).
    flip: the share of mirrored pictures. checked: how many held-out pictures are measured whenever weights are written.
    """

    behaviour: str = "mrs"
    seed: int = 0
    iterations: int = 20000
    batch: int = 12
    lr: float = 5e-4
    lr_last: float = 0.02
    beta1: float = 0.5
    beta2: float = 0.9
    dropout: float = 0.05
    average: float = 0.999
    size_px: int = 128
    channels: tuple = (24, 40, 80, 136, 136, 136)
    looks: str = "parts"
    parts_px: int = 64
    blocks: int = 2
    encoder_blocks: int = 1
    alpha: bool = True
    stick_px: float = 2.0
    five_points: bool = False
    pair_share: float = 0.5
    flip: float = 0.0
    look_weight: float = 1.0
    mask_weight: float = 0.3
    cap_nats: float = 1000.0
    gamma: float = 1e-6
    gamma_rate: float = 0.01
    regressor_weight: float = 0.05
    regressor_clamp: float = 0.9
    regressor_steps: int = 1
    regressor_lr: float = 1e-3
    checked: int = 64
    vgg: str = ""

    @property
    def published(self) -> bool:
        """Whether to repeat what BDS released."""
        return self.behaviour == "2021"

    def shape(self) -> Shape:
        """The network's arrays."""
        parts = self.looks == "parts"
        return Shape(self.size_px, tuple(self.channels), self.parts_px if parts else self.size_px, 30 if parts else 3,
                     self.blocks, self.encoder_blocks, alpha=self.alpha, subpixel=self.published, bounded=self.published)


def read(config: Path | str | None, **given) -> Recipe:
    """Read a YAML file, or a packaged one by name (see :func:`names`); `given` (not None) wins."""
    if config is None:
        return make(recipes.set_only(given))
    path = packaged(str(config)) if str(config) in names() else Path(config)
    return make(recipes.read_values(path, given, f", or a name out of {', '.join(names())}"), f"in {path}")


def names() -> list[str]:
    """The packaged recipes."""
    return sorted(entry.name[:-5] for entry in _folder().iterdir() if entry.name.endswith(".yaml")) if _folder().is_dir() else []


def packaged(name: str):
    """Where a packaged recipe lies."""
    return _folder() / f"{name}.yaml"


def _folder():
    return importlib.resources.files("mrs.data") / CONFIGS


def make(values: dict, where: str = "") -> Recipe:
    """Build a recipe from plain values; refuse unknown names, wrong types and sizes that don't fit."""
    known = {f.name: f.default for f in dataclasses.fields(Recipe)}
    recipes.refuse_unknown(values, known, where)
    checked = {name: _checked(name, value, type(known[name]), where) for name, value in values.items()}
    recipe = Recipe(**checked)
    _fits(recipe, where)
    return recipe


def _checked(name: str, value, kind: type, where: str):
    try:
        if kind is tuple:
            return tuple(int(v) for v in (value.split(",") if isinstance(value, str) else value))
        if kind is bool:
            return {"true": True, "false": False}[str(value).lower()]
        if kind is str:
            return str(value)
        if isinstance(value, bool) or float(value) < 0 or (kind is int and float(value) != int(float(value))):
            raise ValueError
        return kind(float(value))
    except (TypeError, ValueError, KeyError):
        said = {tuple: "a list of whole numbers", bool: "true or false", int: "a whole number of at least 0"}.get(kind, "a number of at least 0")
        raise UsageError(f"Expected {name} {where} to be {said}, but got '{value}'.") from None


def _fits(recipe: Recipe, where: str) -> None:
    for name, choices in (("behaviour", ("mrs", "2021")), ("looks", ("parts", "picture"))):
        if getattr(recipe, name) not in choices:
            raise UsageError(f"Expected {name} {where} to be {' or '.join(choices)}, but got '{getattr(recipe, name)}'.")
    scales = len(recipe.channels)
    if scales < 3 or recipe.size_px % (1 << (scales - 1)) or recipe.size_px >> (scales - 1) < 2 or min(recipe.channels) < 1:
        raise UsageError(f"Expected size_px {where} to be at least 2 x 2^(scales - 1) for {scales} channels (three or more), "
                         f"but got {recipe.size_px}.")
    first = recipe.shape().first
    if recipe.size_px >> first != recipe.shape().parts_px or first > scales - 2:
        raise UsageError(f"Expected parts_px {where} to be size_px or a half or a quarter of it, but got {recipe.parts_px}.")
