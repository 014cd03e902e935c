"""The renderer `mesh`."""

from __future__ import annotations

import mrs


class MeshRenderer:
    """Draw the body with the colours gathered from the clip, in light, with a shadow, before the clip's background."""

    name = "mesh"

    class Options:
        backend: str = mrs.option("auto", "What draws triangles: gl, OpenGL without a window (pip install 'mrs[gl]'); paint, NumPy and "
                                  "OpenCV; auto, gl where there is a driver.", choices=("auto", "gl", "paint"))
        background: str = mrs.option("clip", "What is behind: the clip's own where its camera looks, or plain ground.",
                                     choices=("clip", "plain"))
        shading: float = mrs.option(0.35, "How much the light changes the colours.", min=0, max=1)
        shadow: float = mrs.option(0.45, "How dark the shadow on the ground is.", min=0, max=1)

    def render(self, motion, appearance, camera, size_px):
        """Yield one RGB frame (h, w, 3) for each frame of the motion."""
        from mrs.render.raster import Painter
        from mrs.render.scene import Look, Scene

        self.notes = []
        options = self.options
        shown = appearance.without_background() if options.background == "plain" else appearance
        scene = Scene(motion, shown, camera, size_px, Look(options.shading, options.shadow))
        rasteriser = self._gl(scene.body.faces) or Painter(scene.body.faces)
        try:
            yield from scene.pictures(rasteriser)
        finally:
            getattr(rasteriser, "close", lambda: None)()

    def _gl(self, faces):
        """Return what draws with OpenGL, or None where it is not to or can't be used; `auto` says why not."""
        if self.options.backend == "paint":
            return None
        from mrs.errors import MissingError
        from mrs.render.gl import GlRasteriser

        try:
            return GlRasteriser(faces)
        except MissingError as error:
            if self.options.backend == "gl":
                raise
            self.notes.append(f"Pictures are painted without OpenGL, which is slower. {error}")
            return None


@mrs.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(MeshRenderer)
