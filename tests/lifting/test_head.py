import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.lifting.head import KEYS, HeadDecoder, IterativeHead, sizes_of, state_of_hmr, to_spin_sixd, usual_mean


def reference(phi, weights, biases, mean, relu=True):
    """HMR's three steps as the paper writes them, in NumPy: order camera, pose, betas; matrices (in, out)."""
    theta = np.tile(mean, (len(phi), 1))
    act = (lambda x: np.maximum(x, 0)) if relu else (lambda x: x)
    for _ in range(3):
        x = np.concatenate([phi, theta], 1)
        for layer in range(2):
            x = act(x @ weights[layer] + biases[layer])
        theta = theta + x @ weights[2] + biases[2]
    return theta


def published(rng, code=16, hidden=8, size=85):
    sizes = [(code + size, hidden), (hidden, hidden), (hidden, size)]
    return [rng.normal(size=s) / 10 for s in sizes], [rng.normal(size=s[1]) / 10 for s in sizes], rng.normal(size=size)


@pytest.mark.parametrize("relu", [True, False])
def test_the_head_does_what_the_paper_writes(relu):
    rng = np.random.default_rng(0)
    weights, biases, mean = published(rng)
    head = IterativeHead(16, hidden=8, relu=relu).double().eval()
    head.load_state_dict({name: value.double() for name, value in state_of_hmr(weights, biases, mean).items()})
    phi = rng.normal(size=(5, 16))
    got = head.theta(torch.from_numpy(phi)).detach().numpy()
    assert np.abs(got - reference(phi, weights, biases, mean, relu)).max() < 1e-6


def test_numbers_come_as_camera_pose_betas_with_any_leading_axes():
    camera, pose, betas = IterativeHead(16, hidden=8)(torch.zeros(2, 5, 16))
    assert (camera.shape, pose.shape, betas.shape) == ((2, 5, 3), (2, 5, 72), (2, 5, 10))
    assert IterativeHead(16, hidden=8).theta(torch.zeros(16)).shape == (85,)


def test_a_head_that_learnt_nothing_says_the_mean():
    mean = np.arange(85.0)
    head = IterativeHead(16, hidden=8, mean=mean)
    for layer in (head.decpose, head.decshape, head.deccam):
        torch.nn.init.zeros_(layer.weight)
    assert np.array_equal(head.theta(torch.ones(3, 16)).detach().numpy(), np.tile(mean, (3, 1)))


@pytest.mark.parametrize("size", [72, 144])
def test_the_usual_mean_stands_upright_before_a_camera_whose_y_points_down(size):
    head = IterativeHead(16, size, hidden=8)
    turned = head.rotations(head.init_pose)[0].numpy()
    assert np.abs(turned[0] - np.diag([1, -1, -1])).max() < 1e-6
    assert np.abs(turned[1:] - np.eye(3)).max() < 1e-6
    assert usual_mean(size)[:3].tolist() == [0.9, 0, 0]


def test_spins_6d_is_two_columns_row_by_row():
    turns = rotations.axis_angle_to_matrix(np.random.default_rng(1).normal(size=(4, 24, 3)))
    spin = to_spin_sixd(turns)
    assert spin[0, 0].tolist() == [turns[0, 0, 0, 0], turns[0, 0, 0, 1], turns[0, 0, 1, 0], turns[0, 0, 1, 1], turns[0, 0, 2, 0],
                                   turns[0, 0, 2, 1]]
    head = IterativeHead(16, 144, hidden=8)
    back = head.rotations(torch.from_numpy(spin).flatten(-2))
    assert np.abs(back.numpy() - turns).max() < 1e-9


def test_names_and_shapes_are_those_of_spins_checkpoints():
    head = IterativeHead(2048, 144)
    state = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    assert set(state) == set(KEYS)
    assert state["fc1.weight"] == (1024, 2048 + 144 + 13)
    assert (state["decpose.weight"], state["decshape.weight"], state["deccam.weight"]) == ((144, 1024), (10, 1024), (3, 1024))
    assert (state["init_pose"], state["init_shape"], state["init_cam"]) == ((1, 144), (1, 10), (1, 3))
    assert sizes_of(head.state_dict()) == (2048, 144, 1024)


def test_a_mean_of_another_length_is_refused():
    with pytest.raises(ValueError, match="85 numbers"):
        IterativeHead(16, mean=np.zeros(84))


@pytest.mark.parametrize("root", [True, False])
def test_the_decoder_is_frozen_but_lets_gradients_through_to_codes(root):
    decoder = HeadDecoder(IterativeHead(16, hidden=8), root)
    code = torch.randn(3, 16, requires_grad=True)
    turned = decoder.decode(code)
    assert turned.shape == (3, 24 if root else 23, 3, 3)
    weight = torch.randn(3, turned.shape[1], 3, 3)
    (decoder.decode(code) * weight).sum().backward()
    assert code.grad.abs().min() > 0
    assert not any(p.requires_grad for p in decoder.head.parameters())
    assert torch.equal(decoder.decode(code), decoder.decode(code))
