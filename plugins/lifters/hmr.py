"""Lift a track with the shipped network: 2D keypoints over a second, 3D landmarks where the detector has them."""

from __future__ import annotations

import numpy as np

import mrs


class Hmr:
    """A learned regressor: a temporal encoder over keypoints of any set and HMR's head; its code is open to sfv (space=latent)."""

    name = "hmr"
    needs = ("torch", "scipy", "safetensors")
    progress = None
    device = "cpu"
    body = None

    class Options:
        weights: str | None = mrs.option(None, "Weights that mrs train hmr wrote (weights.safetensors), instead of the shipped ones.")
        min_confidence: float = mrs.option(0.1, "Ignore keypoints below this.", min=0, max=1)
        landmarks: bool = mrs.option(True, "Use the detector's 3D landmarks where there are some.")
        stature_m: float | None = mrs.option(None, "Standing height of the person in metres, where it is known.",
                                             min=0.5, max=2.6)

    @staticmethod
    def suits(track) -> bool:
        """Take a track of which the encoder knows shoulders, hips and limbs."""
        from mrs.lifting.points import columns

        return int((columns(track.keypoints) >= 0).sum()) >= 12

    def lift(self, video, track):
        """Return a Motion in the camera frame with codes; frames without evidence are filled in with confidence 0.

        Its contacts are those that mrs/world/contact_net.py reads off the motion and the track, which are better than the encoder's own.
        """
        from dataclasses import replace

        from mrs import rotations
        from mrs.body import load_body
        from mrs.lifting import lift as lifting
        from mrs.lifting.placing import with_numbers
        from mrs.world import to_world
        from mrs.world.contact_net import foot_contacts

        track = with_numbers(track)
        self._refuse(track)
        body, camera = load_body(self.body), video.camera
        seen = lifting.seen_of(track, camera, self.options.min_confidence, self.options.landmarks, self.device)
        found = lifting.lift(self._net(), seen, progress=self.progress or (lambda done, total: None))
        betas = _of_stature(body, found.betas, self.options.stature_m)
        root = lifting.place(body, track, found, betas, camera, self.options.min_confidence)
        placed = np.isfinite(root).all(1)
        root = np.stack([np.interp(track.times_s, track.times_s[placed], root[placed, axis]) for axis in range(3)], -1)
        quats = rotations.align_hemispheres(body.local_quats(found.turned))
        motion = body.motion(track.times_s, root, quats, betas, confidence=found.sure * (track.seen & placed)[:, None],
                             contacts=found.contacts, frame="camera", camera=camera, code=found.code)
        return replace(motion, contacts=foot_contacts(to_world(motion), track)) if len(motion) > 2 else motion

    def decoder(self, device: str):
        """Return what turns codes into local rotations, frozen, for smoother.space=latent."""
        from mrs.lifting.encoder import LatentDecoder

        return LatentDecoder(self._net(device), device)

    def made_from(self) -> dict[str, str]:
        """Hash the weights that an option names."""
        if self.options.weights is None:
            return {}
        from mrs.provenance import source_sha256

        return {"weights": source_sha256(self.options.weights, "--set lifter.weights")}

    def _net(self, device: str | None = None):
        from mrs.data import asset_path
        from mrs.lifting import weights

        path = asset_path(weights.EMBEDDED) if self.options.weights is None else self.options.weights
        return weights.load(path, device or self.device)[0]

    def _refuse(self, track) -> None:
        """Refuse keypoint sets and tracks that the encoder can't read."""
        from mrs.lifting.points import POINTS, columns

        known = int((columns(track.keypoints) >= 0).sum())
        if known < 12:
            raise mrs.InputError(f"Expected keypoints with shoulders, hips and limbs, but {track.keypoints.name} has {known} of the "
                                 f"{len(POINTS)} that hmr knows. Type: --lifter smplify")
        if not track.seen.any():
            raise mrs.InputError(f"Expected person {track.person} to be seen in at least one frame, but it is not. Try another --person.")


def _of_stature(body, betas: np.ndarray, stature_m: float | None) -> np.ndarray:
    """Betas whose stature is the one known, or an adult's: one camera can't tell size from distance."""
    from scipy.optimize import brentq

    from mrs.body.landmark_ik import STATURE_M

    wanted = STATURE_M[0] if stature_m is None else stature_m

    def beyond(first):
        return body.stature_m(np.r_[first, betas[1:]]) - wanted

    low, high = -10.0, 10.0
    first = brentq(beyond, low, high) if beyond(low) * beyond(high) < 0 else min((low, high), key=lambda e: abs(beyond(e)))
    return np.r_[first, betas[1:]]


@mrs.hookimpl
def register_lifters(register):
    """Offer the lifter."""
    register(Hmr)
