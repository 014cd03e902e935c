"""Lift a track from the pictures with a checkpoint of HMR's kind that the user has."""

from __future__ import annotations

import mrs


class HmrImage:
    """Regress bodies from the pictures with a checkpoint of SPIN's or HMR's layout, upside-down people turned upright."""

    name = "hmr-image"
    needs = ("torch", "cv2", "scipy")
    progress = body = None

    class Options:
        checkpoint: str | None = mrs.option(None, "The checkpoint (.pt, .pth, .tar); without it, models/spin/model_checkpoint.pt in the cache.")
        mean: str | None = mrs.option(None, "Mean parameters (npz with pose, shape, cam) of a checkpoint that has none; without it, "
                                      "smpl_mean_params.npz beside it.")
        upright: bool = mrs.option(True, "Turn crops so that people who lean far, lie or stand on their head are upright in them.")
        apart_deg: float = mrs.option(15.0, "Look at three angles so far apart; their spread says how sure each joint is. 0: once.", min=0, max=60)
        batch: int = mrs.option(16, "How many crops the network sees at a time.", min=1)
        stature_m: float | None = mrs.option(None, "Standing height of the person in metres, where it is known.", min=0.5, max=2.6)
        min_confidence: float = mrs.option(0.3, "Ignore keypoints below this when placing the body.", min=0, max=1)

    def __init__(self):
        self._lifter = None

    @staticmethod
    def suits(track) -> bool:
        """Take any track."""
        return True

    def made_from(self) -> dict[str, str]:
        """Hash the checkpoint and its mean. Raises MissingError, which says what to get."""
        from mrs.lifting import checkpoint
        from mrs.provenance import source_sha256

        named = {"checkpoint": checkpoint.located(self.options.checkpoint), "mean": self.options.mean}
        return {name: source_sha256(path, f"--set lifter.{name}") for name, path in named.items() if path is not None}

    def lift(self, video, track):
        """Return a Motion in the camera frame, with the codes of the head; frames without evidence are interpolated."""
        from mrs.body import load_body

        if not getattr(video, "pictures", True):
            raise mrs.UsageError("Expected a VIDEO with --lifter hmr-image, which looks at pictures. Type: --lifter smplify")
        return self.lifter.lift(video, track, load_body(self.body), self.progress or (lambda done, total: None))

    def decoder(self, device):
        """Return what turns the motion's codes into joint rotations, for smoother.space=latent."""
        decoder = self.lifter.decoder()
        decoder.head.to(device)
        return decoder

    @property
    def lifter(self):
        """The network, opened when it is first asked for."""
        if self._lifter is None:
            from mrs.lifting import checkpoint, image

            o = self.options
            how = image.Options(o.upright, o.apart_deg, o.batch, o.stature_m, o.min_confidence)
            self._lifter = image.ImageLifter(checkpoint.located(o.checkpoint), o.mean, self.device, how)
        return self._lifter


@mrs.hookimpl
def register_lifters(register):
    """Offer the lifter."""
    register(HmrImage)
