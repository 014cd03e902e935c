"""mrs: motion reconstruction and synthesis, from an ordinary video to motion a character can train on."""

import importlib
import logging
from typing import TYPE_CHECKING, Any

from mrs.hookspecs import hookimpl
from mrs.options import option

if TYPE_CHECKING:
    from mrs.api import (
        Run,
        detect,
        export,
        lift,
        load,
        open_video,
        quality,
        run,
        settle,
        smooth,
        stage,
        track,
        transfer,
    )
    from mrs.cameras import Camera
    from mrs.errors import InputError, MissingError, MrsError, UsageError
    from mrs.motion import Motion
    from mrs.skeletons import Keypoints
    from mrs.tracks import Detections, People, Track, Tracks
    from mrs.video import Video

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

_LAZY = {
    "Camera": "mrs.cameras", "Keypoints": "mrs.skeletons", "Motion": "mrs.motion", "Video": "mrs.video",
    "Detections": "mrs.tracks", "People": "mrs.tracks", "Track": "mrs.tracks", "Tracks": "mrs.tracks",
    **dict.fromkeys(("Run", "detect", "export", "lift", "load", "open_video", "quality", "run", "settle", "smooth", "stage", "track",
                     "transfer"), "mrs.api"),
    "MrsError": "mrs.errors", "InputError": "mrs.errors", "MissingError": "mrs.errors", "UsageError": "mrs.errors",
}

__all__ = [
    "Camera", "Detections", "InputError", "Keypoints", "MissingError", "Motion", "MrsError", "People", "Run", "Track", "Tracks",
    "UsageError", "Video", "__version__", "detect", "export", "hookimpl", "lift", "load", "open_video", "option", "quality",
    "run", "settle", "smooth", "stage", "track", "transfer",
]


def __getattr__(name: str) -> Any:
    """Import the public types on first use, so that `import mrs` stays quick."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mrs' has no attribute '{name}'")
