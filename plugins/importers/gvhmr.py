"""The importer `gvhmr`: its world motion, for those who have no video at hand."""

from __future__ import annotations

from pathlib import Path

import mrs

FLOOR_PERCENTILE = 2.0


class GvhmrImporter:
    """Read GVHMR's hmr4d_results.pt as it is in its world (Y up), 30 frames a second; with its video: --lifter gvhmr:FILE."""

    name = "gvhmr"
    suffixes = (".pt",)

    class Options:
        fps: float = mrs.option(30.0, "Frame rate of the video; GVHMR takes every video's for 30.", min=1, max=1000)
        stature_m: float | None = mrs.option(None, "Standing height of the person in metres; an adult's without it.", min=0.5, max=2.6)

    def read(self, path):
        """Read a file into a Motion in the world frame, its lowest soles on the ground."""
        import numpy as np

        from mrs import rotations
        from mrs.body import load_body
        from mrs.formats.lifts import REST_PELVIS_M, programs
        from mrs.lifting.foreign import betas_for
        from mrs.world.ground import sole_points

        (one,), o, body = programs.read_gvhmr_world(Path(path), (1, 1)), self.options, load_body()
        quats = rotations.align_hemispheres(rotations.matrix_to_quat(one.turned))
        root, betas = one.trans_m + REST_PELVIS_M[one.family], betas_for(body, one, o.stature_m)
        motion = body.motion(np.arange(len(one)) / o.fps, root, quats, betas)
        lowest = np.percentile(sole_points(motion)[..., 1].min(1), FLOOR_PERCENTILE)
        motion = body.motion(motion.times_s, root - [0, lowest, 0], quats, betas)
        return motion.with_history(stage="importer", plugin=self.name, version=mrs.__version__, path=str(Path(path).resolve()),
                                   left_out=["betas", "hands"], options={"fps": o.fps, "stature_m": o.stature_m})


@mrs.hookimpl
def register_importers(register):
    """Register the importer."""
    register(GvhmrImporter)
