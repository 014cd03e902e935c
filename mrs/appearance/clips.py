"""A run's person as pictures to learn from: squares of the frames with the motion's joints, the background and the masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs.appearance import crops
from mrs.appearance.pictures import Picture
from mrs.errors import InputError
from mrs.tracks import MASK_SIDE

KEPT_PX_SHARE = 1.25
HOLD_EVERY_S, HOLD_SHARE = 0.8, 0.25


@dataclass(frozen=True)
class ClipPictures:
    """The N frames of a clip in which the person is seen.

    rows (N,) of the motion, pictures (N), facing (N, 2) the direction of the chest seen from the camera (right and towards it),
    squares (N, 3) where each was cut, notes what could not be used.
    """

    rows: np.ndarray
    pictures: list[Picture]
    facing: np.ndarray
    squares: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def at(self, chosen: np.ndarray) -> ClipPictures:
        """Some of the frames."""
        return replace(self, rows=self.rows[chosen], pictures=[self.pictures[i] for i in chosen], facing=self.facing[chosen],
                       squares=self.squares[chosen])

    def held_out(self, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of frames to learn from and to measure with: of every 0.8 s the last quarter is held out."""
        seconds = (self.rows - self.rows[0]) / max(rate_hz, 1e-6)
        held = (seconds / HOLD_EVERY_S) % 1 >= 1 - HOLD_SHARE
        return np.flatnonzero(~held), np.flatnonzero(held)


def of_clip(clip, behind: np.ndarray | None, size_px: int, at_most: int = 240, shown=lambda done, total: None) -> ClipPictures:
    """Cut the person out of a clip (:class:`mrs.render.clip.Clip`); `behind` is its background without people, or None.

    Squares are `size_px` large. Raises InputError where no frame can be read.
    """
    motion, camera = clip.motion, clip.camera
    joints = crops.joints_px(motion, camera)
    squares, facing = crops.squares(joints, motion.fps), facing_of(motion, camera)
    behind = None if behind is None else _fitted(behind, clip.size_px)
    rows, pictures = clip.rows(at_most), []
    used = []
    for row, frame in clip.frames(rows):
        pictures.append(_picture(clip, row, frame.rgb, joints[row], squares[row], behind, size_px))
        used.append(row)
        shown(len(used), len(rows))
    if not used:
        raise InputError(f"Expected pictures of person {clip.person}, but none can be read. Choose another clip.")
    notes = () if behind is not None else ("Without a still background the person is learnt against what surrounds them in each frame.",)
    return ClipPictures(np.array(used), pictures, facing[used], squares[used], notes)


def facing_of(motion, camera) -> np.ndarray:
    """Where the chest points (T, 2) seen from the camera: to the picture's right, and towards the camera."""
    from mrs import rotations

    turn = rotations.quat_to_matrix(motion.local_quat_wxyz[:, 0])
    chest = (camera.per_frame(len(motion)).R @ turn @ np.array([0, 0, 1.0])[:, None])[..., 0]
    return np.stack([chest[:, 0], -chest[:, 2]], -1)


def _picture(clip, row: int, rgb: np.ndarray, joints, square, behind, size_px: int) -> Picture:
    mask = _mask(clip.track, _track_row(clip, row), square, size_px)
    shown = crops.cut(rgb, square, size_px)
    plate = crops.cut(behind, square, size_px) if behind is not None else _surroundings(shown, mask)
    return Picture(shown, crops.within(joints, square), plate, mask)


def _track_row(clip, row: int) -> int | None:
    at = int(np.argmin(np.abs(clip.track.times_s - clip.motion.times_s[row])))
    return at if abs(clip.track.times_s[at] - clip.motion.times_s[row]) < 0.02 else None


def _mask(track, row: int | None, square: np.ndarray, size_px: int) -> np.ndarray | None:
    """The track's mask (S, S) in a square, 0..255, or None where the frame has none."""
    import cv2

    if row is None or track.masks is None or track.masks.shape[1:] != (MASK_SIDE * MASK_SIDE // 8,):
        return None
    bits = np.unpackbits(track.masks[row]).reshape(MASK_SIDE, MASK_SIDE)
    affine = np.vstack([track.mask_to_px[row], [0, 0, 1]])
    if not bits.any() or abs(np.linalg.det(affine)) < 1e-9:
        return None
    whole = np.vstack([crops.to_square(square, size_px), [0, 0, 1]]) @ affine
    return cv2.warpAffine(bits * 255, whole[:2], (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _surroundings(shown: np.ndarray, mask: np.ndarray | None) -> np.ndarray | None:
    """The square with the person painted over from around them: what stands in for a background that isn't known."""
    import cv2

    if mask is None:
        return np.full_like(shown, np.median(shown.reshape(-1, 3), 0).astype(np.uint8))
    grown = cv2.dilate((mask > 64).astype(np.uint8), np.ones((9, 9), np.uint8))
    return cv2.inpaint(shown, grown, 3, cv2.INPAINT_TELEA)


def _fitted(behind: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    import cv2

    return behind if behind.shape[1::-1] == tuple(size_px) else cv2.resize(behind, tuple(size_px), interpolation=cv2.INTER_LINEAR)
