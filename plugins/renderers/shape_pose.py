"""The renderer `shape-pose`."""

from __future__ import annotations

import mrs


class ShapePoseRenderer:
    """Draw the person by the shape-and-posture network: nearer to the film than the mesh, though softer, once it was trained on the clip."""

    name = "shape-pose"

    class Options:
        weights: str = mrs.option("", "Folder of a training or a .safetensors file; those that ship with mrs without.")
        personalise_s: float = mrs.option(0.0, "Train on the clip first, for so many seconds; kept in the clip's run folder.", min=0)
        lr: float = mrs.option(6e-4, "Learning rate of that training.", min=0)
        looks: int = mrs.option(16, "How many frames the looks are taken from.", min=1)
        background: str = mrs.option("clip", "What is behind: the clip's own where its camera looks, or plain ground.", choices=("clip", "plain"))

    def render(self, motion, appearance, camera, size_px):
        """Yield one RGB frame (h, w, 3) for each frame of the motion."""
        from mrs.appearance import personalise
        from mrs.appearance.draw import Drawer
        from mrs.render.backdrop import Backdrop

        options = self.options
        seen, weights = self._prepared(appearance)
        drawer = Drawer(weights, personalise.bank(weights, seen, options.looks, self.device), self.device)
        shown = appearance.without_background() if options.background == "plain" else appearance
        backdrop = Backdrop(shown, camera, size_px)
        yield from drawer.over(motion, camera, backdrop.at)

    def made_from(self):
        """Hashes of the files that options name."""
        from pathlib import Path

        from mrs.appearance.weights import FILE
        from mrs.runfolder import sha256_of

        if not self.options.weights:
            return {}
        path = Path(self.options.weights)
        return {"weights": sha256_of(path / FILE if path.is_dir() else path)}

    def _prepared(self, appearance):
        """The clip's pictures and the network, trained on them where that is asked for."""
        from mrs.appearance import clips, stored
        from mrs.appearance import weights as files
        from mrs.appearance.personalise import recipe_of
        from mrs.errors import InputError

        clip = appearance.clip
        if clip is None or clip.video is None:
            why = clip.why if clip is not None else "No clip was named."
            raise InputError(f"Expected pictures of a person for the renderer shape-pose, but there are none. {why} Type: "
                             "mrs render MOTION --renderer shape-pose --appearance RUN")
        weights = files.load(self.options.weights or None)
        seen = clips.of_clip(clip, appearance.background_rgb, round(clips.KEPT_PX_SHARE * recipe_of(weights).size_px))
        self.notes = list(seen.notes)
        if self.options.personalise_s:
            weights = stored.personalised(clip, weights, seen, appearance, self.options.personalise_s, lr=self.options.lr, device=self.device,
                                          seed=self.seed, key=self.made_from())
        elif not self.options.weights:
            self.notes.append("The network knows this person from a few pictures only, and draws them softly. Type: --personalise 120s")
        return seen, weights


@mrs.hookimpl
def register_renderers(register):
    """Register the renderer."""
    register(ShapePoseRenderer)
