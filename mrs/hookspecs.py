"""Every hook of mrs, on one page.

All hooks have one shape: the plugin is handed ``register`` and calls it with each class it brings.
A class needs a ``name`` and its stage's verb (see :mod:`mrs.stages`); ``Options`` is optional.
"""

from pluggy import HookimplMarker, HookspecMarker

hookspec = HookspecMarker("mrs")
hookimpl = HookimplMarker("mrs")


@hookspec
def register_detectors(register):
    """Register classes with ``detect(video) -> Detections | Tracks``."""


@hookspec
def register_trackers(register):
    """Register classes with ``link(video, detections) -> Tracks``."""


@hookspec
def register_lifters(register):
    """Register classes with ``lift(video, track) -> Motion``.

    A lifter with a latent space fills ``motion.code`` and has ``decoder(device)``, which returns what turns codes into local
    rotations (:class:`mrs.refine.spaces.Decoder`): ``--set smoother.space=latent`` then optimises the codes.
    """


@hookspec
def register_smoothers(register):
    """Register classes with ``smooth(video, track, motion) -> Motion``."""


@hookspec
def register_synthesizers(register):
    """Register classes with ``transfer(source, target) -> Motion``."""


@hookspec
def register_renderers(register):
    """Register classes with ``render(video, motions, tracks)`` or, to draw a person by themselves, ``render(motion, appearance,
    camera, size_px)``; both give an iterator of RGB frames."""


@hookspec
def register_exporters(register):
    """Register classes with ``write(motion, path)`` and a file ``suffix``."""


@hookspec
def register_track_exporters(register):
    """Register classes with ``write_tracks(tracks, path)`` and a file ``suffix`` ("" for a folder)."""


@hookspec
def register_importers(register):
    """Register classes with ``read(path) -> Motion`` and the ``suffixes`` they read."""


@hookspec
def register_converters(register):
    """Register classes with ``convert(inputs, out)``, which turn files of other programs into files that mrs reads."""
