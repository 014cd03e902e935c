"""Fine-tune the shape-and-posture network on one clip, by the clock."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from mrs.appearance import inputs, network, precision, recipe, tone, train
from mrs.appearance.clips import ClipPictures
from mrs.appearance.pictures import Pictures
from mrs.appearance.weights import Weights

LR, BATCH, JITTER, PATIENT, EXTRA = 6e-4, 6, 0.08, 0.995, 0.25


def recipe_of(weights: Weights, **given) -> recipe.Recipe:
    """The recipe that weights were trained by, from their header."""
    return recipe.make({**weights.facts["recipe"], **given}, "in the weights")


def personalise(weights: Weights, seen: ClipPictures, seconds: float, *, extra: ClipPictures | None = None, device: str = "cpu",
                seed: int = 0, lr: float = LR, batch: int = BATCH, iterations: int = 10**9, shown: Callable[[float], None] = lambda share: None) -> Weights:
    """Return the weights after `seconds` (or `iterations`) of training on a clip's pictures.

    The looks come from any frame of the clip, so that one frame can lend them to all. No cap and no opponent: one person's
    looks needn't be compressed, and nothing else is to be drawn. `extra` are pictures to draw but not to take looks from
    (:mod:`mrs.appearance.imagined`), EXTRA of all.
    """
    made = recipe_of(weights, behaviour="mrs", lr=lr, batch=batch, iterations=iterations, pair_share=1.0, regressor_weight=0.0, gamma=1e-8,
                     cap_nats=1e9, average=PATIENT, dropout=0.0, seed=seed)
    source = pictures_of(seen, made, device, seed, extra=extra)
    trainer = train.Trainer(made, source, device, seconds, start=weights.net.state_dict(), half=True)
    start = time.monotonic()
    while trainer.done < 1:
        trainer.step()
        trainer.spent_s = time.monotonic() - start
        shown(min(trainer.done, 1.0))
    shown(1.0)
    facts = {**weights.facts, "personalised": {"seconds": round(trainer.spent_s, 1), "iterations": trainer.iteration, "pictures": len(seen)}}
    return Weights(trainer.averaged.to("cpu").eval(), facts)


def pictures_of(seen: ClipPictures, made: recipe.Recipe, device: str, seed: int = 0, jitter: float = JITTER,
                extra: ClipPictures | None = None) -> Pictures:
    """A clip's pictures as a source; frames that face a rare way are drawn more often, and `extra` pictures EXTRA of the time."""
    shown, share = list(seen.pictures), _rarity(seen.facing)
    share = share / share.sum()
    if extra is not None and len(extra):
        shown += extra.pictures
        share = np.concatenate([(1 - EXTRA) * share, np.full(len(extra), EXTRA / len(extra))])
    return Pictures(len(shown), shown.__getitem__, made.size_px, device, seed, persons=np.zeros(len(shown), int), pair_share=made.pair_share,
                    jitter=jitter, weights=share, lenders=np.arange(len(shown)) < len(seen))


def _rarity(facing: np.ndarray) -> np.ndarray:
    """One over the root of how many frames face about the same way."""
    unit = facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-6)
    near = (unit @ unit.T > math.cos(math.radians(30))).sum(1)
    return 1 / np.sqrt(near)


@dataclasses.dataclass(frozen=True)
class Bank:
    """Codes of one person's looks: latents of K frames, where each faced (K, 2), and what the drawings of these frames lack."""

    latents: list[torch.Tensor]
    facing: np.ndarray
    lacks: tone.Lacks | None = None

    def at(self, facing: np.ndarray) -> list[torch.Tensor]:
        """Latents for frames that face (T, 2): the mean of the bank's, those that face alike weighing most."""
        share = self._shares(facing)
        return [torch.einsum("tk,kchw->tchw", share, z) for z in self.latents]

    def drawn(self, net, made: recipe.Recipe, joints: torch.Tensor, facing: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Pictures (T, 3, S, S) of the person in postures (T, 18, 3) that face (T, 2), and their shares as logits, or None."""
        stick = inputs.stick_figure(joints, made.size_px, made.stick_px).contiguous(memory_format=torch.channels_last)
        with precision.half(str(joints.device)):
            picture, share = net.draw(stick, self.at(facing))
        if self.lacks is not None:
            picture = picture + tone.field(self.lacks.mean(self._shares(facing)), joints, made.size_px)
        return picture, share

    def _shares(self, facing: np.ndarray, sharpness: float = 3.0) -> torch.Tensor:
        """How much each of the bank's frames weighs (T, K)."""
        share = sharpness * (_unit(facing) @ _unit(self.facing).T)
        share = np.exp(share - share.max(1, keepdims=True))
        return torch.as_tensor(share / share.sum(1, keepdims=True), dtype=self.latents[0].dtype, device=self.latents[0].device)


def _unit(facing: np.ndarray) -> np.ndarray:
    return facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 0.3)


@torch.no_grad()
def bank(weights: Weights, seen: ClipPictures, count: int = 16, device: str = "cpu") -> Bank:
    """Encode the looks of `count` frames that are spread over the ways the person faces, and see what their drawings lack."""
    made = recipe_of(weights)
    rows = _spread(seen.facing, count)
    shown = pictures_of(seen, made, device, jitter=0.0).of(rows)
    net = weights.net.to(device)
    latents = network.means(net.encode(train.looks_of(made, shown.picture, shown.joints)))
    looks = Bank(latents, seen.facing[rows])
    picture, share = looks.drawn(net, made, shown.joints, looks.facing)
    person = tone.person_of(share, shown.joints, made.size_px, shown.mask, shown.mask_known)
    drawn = network.merged(picture, share, shown.plate)
    return dataclasses.replace(looks, lacks=tone.lacks(drawn, shown.picture, shown.joints, person))


def _spread(facing: np.ndarray, count: int) -> np.ndarray:
    """Numbers of up to `count` frames: every turn about the vertical has its share, first come first."""
    order = np.argsort(np.arctan2(facing[:, 0], facing[:, 1]), kind="stable")
    return np.sort(order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))])
