"""Triangles: the painter and OpenGL against one triangle after the other in a depth buffer."""

import numpy as np
import pytest

from benchmarks import dressed
from mrs.body import load_body
from mrs.body.atlas import vertex_regions
from mrs.errors import MissingError
from mrs.render.raster import Layer, Painter, find_faces


def rasteriser(name):
    """Make a rasteriser; skip where there is no driver."""
    faces = load_body().faces
    if name == "paint":
        return Painter(faces)
    pytest.importorskip("moderngl")
    from mrs.render.gl import GlRasteriser

    try:
        return GlRasteriser(faces)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def truth(filmed):
    """Row 5 of the clip without light: picture, parts, points in the camera frame."""
    motion, camera = filmed.clip.motion, filmed.clip.camera
    points = load_body().vertices(motion, slice(5, 6))[0]
    dark = np.zeros((300, 400, 3), np.uint8)
    old = dressed.AMBIENT, dressed.DIRECT
    dressed.AMBIENT, dressed.DIRECT = 1.0, 0.0
    try:
        rgb, parts = dressed.picture(points, camera, filmed.colours, dark)
    finally:
        dressed.AMBIENT, dressed.DIRECT = old
    return rgb, parts, camera.to_camera(points), camera.K


@pytest.mark.parametrize("name", ["paint", "gl"])
def test_a_mesh_is_drawn_where_and_as_it_is(name, truth, filmed):
    """Colours agree inside the body, and the body covers the same pixels up to its soft edge."""
    rgb, parts, points, K = truth
    drawn = np.zeros_like(rgb)
    layer = rasteriser(name).layer(points, filmed.colours, K, (400, 300))
    layer.put_on(drawn)
    share = np.zeros(parts.shape)
    share[layer.y0 : layer.y0 + layer.rgba.shape[0], layer.x0 : layer.x0 + layer.rgba.shape[1]] = layer.rgba[..., 3] / 255
    covered = parts > 0
    assert (covered & (share > 0.5)).sum() / (covered | (share > 0.5)).sum() > 0.94
    inside = covered & (share > 0.99)
    assert inside.sum() > 0.85 * covered.sum()
    assert np.abs(drawn[inside].astype(int) - rgb[inside]).mean() < 3
    assert ((share > 0.05) & (share < 0.95)).sum() > 50, "the edge is not soft"


def test_faces_are_hidden_by_what_is_before_them(truth):
    """Each pixel shows the part that the depth buffer says."""
    _, parts, points, K = truth
    found = find_faces(points, load_body().faces, K, (400, 300))
    region = vertex_regions(load_body())[load_body().faces[found.ids, 0]]
    cut = parts[found.y0 : found.y0 + found.ids.shape[0], found.x0 : found.x0 + found.ids.shape[1]]
    import cv2

    within = (cv2.erode(cut, np.ones((3, 3))) == cv2.dilate(cut, np.ones((3, 3)))) & (cut > 0)
    assert within.sum() > 5000
    assert ((region == cut) & (found.ids >= 0))[within].mean() > 0.995


@pytest.mark.parametrize("name", ["paint", "gl"])
def test_a_body_behind_or_beside_the_camera_draws_nothing(name, truth, filmed):
    """Behind the camera, and outside the picture."""
    _, _, points, K = truth
    made = rasteriser(name)
    assert made.layer(points * [1, 1, -1], filmed.colours, K, (400, 300)) is None
    assert made.layer(points + [50, 0, 0], filmed.colours, K, (400, 300)) is None


@pytest.mark.parametrize("name", ["paint", "gl"])
def test_a_body_partly_behind_the_camera_is_cut(name, truth, filmed):
    """A body that reaches through the lens is drawn without an error, inside the picture."""
    _, _, points, K = truth
    layer = rasteriser(name).layer(points - [0, 0, points[:, 2].mean()], filmed.colours, K, (400, 300))
    assert layer is None or (layer.x0 >= 0 and layer.x0 + layer.rgba.shape[1] <= 400 and layer.y0 + layer.rgba.shape[0] <= 300)


def test_a_layer_is_blended_by_its_share():
    """Half of white over 100 is 50 + 127; outside the cut nothing changes."""
    rgb = np.full((4, 5, 3), 100, np.uint8)
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0] = [127, 127, 127, 127]
    Layer(rgba, 1, 1).put_on(rgb)
    assert abs(int(rgb[1, 1, 0]) - 177) <= 1 and rgb[2, 1, 0] == 100 and rgb[0, 0, 0] == 100


def test_no_driver_is_said_in_one_line(monkeypatch):
    """MissingError names the packages."""
    moderngl = pytest.importorskip("moderngl")
    from mrs.render import gl

    monkeypatch.setattr(moderngl, "create_context", lambda **_: (_ for _ in ()).throw(Exception("libEGL.so not found")))
    with pytest.raises(MissingError, match=r"libEGL.so not found.*apt install libegl1"):
        gl.open_context()
