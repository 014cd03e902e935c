"""Adaptive starts learn where beginning pays."""

import numpy as np
import pytest

from mrs.rl import starts


def test_weights_move_to_where_returns_are_high():
    """Rows of the first half give 1, the others 0: after some batches nearly all starts are in the first half, none is impossible."""
    chosen = starts.AdaptiveStarts(40, 12, batch=200)
    rng = np.random.default_rng(0)
    for _ in range(60):
        rows, _, drawn = chosen.draw(rng, 200)
        chosen.learn(drawn, (rows < 20).astype(float))
    rows = chosen.draw(rng, 2000)[0]
    assert (rows < 20).mean() > 0.9
    assert chosen.chances.min() > 0.004 and chosen.chances.sum() == pytest.approx(1)


def test_means_move_to_offsets_that_pay():
    """Where the return grows with one coordinate of the offset, its mean rises, and others stay near zero."""
    chosen = starts.AdaptiveStarts(10, 8, components=2, batch=200)
    rng = np.random.default_rng(1)
    for _ in range(200):
        _, offsets, drawn = chosen.draw(rng, 200)
        chosen.learn(drawn, offsets[:, 4])
    assert (chosen.mean[:, 4] > 0.05).all()
    assert np.abs(np.delete(chosen.mean, 4, 1)).mean() < 0.02


def test_state_comes_back():
    """What was learned survives a checkpoint."""
    first, second = (starts.AdaptiveStarts(40, 12, batch=50) for _ in range(2))
    _, _, drawn = first.draw(np.random.default_rng(0), 50)
    first.learn(drawn, np.arange(50.0))
    second.restore(first.state())
    assert second.chances == pytest.approx(first.chances) and (second.mean == first.mean).all()


def test_displacing_turns_and_keeps_the_place():
    """An offset of 0.1 rad turns its ball by that, heights move, the place on the floor does not."""
    qpos = np.zeros((1, 11))
    qpos[0, 3] = qpos[0, 7] = 1
    offsets = np.zeros((1, 18))
    offsets[0, [0, 1, 2, 7]] = [1, 1, 0.02, 0.1]
    offsets[0, 9] = 3.0
    moved, qvel = starts.displaced(qpos, np.zeros((1, 9)), offsets)
    assert moved[0, :3] == pytest.approx([0, 0, 0.02])
    assert moved[0, 7:] == pytest.approx([np.cos(0.05), 0, np.sin(0.05), 0])
    assert qvel[0, 0] == 3.0
