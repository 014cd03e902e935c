"""The smoother sfv-2018 as a plugin."""

import json

import numpy as np
import pytest

from mrs import options, plugins
from mrs.errors import UsageError
from tests.walker import filmed, walker


@pytest.fixture(scope="module")
def registry():
    """The shipped plugins."""
    return plugins.load()


def test_defaults_are_those_of_sfv(registry):
    """300 steps of 0.001 with weights 10, 0.5, 100, 25 and 1, camera term as published."""
    facts = {o.name: o.default for o in options.describe(registry.get("smoother", "sfv-2018").cls)}
    assert facts == {"iterations": 300, "learning_rate": 0.001, "keypoint_weight": 10, "beta_weight": 0.5,
                     "pose_weight": 100, "joint_weight": 25, "camera_weight": 1, "camera_bug": True}


def test_it_lowers_its_objective_and_records_every_term(registry):
    """The history holds the five terms before and after, JSON-able; their sum falls; progress counts the steps."""
    track, motion = filmed(walker(np.arange(20) / 30, speed_m_s=0.7)[0], noise=0.003, distance_m=6)
    smoother = registry.make("smoother", "sfv-2018", {"iterations": "30", "camera_bug": "false"})
    steps = []
    smoother.progress = lambda done, total: steps.append((done, total))
    refined = smoother.smooth(None, track, motion).validate()
    report = json.loads(json.dumps(refined.history[-1]))
    assert sum(report["terms"].values()) < sum(report["terms_at_start"].values())
    assert set(report["terms"]) == {"keypoints", "betas", "pose", "joints", "camera"}
    assert steps[-1] == (30, 30) and refined.contacts.max() > 0.5 and refined.frame == "world"


def test_every_option_reaches_the_objective(registry):
    """Doubling a weight doubles its term at the start, and nothing else."""
    track, motion = filmed(walker(np.arange(6) / 30, speed_m_s=0.7)[0], noise=0.02, distance_m=6)

    def at_start(**values):
        smoother = registry.make("smoother", "sfv-2018", {"iterations": 1, **values})
        smoother.progress = lambda done, total: None
        return smoother.smooth(None, track, motion).history[-1]["terms_at_start"]

    plain = at_start()
    for option, term in (("keypoint_weight", "keypoints"), ("joint_weight", "joints"), ("camera_weight", "camera")):
        default = {"keypoint_weight": 10, "joint_weight": 25, "camera_weight": 1}[option]
        doubled = at_start(**{option: 2 * default})
        assert doubled[term] == pytest.approx(2 * plain[term], rel=1e-5) and plain[term] > 0
        assert all(doubled[n] == plain[n] for n in plain if n != term)
    assert at_start(camera_bug=False)["camera"] != plain["camera"]


def test_unknown_options_are_refused(registry):
    """A misspelt option names the nearest one."""
    with pytest.raises(UsageError, match="smoother.pose_weight"):
        registry.make("smoother", "sfv-2018", {"pose_weigth": 1})
