"""The roll-out begins where it is told, keeps its velocity, and passes into the plan."""

import numpy as np
import pytest
import torch

from mrs.synth import features, networks
from mrs.synth.features import POSE, SIZE, SPEED, STATE
from tests.synth.puppets import puppet

SHAPE = networks.Shape(latent=6, width=16, cell=16)


@pytest.fixture(scope="module")
def model():
    """An untrained model, whose follower corrects nothing yet."""
    torch.manual_seed(0)
    values = features.to_features(puppet("march")).astype(np.float32)
    return networks.BehaviourNet(SHAPE, {"mean": values.mean(0), "std": values.std(0), "step": np.diff(values, axis=0).std(0)}).eval()


def frames(label, row):
    """A frame of a puppet and the one before, as tensors (1, SIZE)."""
    values = torch.as_tensor(features.to_features(puppet(label)), dtype=torch.float32)
    return values[row : row + 1], values[row - 1 : row]


def test_spring_keeps_place_and_velocity():
    """A short time on, the offset has moved by its velocity; after a second it is gone."""
    off, speed = networks.spring(1.0, 0.02, 1e3)
    assert off == pytest.approx(1.02, abs=1e-4)
    off, speed = 1.0, 0.0
    for _ in range(30):
        off, speed = networks.spring(off, speed, 0.1)
    assert abs(off) < 1e-4


def test_spring_halves_in_its_halflife():
    """At rest, about half of the offset is left after one and a half half-lives and a quarter after two and a half."""
    off, speed, seen = 1.0, 0.0, []
    for _ in range(30):
        off, speed = networks.spring(off, speed, 0.2)
        seen.append(off)
    y = 2 * np.log(2) / 0.2
    times = np.arange(1, 31) / 30
    np.testing.assert_allclose(seen, (1 + y * times) * np.exp(-y * times), atol=1e-9)


def test_spring_matrix_is_the_spring():
    """Several frames at once are the frames one by one, with their pushes."""
    given = np.array([1.0, -0.3, 0.05, 0.0, -0.02])
    found = networks.spring_matrix(0.15, 3) @ given
    off, speed, rows = given[0], given[1], []
    for push in given[2:]:
        off, speed = networks.spring(off, speed, 0.15)
        off, speed = off + push, speed + push
        rows.append(off)
    np.testing.assert_allclose(found, [*rows, speed])


def test_roll_begins_at_the_start(model):
    """Frame 0 is the start, whatever z says, and the first step is about the start's own."""
    start, before = frames("march", 12)
    z = torch.randn(1, 6)
    out = model.roll(model.plan(z), z, start, before)
    assert out.shape == (1, 37, SIZE)
    torch.testing.assert_close(out[:, 0], start)
    own, first = (start - before)[:, POSE], (out[:, 1] - out[:, 0])[:, POSE]
    jump = (first - own).norm()
    assert jump < 0.35 * (model.plan(z)[:, 0] - start)[:, POSE].norm()


def test_untrained_roll_ends_on_the_plan(model):
    """Without corrections, the body is on the plan after a second."""
    start, before = frames("squat", 8)
    z = torch.randn(1, 6)
    plan = model.plan(z)
    out = model.roll(plan, z, start, before)
    torch.testing.assert_close(out[:, -1, STATE], plan[:, -1, STATE], atol=1e-3, rtol=0)


def test_codes_along_a_plan(model):
    """A code for every frame, all the same, is the same as one code."""
    start, before = frames("wave", 4)
    z = torch.randn(1, 6)
    plan = model.plan(z)
    torch.testing.assert_close(model.roll(plan, z[:, None].expand(-1, 37, -1), start, before), model.roll(plan, z, start, before))


def test_encoder_does_not_see_the_posture(model):
    """A window with every posture number shifted has the same code."""
    window = torch.as_tensor(features.to_features(puppet("march"))[None, :37], dtype=torch.float32)
    shifted = window.clone()
    shifted[..., POSE] += 0.3
    for a, b in zip(model.encode(window), model.encode(shifted), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def windows():
    """Windows (n, 37, SIZE) of a puppet that marches and squats."""
    values = [features.to_features(puppet(label)).astype(np.float32) for label in ("march", "squat")]
    return torch.as_tensor(np.concatenate([np.stack([v[at : at + 37] for at in range(len(v) - 36)]) for v in values]))


@pytest.fixture(scope="module")
def linear(windows):
    """A model whose code is a matrix times the differences, begun with these windows."""
    torch.manual_seed(0)
    shape, values = networks.Shape(latent=4, width=16, cell=16, seen=6), windows.flatten(0, 1).numpy()
    model = networks.BehaviourNet(shape, {"mean": values.mean(0), "std": values.std(0), "step": np.diff(values, axis=0).std(0)})
    model.encoder.start(model.steps(windows), torch.ones(SIZE))
    return model.eval()


def test_linear_code_is_linear_and_blind_to_posture(linear, windows):
    """The code of a window half way between two is half way between their codes; shifted postures change nothing."""
    a, b = windows[:1], windows[-1:]
    code = [linear.encode(x)[0] for x in (a, b, (a + b) / 2)]
    torch.testing.assert_close(code[2], (code[0] + code[1]) / 2, atol=1e-3, rtol=0)
    shifted = a.clone()
    shifted[..., POSE] += 0.3
    torch.testing.assert_close(linear.encode(shifted)[0], code[0], atol=1e-3, rtol=0)


def test_linear_code_begins_as_the_largest_components(linear, windows):
    """Over what it began with: mean 0, deviation 1, uncorrelated; and no other four directions hold more of the differences."""
    code = linear.encode(windows)[0].detach()
    torch.testing.assert_close(code.T @ code / len(code), torch.eye(4), atol=1e-2, rtol=0)
    steps = linear.steps(windows).flatten(1)
    steps = steps - steps.mean(0)
    lengths = torch.linalg.svdvals(steps)
    held = (steps.T @ code / len(code)).square().sum()
    torch.testing.assert_close(held, lengths[:4].square().sum() / len(steps), rtol=1e-2, atol=0)


def test_more_components_than_windows_stay_finite(windows):
    """Where there are fewer directions than the encoder may see, the rest is small, not infinite."""
    shape, values = networks.Shape(latent=4, width=16, cell=16, seen=60), windows.flatten(0, 1).numpy()
    model = networks.BehaviourNet(shape, {"mean": values.mean(0), "std": values.std(0), "step": np.diff(values, axis=0).std(0)})
    few = windows[:5].repeat(16, 1, 1)
    model.encoder.start(model.steps(few), torch.ones(SIZE))
    assert torch.isfinite(model.encode(few)[0]).all()


def test_inertialised_copy_joins_both():
    """The copy begins at the start and ends as the source."""
    window = torch.as_tensor(features.to_features(puppet("march"))[None, :38], dtype=torch.float32)
    start, before = frames("wave", 4)
    out = networks.inertialised(window, start, before, 0.1)
    torch.testing.assert_close(out[:, 0], start)
    torch.testing.assert_close(out[:, -1, STATE], window[:, -1, STATE], atol=1e-3, rtol=0)
    torch.testing.assert_close(networks.inertialised(window, window[:, 1], window[:, 0], 0.1)[..., SPEED], window[:, 1:, SPEED],
                               atol=1e-4, rtol=0)


def test_from_the_floor_nobody_is_up_at_once(model):
    """A start whose pelvis is far below the plan's is left slowly; one that is near is left as the plan says."""
    start, _ = frames("march", 12)
    plan = model.plan(torch.randn(1, 6))
    plan[..., 0] = start[:, :1]
    assert networks.eased(plan, start) is plan
    low = start.clone()
    low[:, 0] -= 0.6
    found = networks.eased(plan, low)[0, :, 0] - low[0, 0]
    assert abs(found[0]) < 1e-6 and found[9] < 0.3 and found[-1] > 0.5
    assert (found.diff() > 0).all()
