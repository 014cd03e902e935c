"""The exporter `bvh`."""

from __future__ import annotations

from pathlib import Path

import mrs
from mrs.errors import UsageError


class BvhExporter:
    """Write BVH: centimetres, Y up, a T-pose at rest, and Euler angles without jumps."""

    name = "bvh"
    suffix = ".bvh"

    class Options:
        names: str = mrs.option("smpl", "Joint names.", choices=("smpl", "mixamo", "humanik", "lafan1", "cmu"))
        order: str = mrs.option("zxy", "Order of the rotation channels; they multiply from left to right.",
                                choices=("xyz", "xzy", "yxz", "yzx", "zxy", "zyx"))
        channels: int = mrs.option(3, "Channels of every joint but the root, which has 6.", choices=(3, 6))
        unit: str = mrs.option("cm", "Unit of length.", choices=("cm", "m", "inch"))
        up: str = mrs.option("y", "Axis that points up.", choices=("y", "z"))
        tpose_first: bool = mrs.option(False, "Put a T-pose before the first frame.")

    def write(self, motion, path) -> tuple[str, ...]:
        """Write `motion` to `path`; return notes on what had to change for BVH, such as an uneven frame rate."""
        from mrs.formats import bvh
        from mrs.formats.bvh_motion import to_bvh

        _refuse_own_input(motion, Path(path))
        options = self.options
        document, notes = to_bvh(motion, names=options.names, order=options.order, channels=options.channels,
                                 unit=options.unit, up=options.up, tpose_first=options.tpose_first)
        bvh.write(path, document)
        return notes


def _refuse_own_input(motion, path: Path) -> None:
    """Refuse to write over a file that the motion was read from."""
    for step in motion.history:
        source = step.get("path")
        if source and path.resolve() == Path(source).resolve():
            raise UsageError(f"Expected an output path other than the input, but got {path} for both. Type another -o.")


@mrs.hookimpl
def register_exporters(register):
    """Register the exporter."""
    register(BvhExporter)
