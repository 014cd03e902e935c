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
        root = self._root(body, track, turned, betas, weights, video.camera)
        placed = seen & np.isfinite(root).all(1)
        if not placed.any():
            raise self._unplaced(track)
        quats, root = _fill(track.times_s, quats, root, placed)
        confidence = _joint_confidence(track, placed)
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

    def _root(self, body, track, turned, betas, weights, camera):
        """Pelvis positions (T, 3) in the camera frame; NaN where the keypoints do not fix them."""
        from mrs.skeletons import BLAZEPOSE_33
        from mrs.world.resection import resect

        names = track.keypoints.names
        share, moments = body.landmark_moments(names, betas)
        joints = body.place(np.zeros((len(track), 3)), turned, betas)
        marks = np.einsum("kj,tjc->tkc", share, joints) + np.einsum("tjab,kjb->tka", turned, moments)
        limbs = [BLAZEPOSE_33.index(n) for n in BLAZEPOSE_33.names
                 if n.endswith(("shoulder", "elbow", "hip", "knee", "ankle", "ear"))]
        trusted = np.zeros_like(weights)
        chosen = weights[:, limbs]
        trusted[:, limbs] = np.where(chosen >= self.options.min_confidence, chosen**2, 0)
        root, _ = resect(marks, track.keypoints_px[..., :2], trusted, camera.K,
                         robust_px=0.03 * track.heights_px())
        return root


def _fill(times_s, quats, root, placed):
    """Interpolate frames that were not placed: slerp for rotations, straight lines for the root."""
    from mrs import rotations

    at = times_s[placed]
    quats = rotations.align_hemispheres(rotations.resample(quats[placed], at, times_s))
    root = np.stack([np.interp(times_s, at, root[placed, axis]) for axis in range(3)], -1)
    return quats, root


def _joint_confidence(track, placed):
    """Confidence (T, 24): that of the keypoint at each joint, the torso's for the spine; 0 where nothing was seen."""
    from mrs.skeletons import SMPL_24

    names = track.keypoints.names
    stand_in = {"foot": "foot_index", "hand": "index", "collar": "shoulder"}
    seen = track.keypoints_px[..., 2]
    torso = seen[:, track.keypoints.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")].mean(1)
    out = np.empty((len(track), len(SMPL_24)))
    for row, joint in enumerate(SMPL_24.names):
        side, _, part = joint.partition("_")
        name = f"{side}_{stand_in.get(part, part)}" if part else {"head": "nose"}.get(joint, "")
        out[:, row] = seen[:, names.index(name)] if name in names else torso
    return np.where(placed[:, None], out, 0.0)


@mrs.hookimpl
def register_lifters(register):
    """Offer the lifter."""
    register(BlazePose3D)
