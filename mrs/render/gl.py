"""Triangles to pictures with OpenGL through moderngl and EGL: no window, a graphics card or Mesa's software."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrs.errors import MissingError
from mrs.render.raster import NEAR_M, Layer, crop_of, project

SAMPLES = 4
STEP_PX = 64
FAR_M = 500.0
INSTALL = "pip install 'mrs[gl]', and where there is no driver: apt install libegl1 libgl1-mesa-dri"
_VERTEX = """
#version 330
in vec4 in_place;
in vec3 in_colour;
out vec3 colour;
void main() { gl_Position = in_place; colour = in_colour; }
"""
_FRAGMENT = """
#version 330
in vec3 colour;
out vec4 shown;
void main() { shown = vec4(colour, 1.0); }
"""


def open_context():
    """Open a context without a window. Raises MissingError, which says what to install, where there is none."""
    try:
        import moderngl
    except ImportError as error:
        raise MissingError(f"Expected moderngl to draw with OpenGL, but it can't be imported ({error}). Type: {INSTALL}") from None
    refusals = []
    for how in ({"backend": "egl"}, {}):
        try:
            return moderngl.create_context(standalone=True, require=330, **how)
        except Exception as error:  # noqa: BLE001 (moderngl raises bare Exception where there is no driver)
            refusals.append(" ".join(str(error).split()) or type(error).__name__)
    raise MissingError(f"Expected an OpenGL driver, but there is none ({refusals[0]}). Type: {INSTALL}")


class GlRasteriser:
    """Draw a mesh with one colour a vertex, with depth test and multisampling."""

    def __init__(self, faces: np.ndarray):
        self.faces = faces
        self.context = open_context()
        self.program = self.context.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self._indices = self.context.buffer(faces.astype("u4").tobytes())
        self._buffer: Any = None
        self._array: Any = None
        self._targets: dict[tuple[int, int], tuple] = {}
        self.context.enable(self.context.DEPTH_TEST)

    @property
    def renderer(self) -> str:
        """The name of the card or software that draws."""
        return self.context.info["GL_RENDERER"]

    def layer(self, points_camera: np.ndarray, colours: np.ndarray, K: np.ndarray, size_px: tuple[int, int]) -> Layer | None:
        """The mesh at points (V, 3) with colours (V, 3) float 0..255, as a cut of the picture; None where nothing shows."""
        pixels, _ = project(points_camera, K)
        crop = crop_of(pixels, size_px)
        if crop is None:
            return None
        with self.context:
            return self._drawn(points_camera, colours, K, crop)

    def _drawn(self, points_camera: np.ndarray, colours: np.ndarray, K: np.ndarray, crop: tuple[int, int, int, int]) -> Layer:
        x0, y0, x1, y1 = crop
        width, height = (-(-n // STEP_PX) * STEP_PX for n in (x1 - x0, y1 - y0))
        self._upload(_clip_space(points_camera, K, (x0, y0), (width, height)), colours)
        drawn, read = self._target((width, height))
        drawn.use()
        drawn.clear(0, 0, 0, 0)
        self._array.render()
        self.context.copy_framebuffer(read, drawn)
        data = read.read(viewport=(0, 0, x1 - x0, y1 - y0), components=4, alignment=1)
        return Layer(np.frombuffer(data, np.uint8).reshape(y1 - y0, x1 - x0, 4), x0, y0)

    def _upload(self, places: np.ndarray, colours: np.ndarray) -> None:
        data = np.concatenate([places, np.clip(colours, 0, 255) / 255], 1).astype("f4").tobytes()
        if self._buffer is None:
            self._buffer = self.context.buffer(data, dynamic=True)
            self._array = self.context.vertex_array(self.program, [(self._buffer, "4f 3f", "in_place", "in_colour")], self._indices)
        else:
            self._buffer.write(data)

    def _target(self, size_px: tuple[int, int]):
        """Return the many-sampled picture of a size that is drawn to, and the plain one that is read."""
        if size_px not in self._targets:
            samples = min(SAMPLES, self.context.max_samples)
            drawn = self.context.framebuffer(self.context.renderbuffer(size_px, 4, samples=samples),
                                             self.context.depth_renderbuffer(size_px, samples=samples))
            self._targets[size_px] = drawn, self.context.framebuffer(self.context.renderbuffer(size_px, 4))
        return self._targets[size_px]

    def close(self) -> None:
        """Give the context back."""
        self.context.release()


def _clip_space(points: np.ndarray, K: np.ndarray, corner_px, size_px) -> np.ndarray:
    """Homogeneous places (V, 4) that put the cut's first row at the bottom of what GL draws, so that it is read first."""
    x, y, z = points.T
    u = K[0, 0] * x + (K[0, 2] - corner_px[0]) * z
    v = K[1, 1] * y + (K[1, 2] - corner_px[1]) * z
    deep = (z * (FAR_M + NEAR_M) - 2 * FAR_M * NEAR_M) / (FAR_M - NEAR_M)
    return np.stack([2 * u / size_px[0] - z, 2 * v / size_px[1] - z, deep, z], 1)
