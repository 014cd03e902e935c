"""A body in a viser scene: mesh, skeleton, contact marks, path, and the camera that saw it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.motion import JOINTS, Motion
from mrs.skeletons import SMPL_PARENTS
from mrs.world.ground import sole_points

PARTS = ("mesh", "skeleton", "contacts", "path", "camera")
CONTACT = (220, 50, 50)
SEEN_THROUGH = 0.5
REACH_M = 1.3
"""No part of a body is farther from its pelvis."""
_BONES = np.array([(parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0])
_SIDES = np.array([(1, 0, 2), (2, 0, 3), (3, 0, 4), (4, 0, 1), (1, 2, 5), (2, 3, 5), (3, 4, 5), (4, 1, 5)])


def bone_mesh(rest_m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape a skeleton at rest (24, 3): an octahedron a bone; return vertices, faces, and weights (V, 24) that hold it to its parent."""
    vertices, faces = [], []
    for number, (parent, joint) in enumerate(_BONES):
        start, way = rest_m[parent], rest_m[joint] - rest_m[parent]
        length = max(float(np.linalg.norm(way)), 1e-6)
        across = np.cross(way, np.eye(3)[np.abs(way).argmin()])
        across *= min(0.12 * length, 0.02) / np.linalg.norm(across)
        other = np.cross(way, across) / length
        belt = start + 0.2 * way
        vertices.append([start, belt + across, belt + other, belt - across, belt - other, start + way])
        faces.append(_SIDES + 6 * number)
    return np.concatenate(vertices), np.concatenate(faces), np.repeat(np.eye(JOINTS)[_BONES[:, 0]], 6, axis=0)


class BodyView:
    """One body, put where :meth:`pose` says; everything below one frame that :meth:`place` turns and moves."""

    def __init__(self, server: Any, name: str, colour: tuple[int, int, int], betas: np.ndarray, body_name: str, label: str = ""):
        body = load_body(body_name)
        self.server, self.name, self.colour = server, name, colour
        scene = server.scene
        self.root = scene.add_frame(name, show_axes=False)
        self._turn, self._shift, self._pelvis_m, self._picture_m = np.eye(3), np.zeros(3), np.zeros(3), 0.0
        rest = body.rest_m + body.rest_shape_m @ betas
        upright = np.tile([1.0, 0, 0, 0], (JOINTS, 1))
        self.mesh = scene.add_mesh_skinned(f"{name}/mesh", body.template_m + body.shape_m @ betas, body.faces, bone_wxyzs=upright,
                                           bone_positions=rest, skin_weights=body.weights, color=colour)
        dark = tuple(int(value * 0.55) for value in colour)
        points, faces, held = bone_mesh(rest)
        self.bones = scene.add_mesh_skinned(f"{name}/skeleton", points, faces, bone_wxyzs=upright, bone_positions=rest, skin_weights=held,
                                            color=dark, flat_shading=True)
        self.marks = [scene.add_icosphere(f"{name}/contact{n}", 0.045, CONTACT, subdivisions=1, visible=False) for n in range(4)]
        self._marked = True
        self.label = scene.add_label(f"{name}/label", label, anchor="bottom-center") if label else None
        self.path: Any = None
        self.frustum: Any = None
        self.show({part: True for part in PARTS} | {"skeleton": False})

    def place(self, turn: np.ndarray, shift: np.ndarray) -> None:
        """Turn (3, 3) and move (3,) the whole body with its path and camera."""
        self.root.wxyz, self.root.position = rotations.matrix_to_quat(turn), shift
        self._turn, self._shift = turn, shift

    def things(self) -> list[tuple[np.ndarray, float]]:
        """Where the body and its camera are in the scene (3,), and how far they reach, metres."""
        found = [(self._turn @ self._pelvis_m + self._shift, REACH_M)]
        if self.frustum is not None and self.frustum.visible:
            found.append((self._turn @ np.asarray(self.frustum.position) + self._shift, self._picture_m))
        return found

    def show(self, parts: dict[str, bool]) -> None:
        """Show or hide parts by name."""
        self.mesh.visible, self.bones.visible = parts["mesh"], parts["skeleton"]
        self.mesh.opacity = SEEN_THROUGH if parts["skeleton"] else None
        self._marked = parts["contacts"]
        for handle, part in ((self.path, "path"), (self.frustum, "camera")):
            if handle is not None:
                handle.visible = parts[part]

    def add_path(self, root_pos_m: np.ndarray) -> None:
        """Draw the pelvis' whole way (T, 3)."""
        if len(root_pos_m) > 1:
            self.path = self.server.scene.add_line_segments(f"{self.name}/path", np.stack([root_pos_m[:-1], root_pos_m[1:]], 1), self.colour,
                                                            thickness=2.0, thickness_units="screen")

    def add_camera(self, camera: Camera, size_m: float) -> None:
        """Draw the camera of the first frame with a picture `size_m` ahead; :meth:`aim` moves it."""
        width, height = camera.size_px
        self._picture_m = 1.5 * size_m
        fov = 2 * np.arctan(height / 2 / camera.focal_px)
        self.frustum = self.server.scene.add_camera_frustum(f"{self.name}/camera", fov, width / height, scale=size_m, color=self.colour,
                                                              thickness=2.0, thickness_units="screen", format="jpeg", jpeg_quality=75)
        self.aim(camera.at(0))

    def aim(self, camera: Camera, picture: np.ndarray | None = None) -> None:
        """Turn the camera as it is in a frame, and show what it saw, (h, w, 3) uint8."""
        self.frustum.wxyz, self.frustum.position = rotations.matrix_to_quat(camera.R.T), camera.centre_m
        if picture is not None:
            self.frustum.image = picture

    def pose(self, turned_wxyz: np.ndarray, joints_m: np.ndarray, soles_m: np.ndarray, contacts: np.ndarray) -> None:
        """Show one frame: global rotations (24, 4), joints (24, 3), heels and toes (4, 3) with their contact probabilities (4,)."""
        self._pelvis_m = joints_m[0]
        with self.server.atomic():
            for part in (part for part in (self.mesh, self.bones) if part.visible):
                for bone, turn, joint in zip(part.bones, turned_wxyz, joints_m, strict=True):
                    bone.wxyz, bone.position = turn, joint
            for mark, sole, contact in zip(self.marks, soles_m, contacts, strict=True):
                shown = bool(self._marked and contact > 0.5)
                if shown:
                    mark.position = sole
                if mark.visible != shown:
                    mark.visible = shown
            if self.label is not None:
                self.label.position = joints_m[0] + [0, joints_m[:, 1].max() - joints_m[0, 1] + 0.3, 0]


class MotionView(BodyView):
    """A body that shows the frames of a motion."""

    def __init__(self, server: Any, name: str, motion: Motion, colour: tuple[int, int, int], label: str, camera: bool = True):
        super().__init__(server, name, colour, motion.betas, motion.body, label)
        self.motion, self.shown, self.soles_m = motion, -1, sole_points(motion)
        self._first, self._turned = -1, np.zeros(0)
        self.add_path(motion.root_pos_m)
        if camera and motion.camera is not None:
            away_m = float(np.median(np.linalg.norm(motion.root_pos_m - motion.camera.centre_m, axis=-1)))
            self.add_camera(motion.camera, float(np.clip(0.15 * away_m, 0.3, 3.0)))

    def at(self, row: int, again: bool = False) -> bool:
        """Show a frame; return whether that is another one than before."""
        if row == self.shown and not again:
            return False
        self.shown = row
        self.pose(self._turns(row), self.motion.joints_m[row], self.soles_m[row], self.motion.contacts[row])
        return True

    def _turns(self, row: int, at_once: int = 64) -> np.ndarray:
        """Global rotations (24, 4) of a frame, worked out some frames at a time."""
        first = row - row % at_once
        if first != self._first:
            matrices = load_body(self.motion.body).global_rotations(self.motion.local_quat_wxyz[first : first + at_once])
            self._first, self._turned = first, rotations.matrix_to_quat(matrices)
        return self._turned[row - first]
