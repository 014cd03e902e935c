"""Lift a track from 2D keypoints alone."""

from __future__ import annotations

import numpy as np

import mrs

_STAND_IN = {"foot": ("big_toe", "foot_index", "ankle"), "hand": ("index", "wrist"), "collar": ("shoulder",)}


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
        from mrs.refine import smplify

        body = load_body(self.body)
        points = track.keypoints_px.copy()
        points[points[..., 2] < self.options.min_confidence] = 0
        track = replace(track, keypoints_px=points).limited_to(body.landmark_names)
        if (track.keypoints_px[..., 2] > 0).sum(1).max(initial=0) < 4:
            raise mrs.InputError(f"Expected person {track.person} to be seen at four keypoints or more in some frame, but it is "
                                 "not. Try another --person, or lower --set lifter.min_confidence.")
        betas = self._betas(body)
        scales = smplify.Scales(prior=self.options.prior_weight)
        evidence = smplify.Evidence.of(track, video.camera)
        turned, root = smplify.fit(body, evidence, betas, scales, self.progress or (lambda done, total: None))
        return body.motion(track.times_s, root, body.local_quats(turned), betas, confidence=_confidence(track), frame="camera",
                           camera=video.camera)

    def _betas(self, body):
        """Return the mean shape, or the one of the stature that is known."""
        if self.options.stature_m is None:
            return np.zeros(10)
        from scipy.optimize import brentq

        def beyond(first):
            return body.stature_m(np.r_[first, np.zeros(9)]) - self.options.stature_m

        ends = (-10.0, 10.0)
        first = brentq(beyond, *ends) if beyond(ends[0]) * beyond(ends[1]) < 0 else min(ends, key=lambda e: abs(beyond(e)))
        return np.r_[first, np.zeros(9)]


def _confidence(track):
    """Confidence (T, 24): that of the keypoint at each joint, or of what stands in for it; the torso's for the spine."""
    from mrs.skeletons import SMPL_24

    names, seen = track.keypoints.names, track.keypoints_px[..., 2]
    torso = [names.index(n) for n in names if n.endswith(("shoulder", "_hip"))]
    middle = seen[:, torso].mean(1) if torso else seen.mean(1)
    out = np.empty((len(track), len(SMPL_24)))
    for column, joint in enumerate(SMPL_24.names):
        side, _, part = joint.partition("_")
        known = [f"{side}_{p}" for p in (part, *_STAND_IN.get(part, ()))] if part else {"head": ["nose"]}.get(joint, [])
        found = [n for n in known if n in names]
        out[:, column] = seen[:, names.index(found[0])] if found else middle
    return np.where(track.seen[:, None], out, 0.0)


@mrs.hookimpl
def register_lifters(register):
    """Offer the lifter."""
    register(Smplify)
