"""A walker filmed with noise, lifted and refined: the clip that the tests of refining share."""

from types import SimpleNamespace

import numpy as np
from mrs_plugins.lifters.blazepose3d import BlazePose3D

from mrs import metrics, options
from mrs.refine.prior import load_prior
from mrs.refine.sfv import Plan, refine
from mrs.refine.solver import Scales
from mrs.world import to_world
from tests.walker import filmed, walker


def noisy(times_s, *, noise=0.01, noise3d_m=0.03, dropout=0.05, speed_m_s=0.9, **kw):
    """A track of a walker with 2D noise (in heights), 3D noise and dropped keypoints, and the truth with its camera."""
    return filmed(walker(times_s, speed_m_s=speed_m_s)[0], noise=noise, noise3d_m=noise3d_m, dropout=dropout, **kw)


def lift(track, camera, **values):
    """Lift a track into the world of its camera."""
    lifter = BlazePose3D()
    lifter.options = options.build(BlazePose3D, values, "lifter")
    return to_world(lifter.lift(SimpleNamespace(camera=camera), track))


def refined(track, motion, **plan):
    """Refine with the shipped scales."""
    return refine(track, motion, Scales(), Plan(**plan), prior=load_prior())[0]


def pose_error_mm(motion, truth):
    """Mean distance of joints (MPJPE) in mm, pelvis on pelvis."""
    return 1000 * np.linalg.norm((motion.joints_m - motion.joints_m[:, :1]) - (truth.joints_m - truth.joints_m[:, :1]),
                                 axis=-1).mean()


def acceleration_error_m_s2(motion, truth):
    """Mean error of the joints' accelerations in m/s^2."""
    return np.linalg.norm(metrics.derivative(motion.joints_m - truth.joints_m, truth.times_s, 2), axis=-1).mean()


def is_finite(motion):
    """Whether every array is."""
    motion.validate()
    return True
