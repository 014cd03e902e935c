"""Draw a person in a motion by the shape-and-posture network, square by square, into pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from mrs.appearance import crops
from mrs.appearance.clips import facing_of
from mrs.appearance.personalise import Bank, recipe_of
from mrs.appearance.weights import Weights

AT_ONCE = 8


class Drawer:
    """One person's looks and a network, ready to draw."""

    def __init__(self, weights: Weights, looks: Bank, device: str = "cpu"):
        self.recipe, self.looks, self.device = recipe_of(weights), looks, device
        self.net = weights.net.to(device, memory_format=torch.channels_last).eval()

    @torch.no_grad()
    def squares(self, joints: np.ndarray, facing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (T, S, S, 3) uint8 and shares (T, S, S) in 0..1 from joints (T, 18, 3) in 0..1 and facing (T, 2)."""
        points = torch.as_tensor(joints, dtype=torch.float32, device=self.device)
        picture, share = self.looks.drawn(self.net, self.recipe, points, facing)
        rgb = ((picture.permute(0, 2, 3, 1) + 1) * 127.5 + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy()
        if share is None:
            return rgb, np.broadcast_to(_feather(self.recipe.size_px), rgb.shape[:3])
        return rgb, torch.sigmoid(share[:, 0]).cpu().numpy()

    def over(self, motion, camera, behind) -> Iterator[np.ndarray]:
        """Yield a picture for every frame of a motion; `behind(row)` returns one (h, w, 3) to draw on."""
        joints, facing = crops.joints_px(motion, camera), facing_of(motion, camera)
        places = crops.squares(joints, motion.fps)
        for first in range(0, len(motion), AT_ONCE):
            rows = range(first, min(first + AT_ONCE, len(motion)))
            within = np.stack([crops.within(joints[row], places[row]) for row in rows])
            drawn, shares = self.squares(within, facing[rows.start : rows.stop])
            for row, rgb, share in zip(rows, drawn, shares, strict=True):
                picture = behind(row)
                if joints[row, :, 2].any():
                    crops.put(picture, rgb, share, places[row])
                yield picture


def _feather(size_px: int) -> np.ndarray:
    """A share (S, S) that fades over the outer eighth, for a network that draws the background too."""
    away = np.minimum(np.arange(size_px), np.arange(size_px)[::-1]) / (size_px / 8)
    line = np.clip(away, 0, 1)
    return np.minimum(line[:, None], line[None]).astype(np.float32)
