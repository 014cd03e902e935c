"""Several people in one film."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.cameras import Camera
from mrs.errors import PluginError
from mrs.motion import Motion
from mrs.render import beside
from mrs.render.appearance import Appearance
from mrs.render.backdrop import Backdrop
from mrs.render.film import Film
from mrs.render.group import Group, common_times

SIZE = (32, 24)
PLACE = np.full((24, 32, 3), 100, np.uint8)


def camera():
    K = np.array([[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]])
    return Camera(K, np.diag([1.0, -1, -1]), np.array([0, 1.0, 6.0]), SIZE)


def film(z_m, red, first_s=0.0, last_s=0.4, rate_hz=10):
    """Somebody of one colour who stands before our camera, or further away."""
    times = first_s + np.arange(round((last_s - first_s) * rate_hz) + 1) / rate_hz
    looks = replace(Appearance.plain((red, 0, 0)), background_rgb=PLACE, camera=camera(), place=np.array([0, 0, z_m, 0.0]))
    return Film(Motion.standing(times), looks, "clip", SIZE)


class Mark:
    """Paint the upper half of what is behind with the colour of the person."""

    name = "mark"

    def __init__(self, rows=slice(0, 12), short=0):
        self.rows, self.short = rows, short

    def render(self, motion, appearance, camera, size_px):
        self.notes = [f"red {appearance.colours_rgb[0, 0]}"]
        behind = Backdrop(appearance, camera, size_px)
        for row in range(len(motion) - self.short):
            rgb = behind.at(row)
            rgb[self.rows] = appearance.colours_rgb[0]
            yield rgb


def reds(group, renderer):
    return [int(picture[5, 5, 0]) for picture in group.pictures(renderer)]


def test_the_nearer_person_is_before_the_other_whoever_is_named_first():
    near, far = film(2.0, 250), film(-2.0, 50)
    assert reds(Group([near, far]), Mark()) == reds(Group([far, near]), Mark()) == [250] * 5


def test_people_come_and_go_at_their_own_times_before_one_place():
    group = Group([film(0.0, 250, 0.0, 0.2), film(-2.0, 50, 0.1, 0.4)])
    assert group.times_s == pytest.approx(np.arange(5) / 10)
    assert reds(group, Mark()) == [250, 250, 250, 50, 50]
    assert [int(p[20, 20, 0]) for p in group.pictures(Mark())] == [100] * 5


def test_times_are_the_longest_ones_or_even_at_the_highest_rate():
    odd = np.array([0.0, 0.1, 0.25, 0.4])
    assert common_times([odd, np.array([0.1, 0.2])]) is odd
    assert common_times([np.array([0.0, 0.1, 0.2]), np.array([0.1, 0.15, 0.3])]) == pytest.approx(np.arange(4) / 10)


def test_what_the_renderer_says_of_each_person_is_heard_and_what_it_lacks_refused():
    group = Group([film(2.0, 250), film(-2.0, 50)])
    list(group.pictures(Mark()))
    assert {"red 250", "red 50"} <= set(group.notes)
    with pytest.raises(PluginError, match="yielded 4"):
        list(Group([film(2.0, 250), film(-2.0, 50)]).pictures(Mark(short=1)))


def test_the_largest_are_shown_and_named():
    assert beside._named([3]) == "person 3" and beside._named([3, 1, 2]) == "persons 3, 1 and 2"


def test_somebody_seen_by_another_camera_is_left_out_and_said():
    class Seen:
        def __init__(self, person):
            self.person, self.size_px = person, SIZE

    own, other = film(0.0, 250), film(0.0, 50)
    moved = replace(other.appearance, camera=replace(camera(), t=np.array([0, 1.0, 9.0])))
    made, notes = beside._film([Seen(1), Seen(2)], [own.motion, other.motion], [own.appearance, moved])
    assert isinstance(made, Film) and notes == ["synth.mp4 is without person 2, whose camera is another."]
    both, notes = beside._film([Seen(1), Seen(2)], [own.motion, other.motion], [own.appearance, other.appearance])
    assert isinstance(both, Group) and not notes


def test_backends_that_hold_a_context_each_may_take_turns():
    """mesh draws two people at once, each with a rasteriser of its own."""
    from mrs import plugins

    def drawn(backend):
        renderer = plugins.load().make("renderer", "mesh", {"backend": backend, "shadow": 0.0, "shading": 0.0})
        return list(Group([film(2.0, 250, last_s=0.1), film(-2.0, 50, last_s=0.1)]).pictures(renderer))[-1]

    painted = drawn("paint")
    assert (painted[..., 0] > 230).any() and not (painted == PLACE).all()
    assert np.abs(painted.astype(int) - drawn("auto")).mean() < 4
