"""The loop of `mrs live`: newest picture, detector, bodies, and whoever shows them; with what it costs in time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mrs.errors import UsageError
from mrs.live.pose import Followers, LivePose
from mrs.live.source import LiveVideo, Newest
from mrs.skeletons import keypoint_set

KEPT = 3000


@dataclass
class Delays:
    """What was read, shown and dropped, and how old pictures were when their bodies were shown."""

    read: int = 0
    shown: int = 0
    dropped: int = 0
    with_people: int = 0
    spent_s: float = 0.0
    filter_lag_s: float = 0.0
    newest_s: deque = field(default_factory=lambda: deque(maxlen=KEPT))

    def facts(self) -> dict[str, Any]:
        """Return everything in numbers; delays in seconds over the last KEPT frames."""
        delays = np.array(self.newest_s) if self.newest_s else np.zeros(1)
        return {"read": self.read, "shown": self.shown, "dropped": self.dropped, "with_people": self.with_people,
                "seconds": round(float(self.spent_s), 3), "frames_per_s": round(float(self.shown / self.spent_s), 2) if self.spent_s else 0.0,
                "delay_median_s": round(float(np.median(delays)), 4), "delay_95_percent_s": round(float(np.percentile(delays, 95)), 4),
                "delay_largest_s": round(float(delays.max()), 4), "filter_lag_at_rest_s": round(self.filter_lag_s, 4)}

    def words(self) -> str:
        """The same in a sentence."""
        told = self.facts()
        return (f"{told['read']} frames came, {told['shown']} were shown ({told['frames_per_s']:.1f} a second), {told['dropped']} dropped. "
                f"Delay from a frame's coming to its body: {told['delay_median_s']:.3f} s (median), {told['delay_95_percent_s']:.3f} s (95 %); "
                f"the filter adds up to {told['filter_lag_at_rest_s']:.2f} s for slow motion.")


Show = Callable[[dict[int, LivePose], Any, float], None]


def check(detector: Any) -> None:
    """Refuse a detector that can't follow a stream, or that gives no landmarks in depth."""
    if not hasattr(detector, "detect_frames"):
        raise UsageError(f"Expected a detector that looks at one frame after the other, but '{detector.name}' does not. Type: --detector blazepose")


def run(newest: Newest, detector: Any, followers: Followers, show: Show, delays: Delays, seconds: float | None = None) -> Delays:
    """Go on until the source ends, or for `seconds`. `show` gets the bodies by lane, the frame and its delay in seconds."""
    video = LiveVideo(newest, "live")
    followers.warm()
    begin_s = 0.0
    found: Iterator = detector.detect_frames(video.frames())
    with closing(found) if hasattr(found, "close") else _nothing():
        for frame, people in found:
            came_s, begin_s = video.came_s, begin_s or newest.begin_s
            if people.keypoints3d_m is None and len(people):
                raise UsageError(f"Expected a detector that gives landmarks in depth, but '{detector.name}' gives none. Type: --detector blazepose")
            poses = followers.step(people, video.size_px, frame.time_s)
            delay_s = time.monotonic() - came_s
            show(poses, frame, delay_s)
            delays.newest_s.append(time.monotonic() - came_s)
            delays.shown += 1
            delays.with_people += bool(poses)
            delays.read, delays.dropped, delays.spent_s = newest.read, newest.dropped, time.monotonic() - begin_s
            if seconds is not None and delays.spent_s >= seconds:
                break
    delays.read, delays.dropped = newest.read, newest.dropped
    return delays


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def followers_of(detector: Any, fov_deg: float | None, filters: dict[str, float], most: int) -> Followers:
    """Return followers for what a detector yields."""
    return Followers(keypoint_set(detector.keypoints), fov_deg, filters, most)
