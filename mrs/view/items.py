"""What a viewer shows: motions with a name, a colour and a place in time; read from runs and files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mrs import world
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.plugins import Registry
from mrs.reading import read_motion
from mrs.report.paint import person_colour

ARRANGEMENTS = ("as they are", "side by side", "overlaid")
APART_M = 1.2


@dataclass(frozen=True)
class Item:
    """One motion to show, in the world: `start_s` is the motion's time that the viewer's 0 means, `group` who share a world."""

    label: str
    motion: Motion
    colour: tuple[int, int, int]
    start_s: float
    group: str
    film: Path | None = None

    def row(self, at_s: float) -> int:
        """The motion's frame nearest to the viewer's time; its first before it begins, its last after it ends."""
        times = self.motion.times_s
        after = int(np.clip(np.searchsorted(times, at_s + self.start_s), 1, max(len(times) - 1, 1))) if len(times) > 1 else 0
        before = max(after - 1, 0)
        return before if abs(times[before] - at_s - self.start_s) <= abs(times[after] - at_s - self.start_s) else after

    @property
    def length_s(self) -> float:
        """When the motion ends, in the viewer's time."""
        return float(self.motion.times_s[-1] - self.start_s)


def gather(paths: Sequence[Path], registry: Registry, lifted: bool = False) -> list[Item]:
    """Read everything to show: of a run everybody and what they became by --synth, and `lifted` what the lifter said; of a file its motion."""
    items: list[Item] = []
    for path in paths:
        found = _of_run(path, lifted) if (path / "run.json").is_file() else [_of_file(path, registry)]
        items += [replace(item, colour=person_colour(len(items) + n)) for n, item in enumerate(found, 1)]
    if not items:
        raise InputError(f"Expected motions in {', '.join(map(str, paths))}, but there are none. Type: mrs run VIDEO")
    names = [item.label for item in items]
    return [replace(item, label=item.label if names.count(item.label) == 1 else f"{item.group}: {item.label}") for item in items]


def _of_file(path: Path, registry: Registry) -> Item:
    motion = world.to_world(read_motion(path, registry))
    return Item(path.parent.name if path.stem == "motion" else path.stem, motion, (0, 0, 0), float(motion.times_s[0]), str(path))


def _of_run(root: Path, lifted: bool) -> list[Item]:
    """Everybody of a run, in their shared world and time."""
    people = sorted(root.glob("persons/*/motion.npz"))
    motions = [Motion.load(path) for path in people]
    if not motions:
        raise InputError(f"Expected refined motions in {root}, but there are none. Type: mrs run VIDEO -o {root}")
    start_s, film, group = min(m.times_s[0] for m in motions), _film(root), root.name
    items = []
    for path, motion in zip(people, motions, strict=True):
        name = path.parent.name
        items.append(Item(f"person {name}", motion, (0, 0, 0), float(start_s), group, film))
        if lifted and (path.parent / "lifted.npz").is_file():
            before = Motion.load(path.parent / "lifted.npz")
            if motion.camera is not None and len(before) == len(motion):
                items.append(Item(f"person {name}, lifted", world.to_world(replace(before, camera=motion.camera)), (0, 0, 0), float(start_s), group))
        for synth in sorted(path.parent.glob("synth/*.npz")):
            carried = Motion.load(synth)
            items.append(Item(f"person {name} by {synth.stem}", carried, (0, 0, 0), float(carried.times_s[0]), group))
    return items


def _film(root: Path) -> Path | None:
    """The run's video, or else its overlay."""
    try:
        path = Path(json.loads((root / "run.json").read_text(encoding="utf-8"))["video"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        path = root / "run.json"
    return next((p for p in (path, root / "overlay.mp4") if p.is_file() and p.suffix != ".json"), None)


def default_arrangement(items: Sequence[Item]) -> str:
    """Motions of one world as they are, others side by side."""
    shared = len({item.group for item in items}) == 1 and not any(" by " in item.label for item in items)
    return ARRANGEMENTS[0] if shared or len(items) == 1 else ARRANGEMENTS[1]


def placed(items: Sequence[Item], arrangement: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """How each motion is turned (3, 3) and moved (3,): p -> turn p + shift.

    Side by side and overlaid, everybody begins facing +Z, the former in a row along X with room for each one's way.
    """
    if arrangement == ARRANGEMENTS[0]:
        return [(np.eye(3), np.zeros(3)) for _ in items]
    from mrs.rotations import axis_angle_to_matrix

    out, edge = [], 0.0
    for number, item in enumerate(items):
        turn = axis_angle_to_matrix(np.array([0, -world.heading_rad(item.motion), 0]))
        path = item.motion.root_pos_m @ turn.T
        shift = -np.array([path[0, 0], 0.0, path[0, 2]])
        if arrangement == ARRANGEMENTS[1]:
            low = float(path[:, 0].min() - path[0, 0])
            if number:
                shift = shift + [edge + APART_M - low, 0, 0]
            edge = shift[0] + float(path[:, 0].max())
        out.append((turn, shift))
    return out
