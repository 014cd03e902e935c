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
        names: str = mrs.option("smpl", "Joint names; deepmimic: DeepMimic's own skeleton, whose arms hang and which looks along +X.",
                                choices=("smpl", "mixamo", "humanik", "lafan1", "cmu", "deepmimic"))
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
        if options.names == "deepmimic":
            return _deepmimic(motion, path, options)
        document, notes = to_bvh(motion, names=options.names, order=options.order, channels=options.channels,
                                 unit=options.unit, up=options.up, tpose_first=options.tpose_first)
        bvh.write(path, document)
        return notes


def _deepmimic(motion, path, options) -> tuple[str, ...]:
    """Write DeepMimic's skeleton."""
    from mrs.formats import bvh, bvh_deepmimic, deepmimic
    from mrs.formats.bvh_motion import UNITS_PER_M
    from mrs.formats.carry import came_from
    from mrs.formats.exporting import evenly, read_by, ready

    if options.up != "y":
        raise UsageError("Expected --set up=y with names=deepmimic, whose axes are fixed, but got up=z.")
    motion, fps, notes = evenly(ready(motion, path, frames=2), "BVH")
    own = came_from(motion, "deepmimic")
    frames, more = deepmimic.frames_of(motion, limbs=read_by(motion, "deepmimic"), forward="same" if own else "x", ground=not own)
    bvh.write(path, bvh_deepmimic.to_bvh(frames[:, 1:], 1 / fps, order=options.order, channels=options.channels,
                                         units_per_m=UNITS_PER_M[options.unit], tpose_first=options.tpose_first))
    return notes + more


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
