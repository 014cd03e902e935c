"""Lift a track from 2D keypoints alone."""

from __future__ import annotations

import mrs


class Smplify:
    """Fit the body to 2D keypoints of any set, without any network: several facings, then the whole clip together."""

    name = "smplify"
    needs = ("torch", "scipy")
    progress = body = None

    class Options:
        stature_m: float | None = mrs.option(None, "Standing height of the person in metres, where it is known.",
                                             min=0.5, max=2.6)
        prior_weight: float = mrs.option(1.0, "How strongly poses are drawn to somebody who stands.", min=0)
        min_confidence: float = mrs.option(0.1, "Ignore keypoints below this.", min=0, max=1)

    @staticmethod
    def suits(track) -> bool:
        """Take any track."""
        return True

    def lift(self, video, track):
        """Return a Motion in the camera frame; frames without evidence are filled in with confidence 0."""
        from dataclasses import replace

        from mrs.body import load_body
        from mrs.lifting.placing import betas_of_stature, joint_confidence
        from mrs.refine import smplify

        body = load_body(self.body)
        points = track.keypoints_px.copy()
        points[points[..., 2] < self.options.min_confidence] = 0
        track = replace(track, keypoints_px=points).limited_to(body.landmark_names)
        if (track.keypoints_px[..., 2] > 0).sum(1).max(initial=0) < 4:
            raise mrs.InputError(f"Expected person {track.person} to be seen at four keypoints or more in some frame, but it is "
                                 "not. Try another --person, or lower --set lifter.min_confidence.")
        betas = betas_of_stature(body, self.options.stature_m)
        scales = smplify.Scales(prior=self.options.prior_weight)
        evidence = smplify.Evidence.of(track, video.camera)
        turned, root = smplify.fit(body, evidence, betas, scales, self.progress or (lambda done, total: None))
        return body.motion(track.times_s, root, body.local_quats(turned), betas, confidence=joint_confidence(track), frame="camera",
                           camera=video.camera)


@mrs.hookimpl
def register_lifters(register):
    """Offer the lifter."""
    register(Smplify)
