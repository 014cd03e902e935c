"""Where live bodies are shown: in the browser, or as lines of JSON."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from mrs import view
from mrs.live.loop import Delays
from mrs.live.pose import LivePose
from mrs.motion import BODY
from mrs.report.paint import person_colour
from mrs.view.body import BodyView

PICTURE_S, TOLD_S, PICTURE_PX = 0.1, 0.5, 240


class Lines:
    """Write one line of JSON for each frame: its time, its delay, and of each person the pelvis and the joints."""

    def __init__(self, write):
        self.write = write

    def __call__(self, poses: dict[int, LivePose], frame: Any, delay_s: float) -> None:
        """Write a frame's line."""
        people = [{"person": lane, "root_pos_m": np.round(p.joints_m[0], 4).tolist(), "joints_m": np.round(p.joints_m, 4).tolist(),
                   "contacts": p.contacts.tolist()} for lane, p in sorted(poses.items())]
        self.write(json.dumps({"time_s": round(frame.time_s, 4), "delay_s": round(delay_s, 4), "people": people}))


class Browser:
    """Bodies in a viser scene, beside the camera's picture and the delay."""

    def __init__(self, host: str, port: int, delays: Delays):
        self.server = view.server(host, port, "mrs live")
        camera = self.server.initial_camera
        camera.fov, camera.position, camera.look_at = view.VIEW_RAD, (1.5, 1.8, 1.5), (0.0, 0.9, -3.5)
        self.delays, self.bodies = delays, {}
        gui = self.server.gui
        self.mesh, self.skeleton = gui.add_checkbox("Mesh", True), gui.add_checkbox("Skeleton", True)
        for box in (self.mesh, self.skeleton):
            box.on_update(lambda _: self._show_parts())
        self.told = gui.add_markdown("Waiting for the first frame.")
        self.picture = gui.add_image(np.zeros((135, PICTURE_PX, 3), np.uint8), label="Camera", format="jpeg")
        self._pictured = self._said = 0.0
        self.server.on_client_connect(lambda client: client.camera.on_update(lambda _: self._begin()))

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return view.address(self.server)

    def __call__(self, poses: dict[int, LivePose], frame: Any, delay_s: float) -> None:
        """Show everybody of a frame, and hide who is gone."""
        for lane, pose in poses.items():
            self._body(lane, pose).pose(pose.turned_wxyz, pose.joints_m, pose.soles_m, pose.contacts)
        for lane, (body, _) in self.bodies.items():
            if body.root.visible != (lane in poses):
                body.root.visible = lane in poses
        self._begin()
        now = time.monotonic()
        if now - self._pictured > PICTURE_S:
            self._pictured = now
            self.picture.image = _small(frame.rgb)
        if now - self._said > TOLD_S:
            self._said = now
            facts = self.delays.facts()
            self.told.content = (f"**{facts['delay_median_s'] * 1000:.0f} ms** behind (95 %: {facts['delay_95_percent_s'] * 1000:.0f} ms), "
                                 f"{facts['frames_per_s']:.0f} frames a second, {facts['dropped']} of {facts['read']} dropped")

    def _begin(self) -> None:
        """See that nobody who is near a browser's eye is cut off."""
        view.begin(self.server, [thing for body, _ in list(self.bodies.values()) if body.root.visible for thing in body.things()])

    def close(self) -> None:
        """Stop serving."""
        view.stop(self.server)

    def _body(self, lane: int, pose: LivePose) -> BodyView:
        """The body of a lane, made anew where its shape has become known."""
        body, betas = self.bodies.get(lane, (None, None))
        if body is None or not np.array_equal(betas, pose.betas):
            if body is not None:
                body.root.remove()
            body = BodyView(self.server, f"/live{lane}_{time.monotonic_ns()}", person_colour(lane + 1), pose.betas, BODY)
            self.bodies[lane] = (body, pose.betas)
            self._show_parts()
        return body

    def _show_parts(self) -> None:
        parts = {"mesh": self.mesh.value, "skeleton": self.skeleton.value, "contacts": True, "path": True, "camera": True}
        for body, _ in self.bodies.values():
            body.show(parts)


def _small(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(rgb, (PICTURE_PX, max(round(rgb.shape[0] * PICTURE_PX / rgb.shape[1]), 1)), interpolation=cv2.INTER_AREA)
