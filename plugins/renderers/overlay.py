"""The renderer `overlay`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import mrs

SKINNED_AT_ONCE = 32
HEAD = 15


class OverlayRenderer:
    """Draw bodies, skeletons and person ids over the video, without a graphics library."""

    name = "overlay"

    class Options:
        opacity: float = mrs.option(0.65, "How much of the picture a body hides.", min=0, max=1)
        mesh: bool = mrs.option(True, "Draw the body's surface.")
        skeleton: bool = mrs.option(True, "Draw the bones; joints on the body's left are white.")
        keypoints: bool = mrs.option(False, "Draw the detected keypoints.")
        text: bool = mrs.option(True, "Write person ids and the time.")

    def render(self, video, motions, tracks):
        """Yield one RGB frame (h, w, 3) for each frame of the video, people drawn from far to near."""
        people = [_Drawn(number, motion, video) for number, motion in sorted(motions.items())]
        seen = _keypoints_by_frame(tracks) if self.options.keypoints else {}
        for frame in video.frames():
            rgb = np.array(frame.rgb)
            present = [(p, p.rows[frame.row]) for p in people if p.rows[frame.row] >= 0]
            for person, row in sorted(present, key=lambda entry: -entry[0].depth_m[entry[1]]):
                self._draw(rgb, person, row)
            for number, points in seen.get(frame.id, ()):
                _draw_keypoints(rgb, points, number)
            if self.options.text:
                _draw_time(rgb, frame.time_s)
            yield rgb

    def _draw(self, rgb, person: _Drawn, row: int) -> None:
        from mrs.report import paint

        options, box = self.options, None
        K = person.camera.at(row).K
        joints = paint.to_pixels(person.joints_camera[row], K)
        if options.mesh:
            box = paint.paint_mesh(rgb, person.points_camera(row), person.body.faces, K, person.colour, options.opacity)
        if options.skeleton:
            light = tuple(int(128 + value / 2) for value in person.colour)
            paint.paint_skeleton(rgb, joints, light, max(rgb.shape[0] / 400, 1.0))
        if options.text and np.isfinite(joints[HEAD]).all():
            top = (joints[HEAD, 1] - rgb.shape[0] / 40 if box is None else box[1]) - rgb.shape[0] / 90
            if _inside(joints[HEAD], rgb):
                paint.paint_text(rgb, str(person.number), (joints[HEAD, 0], top), rgb.shape[0] / 32, person.colour,
                                 centred=True)


class _Drawn:
    """One person ready to draw: rows (F,) of the motion for each frame of the video, -1 where absent."""

    def __init__(self, number: int, motion, video):
        from mrs.body import load_body
        from mrs.report import paint

        self.number, self.motion, self.colour = number, motion, paint.person_colour(number)
        self.camera = _camera_of(motion, video)
        self.body = load_body(motion.body)
        self.rows = match_rows(motion.times_s, video.times_s)
        self.joints_camera = self.camera.to_camera(motion.joints_m)
        self.depth_m = self.joints_camera[:, 0, 2]
        self._first, self._points = -1, None

    def points_camera(self, row: int) -> np.ndarray:
        """Vertices (V, 3) in the camera frame; skinned some frames at a time."""
        first = row - row % SKINNED_AT_ONCE
        if first != self._first:
            rows = slice(first, first + SKINNED_AT_ONCE)
            vertices = self.body.vertices(self.motion, rows)
            self._first, self._points = first, self.camera.at(rows).to_camera(vertices)
        return self._points[row - first]


def match_rows(motion_s: np.ndarray, video_s: np.ndarray) -> np.ndarray:
    """Row (F,) of the motion that is nearest in time to each frame; -1 where none is within half a frame.

    Within the motion's span half of the longer of both median steps counts, so that a motion of a lower rate does not
    flicker; before and after it half of the video's shortest step, so that nobody shows up early.
    """
    steps = [np.diff(t) if len(t) > 1 else np.zeros(1) for t in (motion_s, video_s)]
    right = np.clip(np.searchsorted(motion_s, video_s), 1, max(len(motion_s) - 1, 1))
    right = np.minimum(right, len(motion_s) - 1)
    left = np.maximum(right - 1, 0)
    rows = np.where(np.abs(motion_s[left] - video_s) <= np.abs(motion_s[right] - video_s), left, right)
    inside = (video_s >= motion_s[0]) & (video_s <= motion_s[-1])
    reach_s = np.where(inside, max(np.median(s) for s in steps), steps[1].min()) / 2 + 1e-6
    return np.where(np.abs(motion_s[rows] - video_s) <= reach_s, rows, -1)


def _camera_of(motion, video):
    """Return the camera of a motion, scaled to the video's size; a motion in the camera frame needs no extrinsics."""
    from mrs.cameras import Camera

    camera = motion.camera
    if camera is None:
        camera = (video.camera or Camera.from_fov(video.size_px)).resampled(video.times_s, motion.times_s)
    if motion.frame == "camera":
        camera = replace(camera, R=np.eye(3), t=np.zeros(3))
    if tuple(camera.size_px) != tuple(video.size_px):
        scale = np.array([video.size_px[0] / camera.size_px[0], video.size_px[1] / camera.size_px[1], 1])
        camera = replace(camera, K=camera.K * scale[:, None], size_px=tuple(video.size_px))
    return camera


def _inside(point_px: np.ndarray, rgb: np.ndarray) -> bool:
    height, width = rgb.shape[:2]
    return bool(0 <= point_px[0] < width and 0 <= point_px[1] < height)


def _keypoints_by_frame(tracks) -> dict[int, list]:
    """Collect (person, keypoints (K, 3)) of every frame id."""
    found: dict[int, list] = {}
    for track in tracks.people:
        for frame_id, points in zip(track.frame_ids, track.keypoints_px, strict=True):
            found.setdefault(int(frame_id), []).append((track.person, points))
    return found


def _draw_keypoints(rgb: np.ndarray, points: np.ndarray, number: int) -> None:
    import cv2

    from mrs.report import paint

    radius = max(round(rgb.shape[0] / 240), 2)
    for x, y, confidence in points:
        if confidence > 0.1 and _inside((x, y), rgb):
            cv2.circle(rgb, (round(x), round(y)), radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(rgb, (round(x), round(y)), radius, paint.person_colour(number), -1, cv2.LINE_AA)


def _draw_time(rgb: np.ndarray, time_s: float) -> None:
    from mrs.report import paint

    height = rgb.shape[0]
    paint.paint_text(rgb, f"{time_s:.3f} s", (height / 60, height - height / 60), height / 40)


@mrs.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(OverlayRenderer)
