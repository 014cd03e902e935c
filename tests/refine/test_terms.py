"""Each term of the objective: its value by hand, its gradient by finite differences, and no frame rate in it."""

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.refine import terms
from mrs.refine.sfv import frame_steps
from mrs.refine.solver import difference_weights
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from mrs.world.ground import sole_points
from tests.body.poses import random_quats
from tests.walker import walker


def double(values):
    """A float64 tensor."""
    return torch.as_tensor(np.asarray(values, float))


def some(*shape, seed=0, scale=1.0):
    """Random numbers as a float64 tensor with a gradient."""
    return double(scale * np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def one_joint(name, axis, degrees):
    """Local rotations (1, 24, 4), none but one joint's turn about X, Y or Z."""
    out = np.tile([1.0, 0, 0, 0], (1, 24, 1))
    out[0, SMPL_24.index(name)] = rotations.axis_angle_to_quat(np.radians(degrees) * np.eye(3)["xyz".index(axis)])
    return out


def limits(turned, step, scale=0.1):
    """The limits term of global rotations (T, 24, 3, 3)."""
    return terms.limits(turned, turned[:, SMPL_PARENTS[1:]], step, scale=scale)


def limits_of_pose(quats):
    """The limits term of local rotations (T, 24, 4), at 30 frames a second."""
    return float(limits(double(load_body().global_rotations(quats)), double(np.ones(len(quats)))))


STEP4 = double([1.0, 1.0, 2.0, 0.5])
UNEVEN = double([0.0, 0.03, 0.07, 0.09, 0.14, 0.17])
BETWEEN = UNEVEN[1:] - UNEVEN[:-1]
INVERSE, MIDDLES = difference_weights(BETWEEN)
STEP6 = double(frame_steps(UNEVEN.numpy()))
ONE = double([1.0])


class TestLosses:
    """The robust losses, from squares."""

    def test_geman_mcclure_is_quadratic_and_then_flat(self):
        """r^2 near zero, half of rho^2 at rho, rho^2 far out."""
        found = terms.geman_mcclure(double([0, 1e-6, 9, 1e12]), 3.0)
        np.testing.assert_allclose(found, [0, 1e-6, 4.5, 9], rtol=1e-5)

    def test_cauchy_is_a_logarithm(self):
        """log(1 + r^2)."""
        np.testing.assert_allclose(terms.cauchy(double([0, np.e - 1, 99])), [0, 1, np.log(100)])

    @pytest.mark.parametrize("knee", [1.0, 3.0])
    def test_huber_is_quadratic_and_then_linear(self, knee):
        """r^2 to the knee, then 2 knee r - knee^2: at three knees 5 knee^2."""
        r = knee * np.array([0, 0.5, 1, 3])
        np.testing.assert_allclose(terms.huber(double(r**2), knee), knee**2 * np.array([0, 0.25, 1, 5]))

    def test_huber_has_a_finite_gradient_everywhere(self):
        """At zero, at the knee and beyond: d huber / d r^2 is min(1, knee / r)."""
        square = double([0.0, 0.25, 1.0, 16.0]).requires_grad_()
        terms.huber(square).sum().backward()
        np.testing.assert_allclose(square.grad, [1, 1, 1, 0.25])


class TestValues:
    """Examples worked by hand."""

    def test_reprojection(self):
        """One point 5 px off (3, 4) at height 100 px and scale 0.05 is one scale off: GM(1, 2) = 4 / 5, by weight and step."""
        found = terms.reprojection(double([[[3.0, 4]]]), double([[[0.0, 0]]]), double([[0.5]]), double([100.0]),
                                   double([2.0]), scale=0.05, rho=2.0)
        assert float(found) == pytest.approx(2 * 0.5 * 0.8)

    def test_reprojection_without_rho_never_lets_go(self):
        """With Huber the pull of a point a thousand scales off is as strong as at the knee."""
        def pull(pixels):
            at = double([[[float(pixels), 0.0]]]).requires_grad_()
            value = terms.reprojection(at, double([[[0.0, 0]]]), double([[1.0]]), double([100.0]), ONE, scale=0.01, rho=None)
            return float(torch.autograd.grad(value, at)[0][0, 0, 0])

        assert pull(1000) == pytest.approx(pull(terms.KNEE)) and pull(1000) > 0

    def test_reprojection_does_not_depend_on_the_picture_s_size(self):
        """Twice the pixels, the same value."""
        seen, there = some(3, 5, 2, seed=1).detach(), some(3, 5, 2, seed=2).detach()
        values = [terms.reprojection(k * 50 * seen, k * 50 * there, double(np.ones((3, 5))), k * double([200.0, 210, 220]),
                                     double(np.ones(3)), scale=0.02, rho=8.0) for k in (1, 2)]
        assert float(values[0]) == pytest.approx(float(values[1]))

    @pytest.mark.parametrize("degrees", [0, 10, 90, 180])
    def test_pose_pull(self, degrees):
        """One joint turned by theta: w log(1 + 4 sin^2(theta / 2) / scale^2)."""
        initial = double(np.eye(3)).expand(1, 24, 3, 3)
        found = terms.pose_pull(double(rotations.quat_to_matrix(one_joint("left_knee", "x", degrees))), initial, double(np.full((1, 24), 0.7)),
                                double([2.0]), scale_rad=0.5)
        expected = 2 * 0.7 * np.log(1 + 4 * np.sin(np.radians(degrees) / 2) ** 2 / 0.25)
        assert float(found) == pytest.approx(expected)

    def test_acceleration(self):
        """(0.6, 0.8, 0) m/s^2 at scale 2 is half a scale: 0.25; (0, 0, 8) is four: 2 * 4 - 1 = 7; each by its step."""
        found = terms.acceleration(double([[[0.6, 0.8, 0]], [[0, 0, 8.0]]]), STEP4, scale_m_s2=2.0)
        assert float(found) == pytest.approx(1 * 0.25 + 2 * 7)

    def test_jerk(self):
        """Accelerations that differ by 3 m/s^2 over 0.1 s at scale 60 m/s^3: half a scale, 0.25."""
        found = terms.jerk(double([[[0.0, 0, 0]], [[0, 3.0, 0]]]), double([0.1]), STEP4, scale_m_s3=60.0)
        assert float(found) == pytest.approx(0.25)

    def test_spin_of_constant_angular_acceleration(self):
        """theta = a t^2 / 2 about one axis near theta = 0: |R''| / sqrt 2 = a, so a / scale squared."""
        times = np.array([-0.01, 0, 0.01])
        turned = double(rotations.axis_angle_to_matrix((0.5 * 4.0 * times**2)[:, None, None] * [0, 0, 1.0]))
        inverse, _ = difference_weights(double(np.diff(times)))
        found = terms.spin(turned, inverse, double([1.0, 1, 1]), scale_rad_s2=10.0)
        assert float(found) == pytest.approx(0.16, rel=1e-3)

    def test_shape_prior(self):
        """(0.3, -0.4) off at scale 0.5: 1; and 1 cm taller by it at scale 5 mm: 4."""
        found = [terms.shape_prior(double([1.3, 0.6]), double([1.0, 1.0]), double(taller), scale=0.5, stature_m=0.005) for taller in ([0, 0], [0.02, -0.01])]
        assert [float(f) for f in found] == pytest.approx([1, 5])

    def test_contact_velocity(self):
        """One sole moves 1 cm in 0.1 s = 0.1 m/s at scale 0.05: 4, by how far it is held to stand."""
        soles = np.zeros((2, 4, 3))
        soles[1, 2, 0] = 0.01
        found = terms.contact_velocity(double(soles), double([[1, 1, 0.3, 1]]), double([0.1]), double([1.0, 2.0]), scale_m_s=0.05)
        assert float(found) == pytest.approx(2 * 0.3 * 4)

    def test_contact_velocity_of_a_foot_in_the_air_is_free(self):
        """Without contact nothing is paid."""
        assert float(terms.contact_velocity(some(5, 4, 3).detach(), double(np.zeros((4, 4))), double(np.ones(4)), double(np.ones(5)),
                                            scale_m_s=0.1)) == 0

    def test_contact_height(self):
        """A touching sole 2 cm above the ground at scale 2 cm: GM(1, 2) = 0.8 by its contact."""
        soles = np.zeros((1, 4, 3))
        soles[0, 0, 1] = 0.52
        soles[0, 1:, 1] = 0.5
        found = terms.contact_height(double(soles), double([[0.5, 1, 1, 1]]), double(0.5), double([2.0]), scale_m=0.02, rho=2.0)
        assert float(found) == pytest.approx(2 * 0.5 * 0.8)

    def test_contact_height_lets_a_roof_be(self):
        """Standing 3 m up costs rho^2 and no more, and hardly pulls."""
        soles = double(np.full((1, 4, 3), 3.0)).requires_grad_()
        found = terms.contact_height(soles, double(np.ones((1, 4))), double(0.0), ONE, scale_m=0.02, rho=5.0)
        found.backward()
        assert float(found.detach()) == pytest.approx(4 * 25, rel=0.01) and float(soles.grad.abs().max()) < 0.1

    def test_flesh_lies_on_the_ground_and_not_in_it(self):
        """A pelvis at ground height is as deep as its flesh is thick; joints above their flesh cost nothing."""
        joints = np.full((1, 24, 3), 1.0)
        soles = np.full((1, 4, 3), 0.5)
        assert float(terms.penetration(double(soles), double(0.0), double([1.0]), scale_m=0.03, joints=double(joints))) == 0
        joints[0, 0, 1] = 0.0
        value = terms.penetration(double(soles), double(0.0), double([0.5]), scale_m=0.03, joints=double(joints))
        assert float(value) == pytest.approx(0.5 * (terms.FLESH_M["pelvis"] / 0.03) ** 2)

    def test_penetration(self):
        """2 cm below the ground at scale 1 cm: 4; above it: 0."""
        soles = np.ones((1, 4, 3))
        soles[0, 3, 1] = -0.02
        assert float(terms.penetration(double(soles), double(0.0), double([0.5]), scale_m=0.01)) == pytest.approx(0.5 * 4)


class TestLimits:
    """Joints bend the way people's do."""

    @staticmethod
    def paid(name, axis, degrees):
        return limits_of_pose(one_joint(name, axis, degrees))

    @pytest.mark.parametrize(("name", "axis", "degrees"), [
        ("left_knee", "x", 120), ("right_knee", "x", 120), ("left_elbow", "y", -130), ("right_elbow", "y", 130),
        ("left_hip", "x", -100), ("left_shoulder", "z", -80), ("right_shoulder", "z", 80), ("pelvis", "y", 180),
        ("spine2", "x", 30), ("neck", "y", 40), ("left_ankle", "x", -40), ("left_wrist", "z", 60)])
    def test_what_people_do_is_free(self, name, axis, degrees):
        """Bent knees and elbows, raised legs and arms, a turned body cost nothing."""
        assert self.paid(name, axis, degrees) == 0

    @pytest.mark.parametrize(("name", "axis", "degrees"), [
        ("left_knee", "x", -40), ("right_knee", "x", -40), ("left_elbow", "y", 40), ("right_elbow", "y", -40),
        ("left_knee", "z", 40), ("left_elbow", "z", 50), ("spine1", "x", 80), ("neck", "y", 110), ("right_ankle", "x", 120),
        ("left_wrist", "z", 130)])
    def test_what_people_can_not_do_is_paid_for(self, name, axis, degrees):
        """Knees and elbows backwards or sideways and joints beyond their range cost; more so the farther."""
        less = self.paid(name, axis, degrees)
        assert less > 1 and self.paid(name, axis, 1.2 * degrees) > less

    def test_sides_mirror_each_other(self):
        """The mirrored pose costs the same."""
        quats = rotations.axis_angle_to_quat(np.random.default_rng(0).normal(size=(4, 24, 3)))
        there, back = limits_of_pose(quats), limits_of_pose(quats[:, SMPL_24.flip] * [1, 1, -1, -1])
        assert there > 1 and there == pytest.approx(back)

    @pytest.mark.parametrize("heading", [[1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0, 0, 1, 0]])
    def test_heading_does_not_matter(self, heading):
        """Limits are in the parent's frame: the same pose costs the same upright, lying or turned."""
        quats = rotations.axis_angle_to_quat(np.random.default_rng(0).normal(size=(1, 24, 3)))
        quats[0, 0] = [1, 0, 0, 0]
        upright = limits_of_pose(quats)
        quats[0, 0] = heading
        assert limits_of_pose(quats) == pytest.approx(upright)

    def test_every_joint_has_a_range_in_order(self):
        """RANGE_DEG lists SMPL's joints in SMPL's order, the same for both sides."""
        assert tuple(terms.RANGE_DEG) == SMPL_24.names
        for name, value in terms.RANGE_DEG.items():
            assert terms.RANGE_DEG[SMPL_24.names[SMPL_24.flip[SMPL_24.index(name)]]] == value

    def test_the_walker_walks_freely(self):
        """Walking breaks no limit."""
        motion = walker(np.arange(0, 1.1, 1 / 30))[0]
        assert limits_of_pose(motion.local_quat_wxyz) < 0.5


def matrices(frames, seed=0):
    """Global rotations (T, 24, 3, 3) with a gradient."""
    return double(rotations.quat_to_matrix(random_quats(frames, seed, wild=True))).requires_grad_()


GRADIENTS = {
    "reprojection": (lambda a: terms.reprojection(a, double(np.ones((4, 5, 2))), some(4, 5, seed=9).detach().abs(),
                                                  double([90.0, 100, 110, 120]), STEP4, scale=0.01, rho=3.0), (some(4, 5, 2),)),
    "reprojection, huber": (lambda a: terms.reprojection(a, double(np.zeros((4, 5, 2))), double(np.ones((4, 5))),
                                                         double([90.0, 100, 110, 120]), STEP4, scale=0.01, rho=None),
                            (some(4, 5, 2, scale=3),)),
    "pose_pull": (lambda r: terms.pose_pull(r, matrices(2, 1).detach(), double(np.full((2, 24), 0.4)), double([1.0, 0.5]),
                                               scale_rad=0.3), (matrices(2),)),
    "acceleration": (lambda p: terms.acceleration(terms.second_difference(p, INVERSE), STEP6, scale_m_s2=700.0), (some(6, 3, 3),)),
    "jerk": (lambda p: terms.jerk(terms.second_difference(p, INVERSE), MIDDLES, STEP6, scale_m_s3=4e4), (some(6, 3, 3),)),
    "spin": (lambda r: terms.spin(r, INVERSE, STEP6, scale_rad_s2=700.0), (matrices(6)[:, :3].detach().requires_grad_(),)),
    "second_difference": (lambda p: terms.second_difference(p, INVERSE), (some(6, 3, 3),)),
    "limits": (lambda r: limits(r, double([1.0, 0.5])), (matrices(2),)),
    "shape_prior": (lambda b: terms.shape_prior(b, double(np.ones(10)), some(10, seed=3).detach(), scale=0.5, stature_m=0.7), (some(10),)),
    "contact_velocity": (lambda p: terms.contact_velocity(p, some(5, 4, seed=3).detach().abs(), BETWEEN, STEP6, scale_m_s=20.0),
                         (some(6, 4, 3),)),
    "contact_height": (lambda p: terms.contact_height(p, some(6, 4, seed=3).detach().abs(), double(0.1), STEP6, scale_m=0.5,
                                                      rho=2.0), (some(6, 4, 3),)),
    "penetration": (lambda p: terms.penetration(p, double(0.1), STEP6, scale_m=0.5), (some(6, 4, 3),)),
    "ballistic": (lambda p: terms.ballistic(terms.second_difference(p[:, None], INVERSE)[:, 0], some(6, seed=3).detach().abs(),
                                            double([0.0, 1, 0]), STEP6, scale_m_s2=700.0), (some(6, 3),)),
    "root_pull": (lambda p: terms.root_pull(p, some(6, 3, seed=4).detach(), some(6, seed=3).detach().abs(), STEP6, scale_m=0.7),
                  (some(6, 3),)),
}


def test_free_fall_costs_nothing():
    """A centre of mass on a parabola of gravity has no ballistic cost, at any frame rate; at rest it costs (g / scale)^2 a frame."""
    times = double(np.cumsum([0.1, 0.03, 0.05, 0.02, 0.04, 0.05]))
    inverse, _ = difference_weights(times[1:] - times[:-1])
    fall = torch.stack([1.5 * times, 2 * times - 4.905 * times**2, 0 * times], -1)
    ones, up = double(np.ones(6)), double([0.0, 1, 0])

    def cost(points):
        return float(terms.ballistic(terms.second_difference(points[:, None], inverse)[:, 0], ones, up, ones, scale_m_s2=9.81))

    assert cost(fall) < 1e-9
    assert cost(0 * fall) == pytest.approx(4)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_right(name):
    """Each term's gradient equals finite differences to 1e-4."""
    function, inputs = GRADIENTS[name]
    value = function(*inputs)
    assert torch.isfinite(value).all() and float(value.detach().abs().sum()) > 0
    assert torch.autograd.gradcheck(function, inputs, rtol=1e-4, atol=1e-4 * max(1.0, float(value.detach().abs().max())) * 1e-2)


def test_every_term_has_a_gradient_test():
    """No term of the module is left out above."""
    own = {n for n, f in vars(terms).items() if callable(f) and getattr(f, "__module__", "") == terms.__name__
           and not n.startswith("_") and n != "Extra"}
    assert own - {n.split(",")[0] for n in GRADIENTS} == {"geman_mcclure", "cauchy", "huber"}


@pytest.mark.parametrize("start_s", [0.0, 1e4])
def test_second_differences_are_those_of_a_parabola(start_s):
    """On uneven times the second difference of 3 t^2 - t is 6, wherever time begins."""
    times = start_s + np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 12))
    inverse, middles = difference_weights(double(np.diff(times)))
    t = times - start_s
    found = terms.second_difference(double((3 * t**2 - t)[:, None, None]), inverse)
    np.testing.assert_allclose(found, np.full((10, 1, 1), 6), rtol=1e-6)
    cubic = terms.second_difference(double((t**3)[:, None, None]), inverse)[:, 0, 0]
    np.testing.assert_allclose((cubic[1:] - cubic[:-1]) / middles, 6, rtol=1e-6)


def measured(fps):
    """All time-dependent terms of the same continuous motion, sampled at one rate over the same 4.4 s."""
    times = np.arange(round(4.4 * fps) + 1) / fps
    wave = np.sin(2 * np.pi * times[:, None, None] * [0.8, 1.1, 1.3] + np.arange(24)[:, None])
    points = double(0.2 * wave)
    turned = double(rotations.axis_angle_to_matrix(0.6 * wave))
    step, between = double(frame_steps(times)), double(np.diff(times))
    inverse, middles = difference_weights(between)
    felt = terms.second_difference(points, inverse)
    contacts = double(0.5 + 0.5 * np.sin(2 * np.pi * times[:, None] * 0.7 + np.arange(4)))
    soles = points[:, :4]
    ones = double(np.ones((len(times), 24)))
    return {
        "acceleration": terms.acceleration(felt, step, scale_m_s2=8.0),
        "jerk": terms.jerk(felt, middles, step, scale_m_s3=80.0),
        "spin": terms.spin(turned, inverse, step, scale_rad_s2=25.0),
        "contact_velocity": terms.contact_velocity(soles, contacts[1:], between, step, scale_m_s=0.5),
        "contact_height": terms.contact_height(soles, contacts, double(0.05), step, scale_m=0.05, rho=3.0),
        "penetration": terms.penetration(soles, double(0.0), step, scale_m=0.05),
        "pose_pull": terms.pose_pull(turned, double(np.eye(3)).expand(len(times), 24, 3, 3), ones, step, scale_rad=0.3),
        "limits": limits(turned, step),
        "reprojection": terms.reprojection(500 * points[..., :2], 0 * points[..., :2], ones, 500 * ones[:, 0], step, scale=0.02,
                                           rho=8.0),
    }


@pytest.mark.parametrize("fps", [60, 120])
def test_no_term_depends_on_the_frame_rate(fps):
    """The same motion at 30 and at more frames a second costs the same within 5 %."""
    slow, fast = measured(30), measured(fps)
    for name, value in slow.items():
        assert float(fast[name]) == pytest.approx(float(value), rel=0.05), name


def test_steps_are_the_time_each_frame_stands_for():
    """Even times at 30 fps give ones, at 60 fps halves; uneven ones half the time to each neighbour; they add up."""
    np.testing.assert_allclose(frame_steps(np.arange(5) / 30), 1)
    np.testing.assert_allclose(frame_steps(np.arange(5) / 60), 0.5)
    np.testing.assert_allclose(frame_steps(np.array([0, 0.1, 0.3])), [3, 4.5, 6])
    np.testing.assert_array_equal(frame_steps(np.array([2.0])), [1])


def test_walker_s_still_feet_cost_nothing():
    """The contact terms of feet that stand exactly still on the ground are zero."""
    motion, contacts = walker(np.arange(0, 2.2, 1 / 30))
    soles, step = double(sole_points(motion)), double(frame_steps(motion.times_s))
    between = double(np.diff(motion.times_s))
    assert float(terms.contact_velocity(soles, double(np.minimum(contacts[1:], contacts[:-1])), between, step, scale_m_s=0.02)) < 1e-9
    assert float(terms.penetration(soles, double(0.0), step, scale_m=0.02)) < 1e-9
