"""The smoother of the SFV paper, as its code was published."""

from __future__ import annotations

import mrs


class Sfv2018:
    """SFV's published objective of 2018, weight for weight, for comparison; use sfv for results."""

    name = "sfv-2018"

    class Options:
        iterations: int = mrs.option(300, "Steps of Adam over the whole clip.", min=1, max=100000)
        learning_rate: float = mrs.option(0.001, "Length of a step.", min=0)
        keypoint_weight: float = mrs.option(10.0, "Weight of the 2D error in crop units.", min=0)
        beta_weight: float = mrs.option(0.5, "Weight of the pull of each frame's shape to their mean.", min=0)
        pose_weight: float = mrs.option(100.0, "Weight of the pull to the lifted pose.", min=0)
        joint_weight: float = mrs.option(25.0, "Weight of root-relative joint velocity, per frame.", min=0)
        camera_weight: float = mrs.option(1.0, "Weight of the camera's steadiness.", min=0)
        camera_bug: bool = mrs.option(True, "Take the camera's steadiness in mixed units, as published.")

    def smooth(self, video, track, motion):
        """Return the refined Motion in the world frame."""
        from dataclasses import replace

        from mrs.evidence import cleaned_track
        from mrs.refine.sfv2018 import Weights, refine
        from mrs.world.contact import contact_probabilities
        from mrs.world.ground import sole_points

        if track is None:
            raise mrs.InputError("Expected keypoints of a video for sfv-2018, but there are none. Type: --smoother sfv")
        o = self.options
        weights = Weights(o.keypoint_weight, o.beta_weight, o.pose_weight, o.joint_weight, o.camera_weight)
        track, bad = cleaned_track(track)
        refined, report = refine(track, motion, weights, iterations=o.iterations, learning_rate=o.learning_rate,
                                 camera_bug=o.camera_bug, device=self.device, progress=self.progress)
        contacts = contact_probabilities(sole_points(refined), refined.times_s, refined.camera)
        told = {"warnings": [f"{bad} keypoints or boxes were not numbers and are taken for unseen."]} if bad else {}
        return replace(refined, contacts=contacts).with_history(stage="refine", **report, **told)


@mrs.hookimpl
def register_smoothers(register):
    """Offer the smoother."""
    register(Sfv2018)
