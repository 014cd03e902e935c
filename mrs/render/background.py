"""What is behind the people of a clip: the median over time of the pixels that nobody covers."""

from __future__ import annotations

import numpy as np

from mrs.body import load_body
from mrs.render.clip import Clip
from mrs.render.raster import find_faces
from mrs.tracks import MASK_SIDE

FRAMES = 17
HEIGHT_PX = 720
RIM_OF_HEIGHT = 0.05
BOX_RIM = 0.1
OFF, SHARE_OFF = 28, 0.15
_NONE = 1 << 10
_STRIP = 48


def background(clip: Clip) -> tuple[np.ndarray | None, list[str]]:
    """Return the picture of :func:`background_and_free`, and a line on what could not be done."""
    found, _, notes = background_and_free(clip)
    return found, notes


def background_and_free(clip: Clip) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """Return the picture (h, w, 3) uint8 without people, at most HEIGHT_PX high, which of it was seen (h, w), and a line on what could
    not be done.

    There is none where the camera moves, or where most of what stands free changes by more than OFF.
    """
    if not clip.camera.is_still:
        return None, None, ["The camera moves, so the person stands before a plain background."]
    size = _stored(clip.size_px)
    frames, covered = _collected(clip, size)
    if not len(frames):
        return None, None, ["No picture of the clip can be read for the background, so it is plain."]
    found, known = _medians(frames, covered)
    if len(frames) > 2 and _moves(frames, covered, found):
        return None, None, ["The background moves, so the person stands before a plain one."]
    notes = [] if known.all() else [f"{100 * (1 - known.mean()):.0f} % of the background is never free of people and is filled in from around it."]
    return (found if known.all() else _painted_in(found, known)), known, notes


def _stored(size_px: tuple[int, int]) -> tuple[int, int]:
    """Size (w, h) of the stored picture."""
    scale = min(1.0, HEIGHT_PX / size_px[1])
    return max(round(size_px[0] * scale), 1), max(round(size_px[1] * scale), 1)


def _collected(clip: Clip, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, h, w, 3) spread over the whole video, and which pixels (N, h, w) people cover."""
    import cv2

    rows = np.unique(np.linspace(0, len(clip.video) - 1, FRAMES).round().astype(int))
    wanted, frames, covered = set(rows.tolist()), [], []
    for frame in clip.video.frames():
        if frame.row in wanted:
            frames.append(cv2.resize(frame.rgb, size_px, interpolation=cv2.INTER_AREA) if frame.rgb.shape[1::-1] != size_px else frame.rgb)
            covered.append(_covered(clip, frame, size_px))
        if frame.row >= rows[-1]:
            break
    return np.array(frames), np.array(covered)


def _covered(clip: Clip, frame, size_px: tuple[int, int]) -> np.ndarray:
    """Pixels (h, w) that people cover: the bodies of those with a motion, widened, and the boxes of the others."""
    import cv2

    mask = np.zeros((size_px[1], size_px[0]), np.uint8)
    scale, drawn = size_px[1] / clip.size_px[1], set()
    motions = {clip.person: clip.motion} | dict(zip(clip.others_ids, clip.others, strict=True))
    for number, motion in motions.items():
        row = int(np.argmin(np.abs(motion.times_s - frame.time_s)))
        if abs(motion.times_s[row] - frame.time_s) < 0.02:
            drawn.add(number)
            _add_body(mask, motion, row, clip, scale)
    for track in clip.tracks.people:
        at = np.flatnonzero(track.frame_ids == frame.id)
        if len(at) and track.person not in drawn:
            box = track.boxes_px[at[0]] * scale
            rim = BOX_RIM * (box[3] - box[1])
            cv2.rectangle(mask, *np.round(box + [-rim, -rim, rim, rim]).astype(int).reshape(2, 2).tolist(), 1, -1)
        elif len(at):
            _add_mask(mask, track, at[0], scale)
    return mask.astype(bool)


def _add_mask(mask: np.ndarray, track, row: int, scale: float) -> None:
    """Add the person's own mask, where the detector made one of the usual size."""
    import cv2

    bits = None if track.masks is None else np.unpackbits(track.masks[row])
    if bits is None or len(bits) != MASK_SIDE * MASK_SIDE or track.mask_to_px.shape[1:] != (2, 3):
        return
    cells = bits.reshape(MASK_SIDE, MASK_SIDE)
    affine = track.mask_to_px[row] * scale
    side = int(np.ceil(np.abs(affine[:, :2]).sum(1).max())) + 1
    own = cv2.warpAffine(cells, affine, mask.shape[::-1], flags=cv2.INTER_NEAREST)
    mask |= cv2.dilate(own, np.ones((2 * side + 1, 2 * side + 1), np.uint8))


def _add_body(mask: np.ndarray, motion, row: int, clip: Clip, scale: float) -> None:
    import cv2

    body, camera = load_body(motion.body), clip.camera.at(0)
    points = camera.to_camera(body.vertices(motion, slice(row, row + 1))[0])
    found = find_faces(points, body.faces, camera.K, clip.size_px, scale)
    if found is None:
        return
    own = np.zeros_like(mask)
    x0, y0 = int(found.x0 * scale), int(found.y0 * scale)
    cut = (found.ids >= 0)[: mask.shape[0] - y0, : mask.shape[1] - x0]
    own[y0 : y0 + cut.shape[0], x0 : x0 + cut.shape[1]] = cut
    rim = max(round(RIM_OF_HEIGHT * np.linalg.norm(cut.shape)), 2)
    mask |= cv2.dilate(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))


def _medians(frames: np.ndarray, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median (h, w, 3) uint8 over the frames that leave a pixel free, and which pixels (h, w) any frame does."""
    found = np.empty(frames.shape[1:], np.uint8)
    free = (~covered).sum(0)
    for top in range(0, frames.shape[1], _STRIP):
        rows = slice(top, top + _STRIP)
        values = np.where(covered[:, rows, :, None], np.int16(_NONE), frames[:, rows])
        values = np.sort(np.ascontiguousarray(np.moveaxis(values, 0, -1)), -1)
        middle = np.maximum((free[rows] - 1) // 2, 0)[..., None, None]
        found[rows] = np.minimum(np.take_along_axis(values, np.broadcast_to(middle, (*values.shape[:3], 1)), -1)[..., 0], 255)
    return found, free > 0


def _moves(frames: np.ndarray, covered: np.ndarray, found: np.ndarray) -> bool:
    """Tell whether most pictures differ from the median in much of what stands free."""
    step = max(frames.shape[1] // 180, 1)
    off = np.abs(frames[:, ::step, ::step].astype(np.int16) - found[::step, ::step]).max(-1) > OFF
    free = ~covered[:, ::step, ::step]
    share = (off & free).sum((1, 2)) / np.maximum(free.sum((1, 2)), 1)
    return float(np.median(share)) > SHARE_OFF


def _painted_in(rgb: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the pixels that are not known from around them, smoothly: at a quarter of the size."""
    import cv2

    height, width = known.shape
    small = (max(width // 4, 1), max(height // 4, 1))
    hole = (cv2.resize((~known).astype(np.uint8) * 255, small, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    base = rgb.copy()
    base[~known] = 0
    share = cv2.resize(known.astype(np.float32), small, interpolation=cv2.INTER_AREA)[..., None]
    little = cv2.resize(base, small, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-3)
    made = cv2.inpaint(np.clip(little, 0, 255).astype(np.uint8), hole, 4, cv2.INPAINT_TELEA)
    made = cv2.resize(made, (width, height), interpolation=cv2.INTER_LINEAR)
    out = rgb.copy()
    out[~known] = made[~known]
    return out
