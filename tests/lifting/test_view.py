"""The encoder's own view: upright, centred, of one size, the same for a person that the camera sees rolled."""

import numpy as np
import torch

from mrs.body.torch_body import axis_angle_to_matrix
from mrs.lifting.points import DEEP, HIPS, POINTS, SHOULDERS
from mrs.lifting.view import INPUTS, Seen, inputs, view_of


def person(frames: int = 20, seed: int = 0) -> tuple[Seen, torch.Tensor]:
    """Points (1, T, P, 3) of someone who sways 4 m away, and what a camera sees of them."""
    dice = torch.Generator().manual_seed(seed)
    body = 0.4 * torch.randn(len(POINTS), 3, generator=dice)
    body[SHOULDERS, 1], body[HIPS, 1] = -0.5, 0.0
    times = torch.arange(frames) / 30.0
    sway = torch.stack([0.3 * torch.sin(3 * times), 0.1 * torch.cos(2 * times), 0 * times + 4], -1)
    return seen_of((body + sway[:, None])[None], times[None])


def seen_of(points: torch.Tensor, times: torch.Tensor) -> tuple[Seen, torch.Tensor]:
    """What a camera at the origin sees."""
    rays = torch.cat([points[..., :2] / points[..., 2:], torch.full_like(points[..., :1], 0.9)], -1)
    deep = points[:, :, : len(DEEP)] - points[:, :, HIPS].mean(2, keepdim=True)
    return Seen(rays, deep, torch.ones(times.shape), times, torch.zeros(*times.shape, 3), torch.ones(1)), points


def test_turns_are_rotations_that_bring_the_torso_upright():
    """R R^T = 1, det 1; the shoulders are above the hips and both about the middle."""
    seen, points = person()
    view = view_of(seen)
    torch.testing.assert_close(view.turn @ view.turn.transpose(-1, -2), torch.eye(3).expand(1, 20, 3, 3), atol=1e-5, rtol=0)
    flat = view.place(points)
    up = flat[:, :, HIPS].mean(2) - flat[:, :, SHOULDERS].mean(2)
    assert (up[..., 1] > 0).all() and (up[..., 0].abs() < 0.3 * up[..., 1]).all()
    assert flat[:, :, SHOULDERS + HIPS].mean(2).norm(dim=-1).max() < 0.3


def test_points_of_the_view_have_size_one():
    """The confidence-weighted root mean square of all places is 1."""
    seen, points = person()
    assert abs(float((view_of(seen).place(points) ** 2).sum(-1).mean()) - 1) < 1e-4


def test_a_rolled_camera_sees_the_same():
    """Turning the camera about its axis by any angle changes no input."""
    seen, points = person()
    for angle in (0.7, 2.0, np.pi):
        roll = axis_angle_to_matrix(torch.tensor([0.0, 0, angle]))
        rolled, _ = seen_of(points @ roll.T, seen.times_s)
        torch.testing.assert_close(inputs(rolled, view_of(rolled)), inputs(seen, view_of(seen)), atol=2e-3, rtol=0)


def test_a_mirror_mirrors():
    """The view of the mirrored person is the mirror image of the view, and mirroring twice is nothing."""
    seen, _ = person()
    turn = torch.diag(torch.tensor([-1.0, 1, 1]))
    torch.testing.assert_close(view_of(seen.mirrored()).turn, turn @ view_of(seen).turn @ turn, atol=1e-5, rtol=0)
    for now, before in zip(vars(seen.mirrored().mirrored()).values(), vars(seen).values(), strict=True):
        torch.testing.assert_close(now, before)


def test_nothing_seen_gives_finite_numbers():
    """Frames, or all of a window, without a point make no NaN."""
    seen, _ = person()
    seen.rays[..., 2] = 0
    numbers = inputs(seen, view_of(seen))
    assert numbers.shape == (1, 20, INPUTS) and torch.isfinite(numbers).all()
