"""glTF 2.0 binary (GLB): the body's mesh, skinned to 24 joints, and its animation. Metres, Y up, facing +Z, quaternions x y z w, seconds.

glTF's world is ours, so that nothing turns. Each vertex follows four joints at most; weights beyond the four largest, which the body
has at few vertices, are shared out among those. Frame times are the motion's own, even or not. Written with `json` and `struct`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field, replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats.phc import xyzw
from mrs.motion import Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS

MAGIC, VERSION, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
FLOAT, USHORT, UINT = 5126, 5123, 5125
ARRAY_BUFFER, ELEMENT_BUFFER = 34962, 34963
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_COMPONENTS = {FLOAT: np.float32, USHORT: np.uint16, UINT: np.uint32}
SKIN_RGBA = (0.62, 0.70, 0.80, 1.0)


@dataclass
class _Buffer:
    """The binary part so far, with the views and accessors that point into it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict] = field(default_factory=list)
    accessors: list[dict] = field(default_factory=list)

    def add(self, values: np.ndarray, component: int, target: int | None = None) -> int:
        """Append an array (N,) or (N, k) and return its accessor."""
        values = np.ascontiguousarray(values, _COMPONENTS[component])
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        self.views.append(view | ({"target": target} if target else {}))
        self.data += values.tobytes()
        flat = values.reshape(len(values), -1)
        accessor = {"bufferView": len(self.views) - 1, "componentType": component, "count": len(values), "type": _TYPES[flat.shape[1]]}
        self.accessors.append(accessor | {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()})
        return len(self.accessors) - 1


def dumps(motion: Motion, name: str = "person") -> bytes:
    """Return the bytes of a GLB."""
    body = load_body(motion.body)
    motion = replace(motion, local_quat_wxyz=rotations.align_hemispheres(rotations.normalise(motion.local_quat_wxyz, [1, 0, 0, 0])))
    buffer = _Buffer()
    rest = body.rest_m + body.rest_shape_m @ motion.betas
    mesh = {"name": name, "primitives": [{"attributes": _skin(body, motion.betas, buffer), "mode": 4, "material": 0, "indices": buffer.add(
        body.faces.ravel(), UINT, ELEMENT_BUFFER)}]}
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(SMPL_24), 1, 1))
    inverse[:, 3, :3] = -rest
    skin = {"inverseBindMatrices": buffer.add(inverse.reshape(-1, 16), FLOAT), "skeleton": 0, "joints": list(range(len(SMPL_24)))}
    document = {
        "asset": {"version": "2.0", "generator": "mrs"}, "scene": 0, "scenes": [{"nodes": [0, len(SMPL_24)]}],
        "nodes": [*_joints(rest, motion), {"name": name, "mesh": 0, "skin": 0}], "meshes": [mesh], "skins": [skin],
        "materials": [{"name": "skin", "pbrMetallicRoughness": {"baseColorFactor": SKIN_RGBA, "metallicFactor": 0.0, "roughnessFactor": 0.8}}],
        "animations": [_animation(motion, buffer)], "bufferViews": buffer.views, "accessors": buffer.accessors,
        "buffers": [{"byteLength": len(buffer.data) + -len(buffer.data) % 4}]}
    return _pack(document, bytes(buffer.data))


def _skin(body, betas: np.ndarray, buffer: _Buffer) -> dict[str, int]:
    """Add positions, normals, and the four joints and weights of each vertex."""
    vertices = body.template_m + body.shape_m @ betas
    corners = vertices[body.faces]
    normals = np.zeros_like(vertices)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        np.add.at(normals, body.faces[:, corner], flat)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    joints = np.argsort(-body.weights, 1)[:, :4]
    weights = np.take_along_axis(body.weights, joints, 1)
    weights = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return {"POSITION": buffer.add(vertices, FLOAT, ARRAY_BUFFER), "NORMAL": buffer.add(normals, FLOAT, ARRAY_BUFFER),
            "JOINTS_0": buffer.add(np.where(weights > 0, joints, 0), USHORT, ARRAY_BUFFER), "WEIGHTS_0": buffer.add(weights, FLOAT, ARRAY_BUFFER)}


def _joints(rest: np.ndarray, motion: Motion) -> list[dict]:
    """Nodes of the joints, standing as in the first frame."""
    nodes = []
    for row, (name, parent) in enumerate(zip(SMPL_24.names, SMPL_PARENTS.tolist())):
        place = motion.root_pos_m[0] if parent < 0 else rest[row] - rest[parent]
        node = {"name": name, "translation": place.tolist(), "rotation": xyzw(motion.local_quat_wxyz[0, row]).tolist()}
        children = np.flatnonzero(SMPL_PARENTS == row).tolist()
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _animation(motion: Motion, buffer: _Buffer) -> dict:
    """Samplers of the root's place and of every joint's turn."""
    times = buffer.add(motion.times_s - motion.times_s[0], FLOAT)
    samplers = [{"input": times, "interpolation": "LINEAR", "output": buffer.add(motion.root_pos_m, FLOAT)}]
    channels = [{"sampler": 0, "target": {"node": 0, "path": "translation"}}]
    for row in range(len(SMPL_24)):
        samplers.append({"input": times, "interpolation": "LINEAR", "output": buffer.add(xyzw(motion.local_quat_wxyz[:, row]), FLOAT)})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": row, "path": "rotation"}})
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _pack(document: dict, data: bytes) -> bytes:
    """Join header, JSON chunk and binary chunk, each padded to four bytes."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    size = 12 + 8 + len(text) + 8 + len(data)
    return b"".join([struct.pack("<3I", MAGIC, VERSION, size), struct.pack("<2I", len(text), JSON_CHUNK), text,
                     struct.pack("<2I", len(data), BINARY_CHUNK), data])
