"""The renderer `pyrender`."""

from __future__ import annotations

import contextlib
import os

import numpy as np

import mrs


class PyrenderRenderer:
    """Draw the body with pyrender (Matl et al.), to compare with or for its lights; `mesh` is quicker."""

    name = "pyrender"
    needs = ("pyrender",)
    extra = "pyrender"

    class Options:
        background: str = mrs.option("clip", "What is behind: the clip's own where its camera looks, or plain ground.",
                                     choices=("clip", "plain"))
        light: float = mrs.option(3.0, "Strength of the light.", min=0, max=100)
        platform: str = mrs.option("egl", "How pyrender gets a context: egl, or osmesa.", choices=("egl", "osmesa"))

    def render(self, motion, appearance, camera, size_px):
        """Yield one RGB frame (h, w, 3) for each frame of the motion."""
        os.environ.setdefault("PYOPENGL_PLATFORM", self.options.platform)
        pyrender = _imported()
        from mrs.body import load_body
        from mrs.render.backdrop import Backdrop

        plain = appearance.without_background() if self.options.background == "plain" else appearance
        behind, body = Backdrop(plain, camera, size_px), load_body(motion.body)
        drawing = self._opened(pyrender, size_px)
        try:
            for row in range(len(motion)):
                scene = self._scene(pyrender, body, motion, appearance, camera.at(row), row)
                rgba, _ = drawing.render(scene, flags=pyrender.RenderFlags.RGBA)
                yield _over(behind.at(row), rgba)
        finally:
            with contextlib.suppress(Exception):  # another person's renderer may have closed the display that they share
                drawing.delete()

    def _opened(self, pyrender, size_px):
        try:
            return pyrender.OffscreenRenderer(*size_px)
        except Exception as error:  # noqa: BLE001 (PyOpenGL raises what it likes where there is no driver)
            from mrs.errors import MissingError, reason

            raise MissingError(f"Expected an OpenGL driver for pyrender, but there is none ({reason(error)}). "
                               "Type: apt install libegl1 libgl1-mesa-dri, or choose --renderer mesh") from None

    def _scene(self, pyrender, body, motion, appearance, camera, row):
        """The body, the camera and a light at the camera, in pyrender's scene."""
        import trimesh

        vertices = body.vertices(motion, slice(row, row + 1))[0]
        mesh = trimesh.Trimesh(vertices, body.faces, vertex_colors=appearance.colours_rgb, process=False)
        scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[0.35] * 3)
        scene.add(pyrender.Mesh.from_trimesh(mesh))
        pose = np.eye(4)
        pose[:3, :3] = camera.R.T @ np.diag([1.0, -1, -1])
        pose[:3, 3] = camera.centre_m
        K = camera.K
        scene.add(pyrender.IntrinsicsCamera(K[0, 0], K[1, 1], K[0, 2], K[1, 2], znear=0.05, zfar=500), pose=pose)
        scene.add(pyrender.DirectionalLight(color=np.ones(3), intensity=self.options.light), pose=pose)
        return scene


def _imported():
    """Import pyrender under NumPy 2, which no longer has a name that it uses."""
    if not hasattr(np, "infty"):
        np.infty = np.inf
    import pyrender

    return pyrender


def _over(rgb: np.ndarray, rgba: np.ndarray) -> np.ndarray:
    share = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * share + rgb * (255 - share)) // 255).astype(np.uint8)


@mrs.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(PyrenderRenderer)
