"""The importer `bvh`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mrs


class BvhImporter:
    """Read BVH of our own, Mixamo's, HumanIK's, LAFAN1's or CMU's joint names."""

    name = "bvh"
    suffixes = (".bvh",)

    class Options:
        unit: str = mrs.option("auto", "Unit of length; auto goes by the length of the legs.",
                               choices=("auto", "cm", "m", "inch"))
        tpose_first: str = mrs.option("auto", "Whether the first frame is an extra T-pose, to be left out.",
                                      choices=("auto", "yes", "no"))

    def read(self, path):
        """Read a file into a Motion in the world frame; its history names the file."""
        from mrs.formats import bvh
        from mrs.formats.bvh_import import from_bvh

        options = self.options
        motion = from_bvh(bvh.read(path), unit=options.unit, tpose_first=options.tpose_first, where=str(path))
        noted = dict(motion.history[-1]) if motion.history else {}
        return replace(motion, history=()).with_history(**noted | {
            "stage": "importer", "plugin": self.name, "version": mrs.__version__, "path": str(Path(path).resolve()),
            "options": {"unit": options.unit, "tpose_first": options.tpose_first}})


@mrs.hookimpl
def register_importers(register):
    """Register the importer."""
    register(BvhImporter)
