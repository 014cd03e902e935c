"""Motions side by side."""

import numpy as np

from mrs.report import beside
from tests.synth.puppets import puppet


def test_panels_stand_in_rows_and_move():
    """Three panels in two columns fill a grid of four; a mover's panel changes, one frame's stands still."""
    wave = puppet("wave", 1.0)
    frames = list(beside.render([("wave", wave), ("still", wave.part(0, 1)), ("again", wave)], np.array([0.0, 0.4]), 2))
    width, height = beside.PANEL_PX
    assert all(f.shape == (2 * height, 2 * width, 3) and f.dtype == np.uint8 for f in frames)
    moved = np.abs(frames[1].astype(int) - frames[0]).sum(-1) > 60
    body = slice(0, height - 30)
    assert moved[body, :width].sum() > 500
    assert moved[body, width:].sum() == 0
    assert moved[height : 2 * height - 30, :width].sum() > 500
