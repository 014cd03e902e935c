"""The parts of a person: masses, shapes, the floor under the soles."""

import numpy as np
import pytest

from mrs.body import load_body
from mrs.physics import deepmimic_body, segments, surface
from mrs.skeletons import SMPL_24
from tests.physics import poses


def test_volume_of_a_cube():
    """A unit cube of twelve triangles, anywhere, has a volume of one."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) + 5
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    assert segments.volume_m3(corners, faces) == pytest.approx(1)


def test_masses_are_a_persons():
    """Shares sum to one, sides are alike, the mean person weighs what people of that height do, a mass given is kept."""
    motion = poses.standing()
    person = segments.of_motion(motion)
    assert segments.mass_shares().sum() == pytest.approx(1)
    assert np.allclose(person.mass_kg, person.mass_kg[SMPL_24.flip])
    assert 18 < person.total_kg / person.stature_m**2 < 26
    assert segments.of_motion(motion, 80.0).total_kg == pytest.approx(80)


def test_left_and_right_are_mirror_images():
    """Each shape of the left is the right's, mirrored."""
    person = segments.of_motion(poses.standing())
    for joint, shape in enumerate(person.shapes):
        other = person.shapes[SMPL_24.flip[joint]]
        assert shape.radius_m == pytest.approx(other.radius_m, abs=1e-4)
        ends = np.sort(np.stack([shape.a_m, shape.b_m]) * [-1, 1, 1], axis=0)
        assert np.allclose(ends, np.sort(np.stack([other.a_m, other.b_m]), axis=0), atol=0.006), SMPL_24.names[joint]


def test_soles_of_the_boxes_are_those_of_the_mesh():
    """Who stands with the mesh's lowest vertex on the floor stands with the boxes on it."""
    motion = poses.standing()
    low = surface.lowest(motion, segments.of_motion(motion))[0]
    assert low.min() == pytest.approx(0, abs=0.004)
    assert low[[7, 8]] == pytest.approx([0, 0], abs=0.006)
    assert low[[10, 11]] == pytest.approx([0, 0], abs=0.006)


def test_a_taller_person_is_heavier():
    """Betas that make taller make heavier."""
    body = load_body()
    betas = np.eye(10)[0]
    taller = betas if body.stature_m(betas) > body.stature_m(-betas) else -betas
    big, small = (segments.segments(tuple(sign * taller), body.name) for sign in (1, -1))
    assert big.stature_m > small.stature_m and big.total_kg > small.total_kg


def test_distance_of_segments():
    """Crossed, parallel, end to end, and two points."""
    cases = [([0, 0, 0], [1, 0, 0], [0.5, -1, 1], [0.5, 1, 1], 1), ([0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 2, 0], 2),
             ([0, 0, 0], [1, 0, 0], [3, 0, 0], [4, 0, 0], 2), ([0, 0, 0], [0, 0, 0], [0, 3, 4], [0, 3, 4], 5)]
    for a, b, c, d, distance in cases:
        assert surface.segment_distance(*(np.array(p, float) for p in (a, b, c, d))) == pytest.approx(distance, abs=1e-6)


def test_deepmimics_humanoid_has_its_published_numbers():
    """45 kg but for specks, thigh and shin, hips, shoulders."""
    person = deepmimic_body.segments()
    assert person.total_kg == pytest.approx(45, abs=0.05)
    index = SMPL_24.index
    assert person.rest_m[index("left_knee")] == pytest.approx([0.084887, -0.421546, 0])
    assert person.rest_m[index("right_ankle")] == pytest.approx([-0.084887, -0.421546 - 0.409870, 0])
    assert person.rest_m[index("left_shoulder")] == pytest.approx([0.18311, 0.236151 + 0.24350, -0.02405])
    assert person.rest_m[index("left_wrist")][0] == pytest.approx(0.18311 + 0.274788 + 0.258947)
