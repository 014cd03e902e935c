"""What `mrs eval shape-pose` measures: drawn pictures against true ones, beside what needs no network; and what the code knows of posture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mrs.appearance import measures, network, perceptual, personalise, train
from mrs.appearance.clips import ClipPictures
from mrs.appearance.clothes import BODY_PARTS
from mrs.appearance.people import Batch
from mrs.appearance.weights import Weights

MEASURES = {"ssim_box": "SSIM within the person's box", "ssim": "SSIM of the whole square", "psnr_box_db": "PSNR within the box, dB",
            "lpips": "LPIPS 0.1, AlexNet", "fid": "FID, clean-fid's convention", "frechet_standin": "a stand-in for FID, not comparable with it",
            "part_colour": "error of body parts' mean colours, of 255", "flicker": "change from frame to frame that the truth hasn't, of 255"}

COLOURS = "colours-of-looks"


@dataclass
class Judge:
    """Collects measures of one way to draw, over batches of pictures."""

    lpips: perceptual.Lpips | None = None
    features: object = field(default_factory=perceptual.StandIn)
    rows: dict[str, list] = field(default_factory=dict)
    parts: list[dict[str, float]] = field(default_factory=list)
    drawn: list = field(default_factory=list)
    true: list = field(default_factory=list)

    def add(self, drawn: torch.Tensor, batch: Batch) -> None:
        """Take in pictures and the truth beside them."""
        area = area_of(batch)
        self._put("ssim_box", measures.ssim(drawn, batch.picture, area))
        self._put("ssim", measures.ssim(drawn, batch.picture))
        self._put("psnr_box_db", measures.psnr_db(drawn, batch.picture, area))
        if self.lpips is not None:
            self._put("lpips", self.lpips(drawn, batch.picture))
        if batch.parts is not None:
            self._take_parts(measures.part_colour_error(drawn, batch.picture, batch.parts))
        self.drawn.append(self.features(drawn))
        self.true.append(self.features(batch.picture))

    def add_colours(self, batch: Batch) -> None:
        """Take in the colours that the looks' own parts have, wherever they are: as near as a picture in another light can come."""
        self._take_parts(measures.part_colour_error(batch.looks, batch.picture, batch.parts, drawn_parts=batch.looks_parts))

    def _take_parts(self, found: dict[str, float]) -> None:
        self.parts.append(found)
        self._put("part_colour", torch.tensor([found["all"]]))

    def _put(self, name: str, values: torch.Tensor) -> None:
        self.rows.setdefault(name, []).append(values.double().cpu().numpy())

    def told(self) -> dict[str, Any]:
        """Means over all pictures; `parts` has the error of colours by body part, where parts are known."""
        out = {name: float(np.concatenate(values).mean()) for name, values in self.rows.items()}
        if sum(map(len, self.drawn)) > 2:
            out[self.features.name] = perceptual.frechet(np.concatenate(self.drawn), np.concatenate(self.true))
        if self.parts:
            out["parts"] = {name: float(np.mean([row[name] for row in self.parts if name in row])) for name in BODY_PARTS
                            if any(name in row for row in self.parts)}
        return out


def area_of(batch: Batch) -> torch.Tensor:
    """The person's box (B, S, S): of the mask where there is one, else of the joints."""
    if batch.mask is not None and (batch.mask_known is None or bool((batch.mask_known > 0).all())):
        return measures.box_area(batch.mask)
    side = batch.picture.shape[-1]
    at = (torch.arange(side, device=batch.picture.device) + 0.5) / side
    known = batch.joints[..., 2:] > 0.5
    low = torch.where(known, batch.joints[..., :2], torch.inf).amin(1) - 0.06
    high = torch.where(known, batch.joints[..., :2], -torch.inf).amax(1) + 0.06
    inside = [(at[None] >= low[:, axis, None]) & (at[None] <= high[:, axis, None]) for axis in (0, 1)]
    return inside[1][:, :, None] & inside[0][:, None, :]


def mean_picture(source, count: int = 128) -> torch.Tensor:
    """The mean (3, S, S) of a source's pictures."""
    return source.batch(count).picture.mean(0)


def pictures(weights: Weights, learnt, held, count: int, make: Callable[[], Judge], device: str = "cpu", at_once: int = 16) -> dict[str, dict]:
    """Measure on `count` held-out pictures: the network, copying the source of the looks, and the mean picture of `learnt`.

    Where the parts of the looks are known, also the colours that these have there: pictures of a pair are in different light, so that
    nothing that is read off the one can be right in the other.
    """
    recipe = personalise.recipe_of(weights)
    net = weights.net.to(device)
    judges = {name: make() for name in ("shape-pose", "reconstruction", "copy-the-source", "mean-picture")}
    mean = mean_picture(learnt)
    for _ in range(max(-(-count // at_once), 1)):
        batch = held.batch(at_once)
        judges["shape-pose"].add(train.drawn(net, recipe, batch)[0], batch)
        own = Batch(batch.picture, batch.joints, batch.picture, batch.joints, batch.plate, batch.mask, batch.mask_known, batch.parts, batch.parts)
        judges["reconstruction"].add(train.drawn(net, recipe, own)[0], batch)
        judges["copy-the-source"].add(batch.looks, batch)
        judges["mean-picture"].add(mean.expand_as(batch.picture), batch)
        if batch.parts is not None and batch.looks_parts is not None:
            judges.setdefault(COLOURS, make()).add_colours(batch)
    return {name: judge.told() for name, judge in judges.items()}


def clip(weights: Weights, seen: ClipPictures, learn: np.ndarray, held: np.ndarray, make: Callable[[], Judge], device: str = "cpu",
         others: dict[str, np.ndarray] | None = None, looks: int = 16, at_once: int = 16) -> dict[str, dict]:
    """Measure on a clip's held-out frames, the looks being of the others; `others` are squares (N, P, P, 3) of further renderers by name.

    copy-the-source shows a frame of the looks, nearest-frame the frame learnt from that is nearest in time.
    """
    recipe = personalise.recipe_of(weights)
    source = personalise.pictures_of(seen, recipe, device, jitter=0.0)
    bank = personalise.bank(weights, seen.at(learn), looks, device)
    net = weights.net.to(device)
    judges = {name: make() for name in ("shape-pose", "copy-the-source", "nearest-frame", "mean-picture", *(others or {}))}
    mean = source.of(learn).picture.mean(0)
    frames: dict[str, list] = {name: [] for name in (*judges, "truth")}
    sources = learn[np.linspace(0, len(learn) - 1, len(held)).round().astype(int)][::-1]
    for first in range(0, len(held), at_once):
        rows = held[first : first + at_once]
        batch = source.of(rows)
        near = learn[np.abs(seen.rows[learn][None] - seen.rows[rows][:, None]).argmin(1)]
        shown = {"shape-pose": drawn_of(net, recipe, bank, batch, seen.facing[rows]), "copy-the-source": source.of(sources[first : first + at_once]).picture,
                 "nearest-frame": source.of(near).picture, "mean-picture": mean.expand_as(batch.picture)}
        shown |= {name: sized(value[rows], recipe.size_px, device) for name, value in (others or {}).items()}
        for name, picture in shown.items():
            judges[name].add(picture, batch)
            frames[name].append(picture)
        frames["truth"].append(batch.picture)
    table = {name: judge.told() for name, judge in judges.items()}
    return {name: {**row, "flicker": _flicker(frames[name], frames["truth"], seen.rows[held])} for name, row in table.items()}


@torch.no_grad()
def drawn_of(net, recipe, bank: personalise.Bank, batch: Batch, facing: np.ndarray) -> torch.Tensor:
    """Pictures (B, 3, S, S) of a batch's postures with the looks of a bank, over the batch's plates."""
    picture, share = bank.drawn(net, recipe, batch.joints, facing)
    return network.merged(picture, share, batch.plate).clamp(-1, 1)


def sized(squares: np.ndarray, size_px: int, device) -> torch.Tensor:
    """Squares (N, P, P, 3) uint8 as pictures (N, 3, S, S) in -1..1."""
    from torch.nn import functional

    from mrs.appearance import sheets

    whole = sheets.from_bytes(squares, device)
    return functional.interpolate(whole, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False)


def _flicker(drawn: list, truth: list, rows: np.ndarray) -> float:
    """Flicker over frames that follow each other."""
    follow = np.flatnonzero(np.diff(rows) == 1)
    if not len(follow):
        return float("nan")
    a, b = torch.cat(drawn), torch.cat(truth)
    change = 127.5 * ((a[follow + 1] - a[follow]) - (b[follow + 1] - b[follow]))
    return float(change.abs().mean())


@torch.no_grad()
def posture_probe(weights: Weights, source, count: int = 512, device: str = "cpu", at_once: int = 32) -> dict[str, float]:
    """What a ridge regression reads of the posture (joints about their middle) out of the appearance code: R^2 on held-out pictures.

    Anchors: the same with the codes shuffled, and out of the appearance input itself, pixel by pixel.
    """
    recipe, net = personalise.recipe_of(weights), weights.net.to(device)
    codes, raw, postures = [], [], []
    for _ in range(-(-count // at_once)):
        batch = source.batch(at_once)
        looks = train.looks_of(recipe, batch.looks, batch.looks_joints)
        codes.append(torch.cat([z.flatten(1) for z in network.means(net.encode(looks))], 1).cpu().numpy())
        raw.append(torch.nn.functional.adaptive_avg_pool2d(looks, 8).flatten(1).cpu().numpy())
        points = batch.looks_joints[..., :2]
        postures.append((points - points.mean(1, keepdim=True)).flatten(1).cpu().numpy())
    code, pixels, posture = (np.concatenate(v).astype(float) for v in (codes, raw, postures))
    shuffled = code[np.random.default_rng(0).permutation(len(code))]
    return {"code_r2": ridge_r2(code, posture), "shuffled_r2": ridge_r2(shuffled, posture), "input_r2": ridge_r2(pixels, posture)}


def ridge_r2(x: np.ndarray, y: np.ndarray, share: float = 0.75) -> float:
    """R^2 on the last quarter of a ridge regression from x (N, D) to y (N, E) on the rest; its weight is chosen within the rest."""
    first = int(share * len(x))
    inner = int(share * first)
    best = max((_fitted(x[:inner], y[:inner], x[inner:first], y[inner:first], weight), weight) for weight in 10.0 ** np.arange(-3, 5))[1]
    return _fitted(x[:first], y[:first], x[first:], y[first:], best)


def _fitted(x, y, x_new, y_new, weight: float) -> float:
    mean, width, middle = x.mean(0), x.std(0) + 1e-6, y.mean(0)
    a, b = (x - mean) / width, (x_new - mean) / width
    kernel = a @ a.T / a.shape[1]
    guess = b @ a.T / a.shape[1] @ np.linalg.solve(kernel + weight * np.eye(len(a)) / 10, y - middle) + middle
    spread = ((y_new - middle) ** 2).sum()
    return float(1 - ((guess - y_new) ** 2).sum() / spread) if spread else 0.0
