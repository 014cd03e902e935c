"""Renderers of a person: the contract, and one person in the same place by all of them."""

from dataclasses import replace

import numpy as np
import pytest

import mrs
from benchmarks import dressed
from mrs import plugins, stages
from mrs.errors import MissingError, PluginError
from mrs.render.appearance import Appearance
from mrs.render.film import Film, person_renderers
from mrs.world import level_camera

SIZE = (240, 180)


@pytest.fixture(scope="module")
def registry():
    """All plugins."""
    return plugins.load()


@pytest.fixture
def case():
    """A motion of two frames, dressed looks before a background, their camera."""
    camera = level_camera(SIZE)
    camera = replace(camera, t=-camera.R @ np.array([0, 1.0, 3.4]))
    motion = replace(dressed.turning(0.2, 10.0), camera=camera)
    looks = replace(Appearance.plain(), colours_rgb=dressed.clothes().astype(np.uint8), background_rgb=dressed.place(SIZE), camera=camera)
    return motion, looks, camera


def made(registry, name, **values):
    """A renderer, or a skip where what it needs is absent."""
    try:
        return registry.make("renderer", name, values)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("name", "values"), [("mesh", {"backend": "paint"}), ("mesh", {"backend": "gl"}), ("stick", {}), ("pyrender", {})])
def test_the_person_stands_where_the_camera_sees_them(registry, case, name, values):
    """Pictures are whole, change where the body is and nowhere far from it; `background=plain` takes the clip's away."""
    motion, looks, camera = case
    if values.get("backend") == "gl":
        pytest.importorskip("moderngl")
    try:
        pictures = list(made(registry, name, **values).render(motion, looks, camera, SIZE))
    except MissingError as error:
        pytest.skip(str(error))
    assert len(pictures) == 2 and all(p.shape == (180, 240, 3) and p.dtype == np.uint8 for p in pictures)
    changed = np.abs(pictures[0].astype(int) - looks.background_rgb).max(-1) > 8
    _, parts = dressed.picture(mrs.body.load_body().vertices(motion, slice(0, 1))[0], camera, dressed.clothes(), looks.background_rgb)
    import cv2

    if name == "stick":
        assert changed[parts > 0].mean() > 0.15
    else:
        assert changed[cv2.erode(parts, np.ones((3, 3))) > 0].mean() > 0.97
    near = cv2.dilate(parts, np.ones((9, 9))) > 0
    assert not changed[:90][~near[:90]].any()
    plain = next(iter(made(registry, name, background="plain", **values).render(motion, looks, camera, SIZE)))
    assert np.abs(plain[:20].astype(int) - looks.background_rgb[:20]).mean() > 20


def test_a_renderer_of_a_person_is_told_by_its_arguments(registry):
    """Four arguments draw a person, three draw over a video; other numbers are refused at registration."""
    assert set(person_renderers(registry)) >= {"mesh", "stick", "pyrender"} and "overlay" not in person_renderers(registry)

    class Two:
        name = "two"

        def render(self, video, motions):
            """Too few."""

    with pytest.raises(PluginError, match=r"render\(self, video, motions, tracks\)"):
        stages.check(stages.STAGES["renderer"], Two)


def test_a_renderer_that_breaks_the_contract_is_named(case):
    """Pictures of another size, and too few of them."""
    motion, looks, _ = case

    class Wrong:
        name = "wrong"
        size, count = (10, 10, 3), 2

        def render(self, motion, appearance, camera, size_px):
            yield from (np.zeros(self.size, np.uint8) for _ in range(self.count))

    film = Film(motion, looks, "clip", SIZE)
    with pytest.raises(PluginError, match=r"'wrong'.*\(180, 240, 3\).*\(10, 10, 3\)"):
        list(film.pictures(Wrong()))
    Wrong.size, Wrong.count = (180, 240, 3), 1
    with pytest.raises(PluginError, match="each of 2 frames, but it yielded 1"):
        list(film.pictures(Wrong()))
