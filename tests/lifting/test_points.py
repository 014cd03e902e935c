"""Which of the encoder's points each keypoint set has."""

import numpy as np
import pytest

from mrs.lifting.points import DEEP, FLIP, POINTS, chosen, columns, known_in
from mrs.skeletons import BLAZEPOSE_33, BODY_25, COCO_17, KEYPOINT_SETS


def test_blazepose_has_every_deep_point():
    """All points with 3D are among BlazePose's, the toe under its other name."""
    rows = columns(BLAZEPOSE_33)
    assert (rows[: len(DEEP)] >= 0).all() and rows[POINTS.index("left_big_toe")] == BLAZEPOSE_33.index("left_foot_index")
    assert (rows[len(DEEP) :] == -1).all()


@pytest.mark.parametrize("name", ["body-25", "coco-17", "halpe-26", "h36m-17", "mpi-15", "cocoplus-19"])
def test_limbs_are_known_in_every_set(name):
    """Shoulders to wrists and hips to ankles are there."""
    known = {p for p, there in zip(POINTS, known_in(name), strict=True) if there}
    assert {f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")} <= known


def test_values_go_to_their_points():
    """A value of a keypoint comes out at the point of its name; what is missing is zero."""
    values = np.arange(len(BODY_25), dtype=float)[None, :, None] + [[[1.0, 1, 1]]]
    out = chosen(BODY_25, values)
    assert out[0, POINTS.index("right_knee"), 0] == BODY_25.index("right_knee") + 1
    assert (out[0, POINTS.index("left_thumb")] == 0).all()
    assert (chosen(COCO_17, np.ones((2, 17, 3)))[..., 2].sum(1) == 17).all()


def test_flip_pairs_left_with_right():
    """Twice is nothing, and no left point stays where it is."""
    assert (FLIP[FLIP] == np.arange(len(POINTS))).all()
    assert all(FLIP[i] != i for i, n in enumerate(POINTS) if n.startswith(("left_", "right_")))
    assert len(KEYPOINT_SETS) > 8
