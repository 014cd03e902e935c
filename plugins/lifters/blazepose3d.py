"""Lift a track from the detector's own 3D landmarks."""

from __future__ import annotations

import numpy as np

import mrs


class BlazePose3D:
    """3D landmarks to 24 joint rotations, one shape, and a metric root path by full-perspective resection."""

    name = "blazepose3d"
    body = None

    class Options:
        min_confidence: float = mrs.option(0.3, "Ignore keypoints below this when placing the body.", min=0, max=1)
        stature_m: float | None = mrs.option(None, "Standing height of the person in metres, where it is known.",
                                             min=0.5, max=2.6)

    @staticmethod
    def suits(track) -> bool:
        """Say whether the track has the 3D landmarks that this needs."""
        return track.keypoints3d_m is not None and track.keypoints.name == "blazepose-33"

    def lift(self, video, track):
        """Return a Motion in the camera frame; frames without evidence are interpolated with confidence 0."""
        from mrs.body import landmark_ik as ik
        from mrs.body import load_body
        from mrs.lifting.placing import filled, joint_confidence, resected_root

        points = self._evidence(track)
        body = load_body(self.body)
        seen = track.seen
        if not seen.any():
            raise self._unplaced(track)
        weights = np.where(seen[:, None], track.keypoints_px[..., 2], 0.0)
        names = track.keypoints.names
        stature = None if self.options.stature_m is None else (self.options.stature_m, 0.005)
        betas = ik.fit_betas(body, names, points[seen], weights[seen], stature)
        turned = ik.rotations_from_landmarks(body, names, points, betas)
        quats = body.local_quats(turned)
        root = resected_root(body, track, turned, betas, video.camera.K, min_confidence=self.options.min_confidence, seen=seen)
        placed = seen & np.isfinite(root).all(1)
        if not placed.any():
            raise self._unplaced(track)
        quats, root = filled(track.times_s, quats, root, placed)
        confidence = joint_confidence(track, placed)
        return body.motion(track.times_s, root, quats, betas, confidence=confidence, frame="camera",
                           camera=video.camera)

    @staticmethod
    def _evidence(track):
        if track.keypoints3d_m is None:
            raise mrs.InputError(
                "Expected tracks with 3D landmarks, as the blazepose detector gives, but these have 2D keypoints only. "
                "Type: --detector blazepose")
        if track.keypoints.name != "blazepose-33":
            raise mrs.InputError(
                f"Expected 3D landmarks of blazepose-33, whose hands and feet give the turns of limbs, but got "
                f"{track.keypoints.name}. Type: --detector blazepose")
        return track.keypoints3d_m.astype(float)

    @staticmethod
    def _unplaced(track):
        return mrs.InputError(
            f"Expected person {track.person} to be seen well enough to be placed in at least one frame, but it is "
            "not. Try another --person, or lower --set lifter.min_confidence.")


@mrs.hookimpl
def register_lifters(register):
    """Offer the lifter."""
    register(BlazePose3D)
