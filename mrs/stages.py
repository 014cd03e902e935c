"""The stage contracts: what a plugin class of each stage must offer.

A stage class is small: a ``name``, a docstring whose first line is shown by ``mrs plugins``, an optional
nested ``Options`` (see :mod:`mrs.options`), and one verb. The pipeline makes an instance without arguments,
sets ``self.options``, ``self.seed`` and ``self.device`` on it, on a lifter also ``self.body``, what it is to give to
:func:`mrs.body.load_body`, and calls the verb.

A class that reads what another program left in a file has a name that ends in a colon, ``takes = "FILE"`` (or ``"DIR"``)
and an option ``source``: ``--detector openpose:DIR`` sets it. Where the name of a stage is ``auto``, the first class of
the plan's candidates whose ``suits`` says yes of what came before is used.

``needs`` may name the importable modules the class wants, and ``extra`` the pip extra that brings them, or ``install``
the whole command; where one is absent, ``mrs plugins`` prints the command that installs it. A plugin whose results depend
on files that its options name may offer ``made_from()``, their hashes by name: another hash makes new results. A smoother
may offer ``smooth_together(people, finished)``, which gets all people of a scene at once, (video, track, motion) each, and
calls ``finished(number, motion)`` for each.

A renderer draws either over a video, ``render(video, motions, tracks)``, or one person by themselves, ``render(motion,
appearance, camera, size_px)``: a motion in the world, an :class:`mrs.render.appearance.Appearance`, a camera with one pose or
one a frame of the motion and with K for a picture of size_px (w, h). Both yield RGB frames (h, w, 3) uint8, one a frame.
"""

from __future__ import annotations

import importlib.util
import inspect
from dataclasses import dataclass
from typing import Any

from mrs.errors import MissingError, PluginError


@dataclass(frozen=True)
class Stage:
    """One stage: its name, its hook, and the verb with the arguments a plugin must accept, or the `others` it may accept instead."""

    name: str
    verb: str
    arguments: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def hook(self) -> str:
        """Name of the registration hook."""
        return f"register_{self.name}s"


STAGES = {
    stage.name: stage
    for stage in (
        Stage("detector", "detect", ("video",)),
        Stage("tracker", "link", ("video", "detections")),
        Stage("lifter", "lift", ("video", "track")),
        Stage("smoother", "smooth", ("video", "track", "motion")),
        Stage("synthesizer", "transfer", ("source", "target")),
        Stage("renderer", "render", ("video", "motions", "tracks"), ("motion", "appearance", "camera", "size_px")),
        Stage("exporter", "write", ("motion", "path")),
        Stage("track_exporter", "write_tracks", ("tracks", "path")),
        Stage("importer", "read", ("path",)),
        Stage("converter", "convert", ("inputs", "out")),
    )
}


def check(stage: Stage, cls: Any) -> None:
    """Refuse a class that does not fit its stage; the message says what is missing."""
    if not isinstance(cls, type):
        raise PluginError(f"Expected a class for the {stage.name} stage, but got {cls!r}.")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(f"Expected {cls.__name__}.name to be text, but got {name!r}.")
    if name.endswith(":") and not (isinstance(getattr(cls, "takes", None), str) and _has_source(cls)):
        raise PluginError(f"Expected {cls.__name__}, which reads a file, to have takes = \"FILE\" and an option source.")
    verb = getattr(cls, stage.verb, None)
    if not callable(verb):
        raise PluginError(
            f"Expected {cls.__name__} to have a method {stage.verb}({', '.join(stage.arguments)}), but it has none."
        )
    if not any(_takes(verb, arguments) for arguments in (stage.arguments, stage.others) if arguments):
        raise PluginError(
            f"Expected {cls.__name__}.{stage.verb}({', '.join(('self', *stage.arguments))}), "
            f"but got {stage.verb}{inspect.signature(verb)}."
        )
    try:
        cls()
    except TypeError as error:
        raise PluginError(f"Expected {cls.__name__}() to work without arguments, but it says: {error}.") from None


def _takes(verb: Any, arguments: tuple[str, ...]) -> bool:
    """Tell whether a method can be called with as many arguments."""
    try:
        inspect.signature(verb).bind(None, *arguments)
    except TypeError:
        return False
    return True


def draws_person(cls: Any) -> bool:
    """Tell whether a renderer draws one person by themselves, rather than all people over a video."""
    stage = STAGES["renderer"]
    return _takes(cls.render, stage.others) and not _takes(cls.render, stage.arguments)


def _has_source(cls: type) -> bool:
    from mrs import options

    return any(info.name == "source" for info in options.describe(cls))


def summary(cls: type) -> str:
    """Return the first line of the class's docstring."""
    return (inspect.getdoc(cls) or "").split("\n")[0]


def missing_needs(cls: type) -> list[str]:
    """List the modules that the class needs and this machine lacks."""
    return [m for m in getattr(cls, "needs", ()) if importlib.util.find_spec(m.split(".")[0]) is None]


def install_command(cls: Any) -> str:
    """Return the command that brings what the class needs."""
    if getattr(cls, "install", None):
        return cls.install
    extra = getattr(cls, "extra", None)
    return f"pip install 'mrs[{extra}]'" if extra else f"pip install {' '.join(missing_needs(cls))}"


def require(cls: Any) -> None:
    """Raise MissingError, with the command to type, where the class's needs are absent."""
    absent = missing_needs(cls)
    if absent:
        raise MissingError(f"'{cls.name}' needs {', '.join(absent)}, which is not installed. Type: {install_command(cls)}")
