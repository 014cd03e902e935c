"""glTF out: the container, skin and animation as the specification of glTF 2.0 has them, read by a loader of our own and by others'."""

import json
import struct

import numpy as np
import pytest

from mrs import plugins
from mrs.body import load_body
from mrs.formats import gltf
from mrs.skeletons import SMPL_24
from tests.formats.consumers import xyzw
from tests.formats.known_pose import FRAMES, known_pose, wandering

SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
KINDS = {5126: "<f4", 5123: "<u2", 5125: "<u4"}


def load(data):
    """Parse a GLB by its specification: header, JSON, binary, and a function that reads an accessor."""
    magic, version, length = struct.unpack_from("<4s2I", data)
    assert (magic, version, length) == (b"glTF", 2, len(data)) and length % 4 == 0
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
    binary = data[28 + size :]
    assert kind == b"BIN\0" and binary_size == len(binary) == document["buffers"][0]["byteLength"]

    def accessor(index):
        a = document["accessors"][index]
        view = document["bufferViews"][a["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        return np.frombuffer(binary, KINDS[a["componentType"]], a["count"] * SIZES[a["type"]], view["byteOffset"]).reshape(a["count"], -1)

    return document, accessor


def skinned(document, accessor, row):
    """Vertices at a keyframe: animation onto nodes, nodes to the world, joints with inverse bind matrices, weights."""
    nodes = [dict(n) for n in document["nodes"]]
    animation = document["animations"][0]
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        nodes[channel["target"]["node"]][channel["target"]["path"]] = accessor(sampler["output"])[row].astype(float)
    world = {}

    def place(index, above):
        node = nodes[index]
        own = np.eye(4)
        own[:3, :3], own[:3, 3] = xyzw(node.get("rotation", [0, 0, 0, 1])), node.get("translation", [0, 0, 0])
        world[index] = above @ own
        for child in node.get("children", ()):
            place(child, world[index])

    for root in document["scenes"][0]["nodes"]:
        place(root, np.eye(4))
    skin, primitive = document["skins"][0], document["meshes"][0]["primitives"][0]
    inverse = np.swapaxes(accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4), 1, 2)
    bones = np.stack([world[j] for j in skin["joints"]]) @ inverse
    points, joints, weights = (accessor(primitive["attributes"][n]) for n in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
    full = np.concatenate([points, np.ones((len(points), 1))], 1)
    return np.einsum("vk,vkab,vb->va", weights, bones[joints], full)[:, :3]


@pytest.fixture(scope="module")
def made():
    """A motion with another body and its GLB."""
    motion = known_pose(betas=np.array([1.0, -0.5, 0, 0, 0, 0, 0, 0, 0, 0]))
    return motion, gltf.dumps(motion, "anna")


@pytest.mark.parametrize("row", [0, 4, FRAMES - 1])
def test_the_skin_is_where_the_body_is(made, row):
    """Skinned by glTF's rules, vertices stand where the body's own skinning puts them, but for weights beyond four joints."""
    motion, data = made
    found = skinned(*load(data), row)
    errors = np.linalg.norm(found - load_body().vertices(motion, slice(row, row + 1))[0], axis=1)
    assert np.percentile(errors, 99) < 1e-3 and errors.max() < 0.02


def test_the_animation_is_the_motion(made):
    """Joints by name, seconds from 0, rotations x y z w in one hemisphere, the pelvis in metres with Y up."""
    motion, data = made
    document, accessor = load(data)
    assert [n["name"] for n in document["nodes"][:24]] == list(SMPL_24.names) and document["nodes"][24]["name"] == "anna"
    samplers = document["animations"][0]["samplers"]
    np.testing.assert_allclose(accessor(samplers[0]["input"])[:, 0], motion.times_s, atol=1e-6)
    np.testing.assert_allclose(accessor(samplers[0]["output"]), motion.root_pos_m, atol=1e-6)
    turn = accessor(samplers[1 + SMPL_24.index("left_shoulder")]["output"])
    np.testing.assert_allclose(turn, np.tile([0, 0, np.sqrt(0.5), np.sqrt(0.5)], (FRAMES, 1)), atol=1e-6)
    for sampler in samplers[1:]:
        values = accessor(sampler["output"])
        assert (values[1:] * values[:-1]).sum(1).min() > 0
        np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)


def test_the_mesh_is_valid(made):
    """Weights sum to one, indices and joints are in range, normals are unit and point outwards, bounds are the accessor's."""
    document, accessor = load(made[1])
    primitive = document["meshes"][0]["primitives"][0]
    points, normals, joints, weights = (accessor(primitive["attributes"][n]) for n in ("POSITION", "NORMAL", "JOINTS_0", "WEIGHTS_0"))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert joints.max() < 24 and accessor(primitive["indices"]).max() == len(points) - 1
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert (normals * (points - points.mean(0))).sum() > 0
    bounds = document["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_allclose(bounds["min"], points.min(0), atol=1e-6)


def test_others_read_it(tmp_path):
    """pygltflib and trimesh take the file: 24 joints in the skin, an animation, the body's faces."""
    path = tmp_path / "a.glb"
    plugins.load().make("exporter", "gltf").write(wandering(5), path)
    pygltflib = pytest.importorskip("pygltflib")
    read = pygltflib.GLTF2().load(str(path))
    assert len(read.skins[0].joints) == 24 and len(read.animations[0].channels) == 25
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load(str(path))
    mesh = next(iter(scene.geometry.values()))
    assert len(mesh.faces) == len(load_body().faces) and 1.5 < mesh.extents[1] < 2.1


def test_a_single_frame_is_a_still(tmp_path):
    """One frame is written too."""
    plugins.load().make("exporter", "gltf").write(known_pose(frames=1), tmp_path / "a.glb")
    document, accessor = load((tmp_path / "a.glb").read_bytes())
    assert accessor(document["animations"][0]["samplers"][0]["input"]).tolist() == [[0.0]]
