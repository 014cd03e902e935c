"""How near a drawn picture is to the true one. Pictures are torch batches (B, 3, S, S) in -1..1; every measure is one number a picture."""

from __future__ import annotations

import torch
from torch.nn import functional

from mrs.appearance.clothes import BODY_PARTS


def ssim_map(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """SSIM (B, S, S) of Wang et al. (2004): Gaussian window of 11 pixels and sigma 1.5, mean of the channels, data range 1."""
    at = torch.arange(11, device=x.device, dtype=x.dtype) - 5
    line = torch.exp(-(at**2) / 4.5)
    line = line / line.sum()
    channels = x.shape[1]

    def blur(v):
        v = functional.pad(v, (5, 5, 5, 5), mode="reflect")
        v = functional.conv2d(v, line.view(1, 1, 1, 11).expand(channels, 1, 1, 11), groups=channels)
        return functional.conv2d(v, line.view(1, 1, 11, 1).expand(channels, 1, 11, 1), groups=channels)

    x, y = (x.clamp(-1, 1) + 1) / 2, (y.clamp(-1, 1) + 1) / 2
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    found = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4))
    return found.mean(1)


def within(rows: torch.Tensor, area: torch.Tensor | None) -> torch.Tensor:
    """Mean (B,) of a map (B, S, S) over an area of the same shape; over everything without one."""
    if area is None:
        return rows.flatten(1).mean(1)
    area = area.to(rows.dtype)
    return (rows * area).flatten(1).sum(1) / area.flatten(1).sum(1).clamp_min(1e-6)


def ssim(x, y, area=None) -> torch.Tensor:
    """Mean SSIM (B,) within an area (B, S, S)."""
    return within(ssim_map(x, y), area)


def psnr_db(x, y, area=None) -> torch.Tensor:
    """Peak signal-to-noise ratio (B,) in decibels for pictures in 0..1, within an area."""
    square = ((x.clamp(-1, 1) - y.clamp(-1, 1)) / 2).square().mean(1)
    return -10 * torch.log10(within(square, area).clamp_min(1e-10))


def box_area(mask: torch.Tensor, margin: float = 0.05) -> torch.Tensor:
    """The box (B, S, S) around a mask (B, 1, S, S), `margin` of the picture wider on every side."""
    side = mask.shape[-1]
    rim = round(margin * side)
    on = mask[:, 0] > 0.5
    spans = []
    for axis in (1, 2):
        row = on.any(axis).float()[:, None]
        row = functional.max_pool1d(row, 2 * rim + 1, 1, rim)[:, 0] if rim else row[:, 0]
        spans.append((row.cumsum(1) > 0) & (row.flip(1).cumsum(1).flip(1) > 0))
    return spans[1][:, :, None] & spans[0][:, None, :]


def part_colour_error(drawn: torch.Tensor, truth: torch.Tensor, parts: torch.Tensor, least_px: int = 20,
                      drawn_parts: torch.Tensor | None = None) -> dict[str, float]:
    """Mean distance (of 255) between a part's mean colours in the drawn and the true picture, by part, and of all as `all`.

    parts (B, S, S) numbers BODY_PARTS, -1 elsewhere; `drawn_parts` is where they are in the drawn picture, without the same. A part of
    fewer pixels in a picture is left out there.
    """
    found, every = {}, []
    for number, name in enumerate(BODY_PARTS):
        areas = [(p == number).float() for p in ((parts if drawn_parts is None else drawn_parts), parts)]
        shown = (areas[0].flatten(1).sum(1) >= least_px) & (areas[1].flatten(1).sum(1) >= least_px)
        if not bool(shown.any()):
            continue
        mean = [(127.5 * v.clamp(-1, 1) * area[:, None]).flatten(2).sum(2) / area.flatten(1).sum(1).clamp_min(1)[:, None]
                for v, area in zip((drawn, truth), areas, strict=True)]
        away = (mean[0] - mean[1]).abs().mean(1)[shown]
        every.append(away)
        found[name] = float(away.mean())
    return {**found, "all": float(torch.cat(every).mean()) if every else float("nan")}


def flicker(drawn: torch.Tensor, truth: torch.Tensor | None = None) -> float:
    """Mean change (of 255) of pixels from frame to frame that the truth doesn't have: |change drawn - change true|.

    Consecutive frames (T, 3, S, S); without a truth, the changes themselves.
    """
    change = 127.5 * (drawn[1:] - drawn[:-1])
    return float((change if truth is None else change - 127.5 * (truth[1:] - truth[:-1])).abs().mean())
