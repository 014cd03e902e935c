"""mrs: motion reconstruction and synthesis, from an ordinary video to motion a character can train on."""

import importlib
import logging

from mrs.hookspecs import hookimpl
from mrs.options import option

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

_LAZY = {
    "Camera": "mrs.cameras", "Keypoints": "mrs.skeletons", "Motion": "mrs.motion", "Video": "mrs.video",
    "Detections": "mrs.tracks", "People": "mrs.tracks", "Track": "mrs.tracks", "Tracks": "mrs.tracks",
    "MrsError": "mrs.errors", "InputError": "mrs.errors", "MissingError": "mrs.errors", "UsageError": "mrs.errors",
}

__all__ = [
    "Camera", "Detections", "InputError", "Keypoints", "MissingError", "Motion", "MrsError", "People", "Track", "Tracks",
    "UsageError", "Video", "__version__", "hookimpl", "option",
]


def __getattr__(name: str):
    """Import the public types on first use, so that `import mrs` stays quick."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mrs' has no attribute '{name}'")
