"""Exporters for 3D programs, biomechanics and spreadsheets: glTF, TRC, C3D, CSV."""

from __future__ import annotations

import mrs

_SETS = ("smpl-24", "halpe-26", "body-25", "coco-17", "blazepose-33", "h36m-17")
_MARKERS = "Points to write: joints (smpl-24), or landmarks of a keypoint set on the body's skin."


class GltfExporter:
    """Write glTF binary: the body's mesh, skinned and animated; metres, Y up, the motion's own times."""

    name = "gltf"
    suffix = ".glb"

    def write(self, motion, path):
        """Write a motion."""
        from mrs.formats import gltf
        from mrs.formats.exporting import ready, stem, whole

        motion = ready(motion, path)
        with whole(path) as temporary:
            temporary.write_bytes(gltf.dumps(motion, stem(path, motion)))


class TrcExporter:
    """Write TRC, as OpenSim and Pose2Sim read it: points by name, Y up."""

    name = "trc"
    suffix = ".trc"

    class Options:
        markers: str = mrs.option("smpl-24", _MARKERS, choices=_SETS)
        unit: str = mrs.option("m", "Unit of length.", choices=("m", "mm"))

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats import marker_files
        from mrs.formats.exporting import evenly, ready, stem, write_text
        from mrs.skeletons import keypoint_set

        motion, fps, notes = evenly(ready(motion, path, frames=2), "TRC")
        write_text(path, marker_files.trc_text(motion, keypoint_set(self.options.markers), fps, f"{stem(path, motion)}.trc",
                                               unit=self.options.unit))
        return notes


class C3dExporter:
    """Write C3D with ezc3d: points by name, millimetres, Z up."""

    name = "c3d"
    suffix = ".c3d"
    needs = ("ezc3d",)
    extra = "export"

    class Options:
        markers: str = mrs.option("smpl-24", _MARKERS, choices=_SETS)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats import marker_files
        from mrs.formats.exporting import evenly, ready, whole
        from mrs.skeletons import keypoint_set

        motion, fps, notes = evenly(ready(motion, path, frames=2), "C3D")
        with whole(path) as temporary:
            marker_files.save_c3d(temporary, motion, keypoint_set(self.options.markers), fps)
        return notes


class CsvExporter:
    """Write a table of joints: positions in metres, Y up, and local turns w x y z, one row a frame."""

    name = "csv"
    suffix = ".csv"

    class Options:
        holds: str = mrs.option("both", "What of each joint.", choices=("both", "positions", "rotations"))

    def write(self, motion, path):
        """Write a motion."""
        from mrs.formats import marker_files
        from mrs.formats.exporting import ready, write_text

        write_text(path, marker_files.csv_text(ready(motion, path), holds=self.options.holds))


@mrs.hookimpl
def register_exporters(register):
    """Register every format."""
    for cls in (GltfExporter, TrcExporter, C3dExporter, CsvExporter):
        register(cls)
