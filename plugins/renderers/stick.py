"""The renderer `stick`."""

from __future__ import annotations

import numpy as np

import mrs


class StickRenderer:
    """Draw the person's bones, right limbs dark, before the clip's background or plain ground."""

    name = "stick"

    class Options:
        background: str = mrs.option("clip", "What is behind: the clip's own where its camera looks, or plain ground.",
                                     choices=("clip", "plain"))
        width: float = mrs.option(0.012, "Width of a bone, as a share of the picture's height.", min=0.001, max=0.1)

    def render(self, motion, appearance, camera, size_px):
        """Yield one RGB frame (h, w, 3) for each frame of the motion."""
        from mrs.render.backdrop import Backdrop
        from mrs.report import paint

        plain = appearance.without_background() if self.options.background == "plain" else appearance
        behind = Backdrop(plain, camera, size_px)
        light = paint.person_colour(1)
        dark = tuple(int(value * 0.5) for value in light)
        for row in range(len(motion)):
            rgb, now = behind.at(row), camera.at(row)
            pixels = paint.to_pixels(now.to_camera(motion.joints_m[row]), now.K)
            paint.paint_skeleton(rgb, pixels, light, self.options.width * size_px[1], dark)
            _head(rgb, pixels, light, self.options.width * size_px[1])
            yield rgb


def _head(rgb: np.ndarray, pixels: np.ndarray, colour, width_px: float) -> None:
    import cv2

    neck, head = pixels[12], pixels[15]
    if np.isfinite([neck, head]).all() and np.abs(head).max() < 4 * max(rgb.shape):
        radius = max(0.75 * np.linalg.norm(head - neck), width_px)
        cv2.circle(rgb, [round(v * 8) for v in (head + 0.5 * (head - neck)).tolist()], round(radius * 8), colour, -1, cv2.LINE_AA, 3)


@mrs.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(StickRenderer)
