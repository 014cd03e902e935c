"""SFV's idea, rebuilt: optimise the whole clip against its 2D evidence."""

from __future__ import annotations

from dataclasses import replace

import mrs


class Sfv:
    """Whole-clip optimisation: 2D evidence, smoothness in seconds, limits, one shape, ground, contact and gravity."""

    name = "sfv"

    class Options:
        space: str = mrs.option("pose", "What is turned: joint rotations (pose), the code of the lifter (latent) or of the "
                                "shipped pose prior (prior), or the prior's code and departures from it (hybrid).",
                                choices=("pose", "latent", "prior", "hybrid"))
        iterations: int = mrs.option(0, "Iterations of the first pass, without contacts (0: 36, or 60 in other spaces than pose and on a GPU).", min=0, max=1000)
        contact_iterations: int = mrs.option(0, "Iterations of the second pass, with contacts (0: 21, or 30 in other spaces and on a GPU).", min=0, max=1000)
        acceleration_m_s2: float = mrs.option(25.0, "Accelerations beyond this, and beyond what the picture shows, are smoothed.", min=0.1)
        pose_weight: float = mrs.option(10.0, "How strongly the lifted pose pulls.", min=0)
        prior_weight: float = mrs.option(0.3, "How strongly the pose prior pulls.", min=0)
        contact_weight: float = mrs.option(1.0, "How strongly feet in contact stand still.", min=0)
        ground_weight: float = mrs.option(4.0, "How strongly contacts lie on one ground; 0 for stairs.", min=0)
        ballistic_weight: float = mrs.option(1.0, "How strongly a body in flight falls as gravity says.", min=0)
        height_m: float | None = mrs.option(None, "Standing height of the person in metres, where it is known.", min=0.5, max=2.6)
        gravity_scale: bool = mrs.option(False, "Take the person's size from how fast they fall in long flights, where it is not known within 10 %.")
        free_betas: bool = mrs.option(False, "Let the evidence change the body's proportions; its height stays, which no picture tells.")
        free_focal: bool = mrs.option(False, "Let the 2D evidence change the focal length.")
        mend_starts: bool = mrs.option(True, "Put wrong starts right: bodies turned round, mirrored, upside down.")
        doubt: bool = mrs.option(True, "Follow the picture less where the lifter is unsure of itself, or far from it.")
        off: str = mrs.option("", "Names of terms to leave out, with commas between.")
        foot_lock: str = mrs.option("auto", "Pin feet that touch (auto), that may touch (always), only their height "
                                    "(ground), or not at all (never).", choices=("auto", "always", "ground", "never"))
        dense: str | None = mrs.option(None, "Evidence of the body's surface: densepose:DIR, or masks (the detector's).")
        atlas: str | None = mrs.option(None, "Chart of DensePose's u and v, or CSE's embeddings of vertices: a file; or embedded. Without: parts alone.")
        atlas_mesh: str | None = mrs.option(None, "Mesh (npz with v_template, or OBJ) that an atlas UV_Processed.mat charts.")
        dense_weight: float = mrs.option(60.0, "How many keypoints a frame's surface points are worth.", min=0)
        silhouette_weight: float = mrs.option(5.0, "How many keypoints a frame's outline is worth.", min=0)
        window_frames: int | None = mrs.option(None, "Frames optimised together (default: 300, on a GPU 10,000).", min=60)
        together: str = mrs.option("auto", "Several people in one batch: yes, no, or where there is a GPU, which it keeps busy (auto).",
                                   choices=("auto", "yes", "no"))

    def smooth(self, video, track, motion):
        """Return the refined Motion in the world frame. Without a track only the terms that need no evidence act."""
        done = {}
        self._refined([(video, track, motion)], done.__setitem__)
        return done[0]

    def smooth_together(self, people, finished):
        """Refine the people of one scene, (video, track, motion) each, into one world; call finished(number, Motion) for each.

        Where nobody told the camera's tilt, `find_level` is set, and `known_level` is the history entry of somebody
        refined before, whose world this is to be.
        """
        self._refined(people, finished)

    def _refined(self, people, finished):
        from mrs import evidence
        from mrs.refine.sfv import Person, Plan, refine_together
        from mrs.world.level import Level

        o = self.options
        first, second = (36, 21) if o.space == "pose" and self.device == "cpu" else (60, 30)
        plan = Plan(iterations=o.iterations or first, contact_iterations=o.contact_iterations or second, foot_lock=o.foot_lock, space=o.space,
                    window_frames=o.window_frames or (300 if self.device == "cpu" else 10_000), mend_starts=o.mend_starts, doubt=o.doubt,
                    gravity_scale=o.gravity_scale, free_betas=o.free_betas, free_focal=o.free_focal, height_m=o.height_m,
                    find_level=getattr(self, "find_level", False))
        them, told = [], []
        for video, track, motion in people:
            found = evidence.usable(track, motion)
            extra, seen = self._dense(video, found.track, found.motion.body)
            lines = [*found.told, *seen.pop("warnings", ())]
            told.append(seen | ({"warnings": lines} if lines else {}))
            them.append(Person(found.track, found.motion, self._decoder(found.motion), found.motion.code, tuple(extra)))
        stack = o.together == "yes" or (o.together == "auto" and self.device != "cpu")
        known = getattr(self, "known_level", None)

        def told_of(number, result):
            (refined, report), motion = result, people[number][2]
            finished(number, replace(refined, times_s=motion.times_s).with_history(stage="refine", **report, **told[number]))

        refine_together(them, self._scales(), plan, device=self.device, prior=self._prior(), progress=self.progress, stack=stack,
                        finished=told_of, known_level=known and Level(known["down_deg"], known["roll_deg"], tuple(known["error_deg"])))

    def made_from(self) -> dict[str, str]:
        """Hash the files of DensePose and the atlas, where there are some. Raises MrsError where they can't be used."""
        if self.options.dense is None:
            return {}
        from mrs.provenance import source_sha256
        from mrs.refine.dense_evidence import source_of

        o = self.options
        named = {"dense": source_of(o.dense), "atlas": None if o.atlas == "embedded" else o.atlas, "atlas_mesh": o.atlas_mesh}
        return {name: source_sha256(path, "--dense densepose:DIR" if name == "dense" else f"--set smoother.{name}") for name, path in named.items()
                if path is not None}

    def _dense(self, video, track, body):
        """Return the terms that DensePose or masks feed, and what the report says of them."""
        o, given = self.options, tuple(getattr(self, "extra_terms", ()))
        if o.dense is None:
            return given, {}
        if track is None:
            return given, {"warnings": ["--dense is not used, since nobody was seen whom it could tell of."]}
        from mrs.body import atlas
        from mrs.formats.densepose import Source
        from mrs.refine import dense_evidence

        path, off, size = dense_evidence.source_of(o.dense), self._scales().off, getattr(video, "size_px", None)
        source = None if path is None else Source(path, None if video is None else int(video.frame_ids[-1]) + 1)
        chart = None if o.atlas is None else atlas.computed(body) if o.atlas == "embedded" else atlas.read(o.atlas, o.atlas_mesh, body)
        seen = dense_evidence.from_masks(track) if source is None else dense_evidence.from_densepose(track, source, size)
        made = dense_evidence.terms(track, seen, chart, body=body, device=self.device, dense_weight=o.dense_weight * ("dense" not in off),
                                    silhouette_weight=o.silhouette_weight * ("silhouette" not in off))
        told = {"dense": {"from": o.dense, "frames": len(seen.masks), "pixels": sum(map(len, seen.pixels.values()))}}
        nobody = [f"--dense {o.dense} shows this person in no frame, so that it changes nothing."] if not seen.masks else []
        return (*given, *made), told | ({"warnings": nobody} if nobody else {})

    def _scales(self):
        from mrs.refine.solver import Scales
        from mrs.refine.terms import FED, TERMS

        o, known = self.options, (*TERMS, *FED)
        off = frozenset(name.strip() for name in o.off.split(",") if name.strip())
        unknown = sorted(off - set(known))
        if unknown:
            raise mrs.UsageError(f"Expected smoother.off to name terms out of {', '.join(known)}, but got {', '.join(unknown)}.")
        return Scales(acceleration_m_s2=o.acceleration_m_s2, pose_weight=o.pose_weight, prior_weight=o.prior_weight,
                      contact_weight=o.contact_weight, ground_weight=o.ground_weight, ballistic_weight=o.ballistic_weight,
                      off=off)

    def _decoder(self, motion):
        """The lifter's decoder, for its latent space; None for the other spaces."""
        if self.options.space != "latent":
            return None
        decoder = getattr(self, "decoder", None)
        if decoder is None or motion.code is None:
            lifter = next((step["plugin"] for step in motion.history if step.get("stage") == "lifter" and "plugin" in step), "this lifter")
            raise mrs.UsageError(f"Expected a lifter with a latent space for smoother.space=latent, but {lifter} has none. "
                                 "Type: --set smoother.space=prior")
        return decoder(self.device)

    def _prior(self):
        """The shipped pose prior, unless it is neither a term nor the space."""
        from mrs.refine.prior import load_prior

        o = self.options
        wanted = o.space in ("prior", "hybrid") or (o.prior_weight and "prior" not in self._scales().off)
        return load_prior(device=self.device) if wanted else None


@mrs.hookimpl
def register_smoothers(register):
    """Offer the smoother."""
    register(Sfv)
