"""BVH documents of any skeleton: read, write, and forward kinematics.

A document keeps the file's own unit, axes, joint order and channel values. Channels of a joint multiply from left to
right (``Zrotation Yrotation Xrotation`` is Rz Ry Rx, in degrees), and position channels replace the joint's OFFSET.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs import npz
from mrs.errors import InputError, MrsError, UsageError
from mrs.formats import euler
from mrs.formats.bvh_parser import POSITIONS, ROTATIONS, parse

AXES = "XYZ"
METRES_BELOW = 4.0


@dataclass(frozen=True)
class Bvh:
    """A skeleton of J joints with C channels over T frames.

    names         (J) in file order: depth first, parents before children
    parents       (J,) index of the parent, -1 for a root
    offsets       (J, 3) rest position in the parent's frame, in the file's unit
    channels      (J) names of each joint's channels, in file order
    end_joints    (E,) the joint each End Site hangs from
    end_offsets   (E, 3)
    frame_time_s  seconds from frame to frame
    values        (T, C) channel values as in the file: lengths and degrees
    """

    names: tuple[str, ...]
    parents: np.ndarray
    offsets: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    end_joints: np.ndarray
    end_offsets: np.ndarray
    frame_time_s: float
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def times_s(self) -> np.ndarray:
        """Frame times (T,), the first at 0."""
        return np.arange(len(self)) * self.frame_time_s

    @property
    def starts(self) -> np.ndarray:
        """First column (J,) of each joint in `values`."""
        counts = [len(channels) for channels in self.channels]
        return np.cumsum([0, *counts[:-1]]) if counts else np.zeros(0, int)

    def rotations(self) -> np.ndarray:
        """Local rotation matrices (T, J, 3, 3); joints without rotation channels do not turn."""
        local = np.zeros((len(self), len(self.names), 3, 3))
        local[...] = np.eye(3)
        for order, joints, columns in self._groups(ROTATIONS):
            local[:, joints] = euler.euler_to_matrix(np.radians(self.values[:, columns]), order)
        return local

    def positions(self) -> np.ndarray:
        """Joint positions (T, J, 3) in the parent's frame: position channels where there are any, offsets elsewhere."""
        local = np.repeat(self.offsets[None], len(self), 0)
        for order, joints, columns in self._groups(POSITIONS):
            for place, axis in enumerate(order):
                local[:, joints, AXES.index(axis)] = self.values[:, columns[:, place]]
        return local

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Forward kinematics: global rotation matrices (T, J, 3, 3) and joint positions (T, J, 3)."""
        turned, placed = self.rotations(), self.positions()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                placed[:, joint] = placed[:, parent] + np.einsum("tab,tb->ta", turned[:, parent], placed[:, joint])
                turned[:, joint] = turned[:, parent] @ turned[:, joint]
        return turned, placed

    def rest_joints(self) -> np.ndarray:
        """Joint positions (J, 3) with every channel at zero and the roots at their offsets."""
        placed = self.offsets.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                placed[joint] += placed[parent]
        return placed

    def ends(self, turned: np.ndarray, placed: np.ndarray) -> np.ndarray:
        """End Site positions (T, E, 3) from what :meth:`pose` returns."""
        return placed[:, self.end_joints] + np.einsum("teab,eb->tea", turned[:, self.end_joints], self.end_offsets)

    def _groups(self, kind: tuple[str, ...]):
        """Yield (axes, joints (n,), columns (n, len(axes))) of the joints that share one channel order."""
        orders: dict[str, list[tuple[int, list[int]]]] = {}
        for joint, (start, channels) in enumerate(zip(self.starts, self.channels)):
            places = [place for place, channel in enumerate(channels) if channel in kind]
            if places:
                axes = "".join(channels[place][0] for place in places)
                orders.setdefault(axes, []).append((joint, [start + place for place in places]))
        for axes, members in orders.items():
            yield axes, np.array([joint for joint, _ in members]), np.array([columns for _, columns in members])


def build(names, parents, offsets, rotations: np.ndarray, root_position: np.ndarray, frame_time_s: float, *,
          order: str = "ZXY", channels: int = 3, ends: dict[int, np.ndarray] | None = None) -> Bvh:
    """Make a document from joints in any order (parents first) with local matrices (T, J, 3, 3).

    `root_position` (T, 3) is the root in the world. The root has 6 channels; the others `channels` (3, or 6 with their
    offsets as constant positions). `ends` maps joints to End Site offsets. Euler angles are continuous over time.
    """
    rows = depth_first(parents)
    place = {joint: row for row, joint in enumerate(rows)}
    angles = np.degrees(euler.matrix_to_euler(rotations[:, rows], order))
    turns = tuple(f"{axis}rotation" for axis in order)
    columns, headers = [], []
    for row, joint in enumerate(rows):
        with_position = parents[joint] < 0 or channels == 6
        headers.append(POSITIONS + turns if with_position else turns)
        if with_position:
            here = root_position if parents[joint] < 0 else np.broadcast_to(offsets[joint], (len(rotations), 3))
            columns.append(here)
        columns.append(angles[:, row])
    ends = dict(sorted((place[joint], offset) for joint, offset in (ends or {}).items()))
    return Bvh(
        names=tuple(names[joint] for joint in rows),
        parents=np.array([place[parents[joint]] if parents[joint] >= 0 else -1 for joint in rows]),
        offsets=np.asarray(offsets, float)[rows], channels=tuple(headers), end_joints=np.array(list(ends), int),
        end_offsets=np.array(list(ends.values()), float).reshape(-1, 3), frame_time_s=float(frame_time_s),
        values=np.concatenate(columns, 1))


def depth_first(parents) -> list[int]:
    """Order joints depth first, as a BVH file nests them; siblings keep their order."""
    children: dict[int, list[int]] = {}
    for joint, parent in enumerate(parents):
        children.setdefault(int(parent), []).append(joint)
    order, stack = [], children.get(-1, [])[::-1]
    while stack:
        joint = stack.pop()
        order.append(joint)
        stack.extend(children.get(joint, [])[::-1])
    return order


def write(path: Path | str, bvh: Bvh) -> None:
    """Write the document, atomically; the same document gives the same bytes everywhere."""
    path = Path(path)
    if path.suffix.lower() != ".bvh":
        raise UsageError(f"Expected an output path that ends in .bvh, but got {path}.")
    data = dumps(bvh).encode()
    try:
        with npz.atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except FileNotFoundError:
        folder = path.parent
        raise UsageError(f"Expected a folder at {folder}, but there is none. Type: mkdir -p {folder}") from None
    except OSError as error:
        raise MrsError(f"Expected to write {path}, but the system says: {error.strerror}.") from None


def dumps(bvh: Bvh) -> str:
    """Return the text of the file."""
    if not (np.isfinite(bvh.values).all() and np.isfinite(bvh.offsets).all() and bvh.frame_time_s > 0):
        raise InputError("Expected finite numbers and a frame time above 0 to write as BVH, but got something else.")
    lines = ["HIERARCHY", *_hierarchy(bvh), "MOTION", f"Frames: {len(bvh)}", f"Frame Time: {bvh.frame_time_s:.10f}"]
    digits = _digits(bvh)
    row_format = " ".join([f"%.{digits}f"] * bvh.values.shape[1])
    lines.extend(row_format % tuple(row) for row in _tidy(bvh.values, digits).tolist())
    return "\n".join(lines) + "\n"


def _hierarchy(bvh: Bvh):
    digits, depth = _digits(bvh), 0
    depths = []
    for joint, parent in enumerate(bvh.parents):
        level = 0 if parent < 0 else depths[parent] + 1
        yield from _close(depth, level)
        depths.append(level)
        depth = level + 1
        tabs = "\t" * level
        yield f"{tabs}{'ROOT' if parent < 0 else 'JOINT'} {bvh.names[joint]}"
        yield f"{tabs}{{"
        yield f"{tabs}\tOFFSET {_triple(bvh.offsets[joint], digits)}"
        yield f"{tabs}\tCHANNELS {' '.join([str(len(bvh.channels[joint])), *bvh.channels[joint]])}"
        for end in np.flatnonzero(bvh.end_joints == joint):
            yield f"{tabs}\tEnd Site"
            yield f"{tabs}\t{{"
            yield f"{tabs}\t\tOFFSET {_triple(bvh.end_offsets[end], digits)}"
            yield f"{tabs}\t}}"
    yield from _close(depth, 0)


def _close(depth: int, level: int):
    for open_level in range(depth - 1, level - 1, -1):
        yield "\t" * open_level + "}"


def _digits(bvh: Bvh) -> int:
    """Decimals to write: 6, and 8 where the lengths are in metres."""
    return 8 if np.abs(bvh.offsets).max(initial=0) < METRES_BELOW else 6


def _triple(vector: np.ndarray, digits: int) -> str:
    return " ".join(f"{value:.{digits}f}" for value in _tidy(vector, digits).tolist())


def _tidy(values: np.ndarray, digits: int) -> np.ndarray:
    """Round to what is written, so that no minus stands before a zero."""
    return np.round(values, digits) + 0.0


def read(path: Path | str) -> Bvh:
    """Read a BVH file of any dialect. Raises InputError, in one line, for anything that is not one."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"Expected a BVH file at {path}, but it is a folder.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"Expected a BVH file at {path}, but there is none.") from None
    except OSError as error:
        raise InputError(f"Expected a BVH file at {path}, but it can't be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return loads(text, str(path))


def loads(text: str, where: str = "the text") -> Bvh:
    """Read the text of a BVH file; `where` names it in messages."""
    return Bvh(**parse(text, where))
