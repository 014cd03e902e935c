"""Loaders written from what the consumers of our exports document, not from our writers. Each returns joints or links in its own world.

Quaternions here are in the order that the format says; `matrix` takes w x y z.
"""

import json
import pickle
from pathlib import Path

import numpy as np


def matrix(w, x, y, z):
    """Rotation matrix of a quaternion, by the textbook formula; some files of DeepMimic's corpus are a per cent off unit length."""
    w, x, y, z = np.array([w, x, y, z]) / np.linalg.norm([w, x, y, z])
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])


def xyzw(q):
    """Matrix of a quaternion whose scalar is last."""
    return matrix(q[3], *q[:3])


def vector(v):
    """Matrix of a rotation vector, by Rodrigues' formula."""
    angle = np.linalg.norm(v)
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = np.asarray(v) / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def hinge(axis, angle):
    """Matrix of a turn about an axis."""
    return vector(np.asarray(axis, float) * angle)


# DeepMimic's skeleton (specification, 5.6): Y up, x ahead, z to the right, arms hang.
DEEPMIMIC = {"right": 1, "left": -1}


def deepmimic(path):
    """(loop, durations, joints by name (T, 3), frames) of a DeepMimic file."""
    data = json.loads(Path(path).read_text())
    frames = np.array(data["Frames"])
    assert frames.shape[1] == 44
    joints = {}
    for frame in frames:
        for name, place in deepmimic_frame(frame).items():
            joints.setdefault(name, []).append(place)
    return data["Loop"], frames[:, 0], {name: np.array(places) for name, places in joints.items()}, frames


def deepmimic_frame(f):
    """Joint positions of one frame of 44 numbers."""
    root, place = matrix(*f[4:8]), f[1:4]
    chest_at = place + root @ [0, 0.236151, 0]
    chest = root @ matrix(*f[8:12])
    out = {"root": place, "chest": chest_at, "neck": chest_at + chest @ [0, 0.223894, 0]}
    for side, hip, knee, shoulder, elbow in (("right", 16, 20, 25, 29), ("left", 30, 34, 39, 43)):
        z = DEEPMIMIC[side]
        out[f"{side}_hip"] = place + root @ [0, 0, 0.084887 * z]
        thigh = root @ matrix(*f[hip : hip + 4])
        out[f"{side}_knee"] = out[f"{side}_hip"] + thigh @ [0, -0.421546, 0]
        shin = thigh @ hinge([0, 0, 1], f[knee])
        out[f"{side}_ankle"] = out[f"{side}_knee"] + shin @ [0, -0.409870, 0]
        out[f"{side}_toe"] = out[f"{side}_ankle"] + shin @ matrix(*f[knee + 1 : knee + 5]) @ [0.1335, -0.05, 0]
        out[f"{side}_shoulder"] = chest_at + chest @ [-0.02405, 0.24350, 0.18311 * z]
        arm = chest @ matrix(*f[shoulder : shoulder + 4])
        out[f"{side}_elbow"] = out[f"{side}_shoulder"] + arm @ [0, -0.274788, 0]
        out[f"{side}_wrist"] = out[f"{side}_elbow"] + arm @ hinge([0, 0, 1], f[elbow]) @ [0, -0.258947, 0]
    return out


def mimickit(path):
    """(loop mode, fps, joints by name (T, 3), frames) of MimicKit's humanoid: Z up, T-pose zero, depth-first joints."""
    with open(path, "rb") as file:
        data = pickle.load(file)
    frames = np.array(data["frames"], np.float32).astype(float)
    joints = {}
    for f in frames:
        root, place, at = vector(f[3:6]), f[:3], 6
        out = {"root": place, "chest": place + root @ [0, 0, 0.236151]}
        chest = root @ vector(f[at : at + 3])
        out["neck"], at = out["chest"] + chest @ [0, 0, 0.223894], at + 6
        for side, s in (("right", -1), ("left", 1)):
            out[f"{side}_shoulder"] = out["chest"] + chest @ [-0.02405, s * 0.18311, 0.24350]
            arm = chest @ vector(f[at : at + 3])
            out[f"{side}_elbow"] = out[f"{side}_shoulder"] + arm @ [0, s * 0.274788, 0]
            out[f"{side}_wrist"] = out[f"{side}_elbow"] + arm @ hinge([0, 0, 1], f[at + 3]) @ [0, s * 0.258947, 0]
            at += 4
        for side, s in (("right", -1), ("left", 1)):
            out[f"{side}_hip"] = place + root @ [0, s * 0.084887, 0]
            thigh = root @ vector(f[at : at + 3])
            out[f"{side}_knee"] = out[f"{side}_hip"] + thigh @ [0, 0, -0.421546]
            out[f"{side}_ankle"] = out[f"{side}_knee"] + thigh @ hinge([0, 1, 0], f[at + 3]) @ [0, 0, -0.409870]
            at += 7
        assert at == len(f) == 34
        for name, where in out.items():
            joints.setdefault(name, []).append(where)
    return data["loop_mode"], data["fps"], {n: np.array(p) for n, p in joints.items()}, frames


def skeleton_motion(path):
    """poselib's SkeletonMotion.from_file: (dict, node names, global positions (T, 15, 3), global matrices)."""
    data = np.load(path, allow_pickle=True).item()
    assert data["__name__"] == "SkeletonMotion" and data["is_local"]

    def tensor(entry):
        return entry["arr"].astype(entry["context"]["dtype"])

    tree = data["skeleton_tree"]
    names, parents, offsets = list(map(str, tree["node_names"])), tensor(tree["parent_indices"]), tensor(tree["local_translation"])
    local, root = tensor(data["rotation"]), tensor(data["root_translation"])
    placed, turned = np.zeros((*local.shape[:2], 3)), np.zeros((*local.shape[:2], 3, 3))
    for t in range(len(local)):
        for j, parent in enumerate(parents):
            own = xyzw(local[t, j])
            turned[t, j] = own if parent < 0 else turned[t, parent] @ own
            placed[t, j] = root[t] if parent < 0 else placed[t, parent] + turned[t, parent] @ offsets[j]
    return data, names, placed, turned


def smpl_forward(pelvis, root, local, offsets, parents):
    """Positions of one frame of a skeleton: pelvis, global root matrix, local matrices of the other joints."""
    turned, placed = [root], [pelvis]
    for j in range(1, len(parents)):
        turned.append(turned[parents[j]] @ local[j])
        placed.append(placed[parents[j]] + turned[parents[j]] @ offsets[j])
    return np.array(placed), np.array(turned)


def amass(path, offsets, parents, rest_pelvis):
    """SMPL's joints (T, 22, 3) as its body model makes them of an AMASS file: turned about the rest pelvis, then moved by trans."""
    with np.load(path, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    poses = data["poses"][:, :66].reshape(-1, 22, 3)
    out = []
    for pose, trans in zip(poses, data["trans"]):
        local = [vector(v) for v in pose]
        out.append(smpl_forward(rest_pelvis + trans, local[0], local, offsets[:22], parents[:22])[0])
    return data, np.array(out)


def bvh_text(path):
    """(names, parents, offsets, channels, frame time, values) of a BVH file, by its grammar."""
    head, _, tail = Path(path).read_text().partition("MOTION")
    words, names, parents, offsets, channels, chain, at = head.split(), [], [], [], [], [], 1
    while at < len(words):
        word = words[at]
        if word in ("ROOT", "JOINT"):
            names.append(words[at + 1])
            parents.append(chain[-1] if chain else -1)
            chain.append(len(names) - 1)
            at += 3
        elif word == "End":
            at += 8
        elif word == "OFFSET":
            offsets.append([float(v) for v in words[at + 1 : at + 4]])
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            channels.append(words[at + 2 : at + 2 + count])
            at += 2 + count
        else:
            assert word == "}", word
            chain.pop()
            at += 1
    lines = tail.strip().split("\n")
    return names, parents, np.array(offsets), channels, float(lines[1].split()[-1]), np.array([[float(v) for v in line.split()] for line in lines[2:]])


def gmr_bvh(path):
    """GMR's load_bvh_file on LAFAN1: {bone: (position (T, 3), matrix (T, 3, 3))} in metres, Z up."""
    names, parents, offsets, channels, _, values = bvh_text(path)
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    out = {name: ([], []) for name in names}
    for row in values:
        at, placed, turned = 0, [], []
        for joint, parent in enumerate(parents):
            numbers, at = row[at : at + len(channels[joint])], at + len(channels[joint])
            own = np.eye(3)
            for channel, value in zip(channels[joint], numbers):
                if channel.endswith("rotation"):
                    own = own @ hinge(np.eye(3)["XYZ".index(channel[0])], np.radians(value))
            turned.append(own if parent < 0 else turned[parent] @ own)
            placed.append(numbers[:3] if parent < 0 else placed[parent] + turned[parent] @ offsets[joint])
        for joint, name in enumerate(names):
            out[name][0].append(turn @ placed[joint] / 100)
            out[name][1].append(turn @ turned[joint])
    return {name: (np.array(p), np.array(r)) for name, (p, r) in out.items()}
