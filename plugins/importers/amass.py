"""The importer `amass`."""

from __future__ import annotations

from pathlib import Path

import mrs


class AmassImporter:
    """Read AMASS npz of SMPL-H or SMPL-X poses, Z up; its betas are SMPL's and are not used."""

    name = "amass"
    suffixes = (".npz",)

    class Options:
        up: str = mrs.option("z", "Axis of the file that points up.", choices=("z", "y"))
        stature_m: float | None = mrs.option(None, "Standing height of the person in metres; the mean body's without it.",
                                             min=0.5, max=2.6)
        floor: str = mrs.option("feet", "Where the ground is: where the lowest soles come down, or the file's zero.",
                                choices=("feet", "file"))

    def reads(self, path) -> bool:
        """Tell whether the npz is one of AMASS."""
        from mrs.formats import amass

        return amass.holds(path)

    def read(self, path):
        """Read a file into a Motion in the world frame; its history names the file and what was left out."""
        from mrs.formats import amass

        o = self.options
        motion = amass.read(path, up=o.up, stature_m=o.stature_m, floor=o.floor)
        return motion.with_history(stage="importer", plugin=self.name, version=mrs.__version__,
                                   path=str(Path(path).resolve()), left_out=["betas", "hands", "face", "soft tissue"],
                                   options={"up": o.up, "stature_m": o.stature_m, "floor": o.floor})


@mrs.hookimpl
def register_importers(register):
    """Register the importer."""
    register(AmassImporter)
