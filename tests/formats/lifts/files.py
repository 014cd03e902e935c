"""Files in the published layouts of HMMR, VIBE, WHAM, GVHMR, PHALP, TRAM and AMASS, made of a motion whose every number is known.

Each writer has the convention of its program written out: axes, what moves by `trans`, order and number of joints, camera, ids of frames.
"""

import pickle
from collections import defaultdict

import numpy as np
import torch

from mrs import rotations
from mrs.formats.lifts import REST_PELVIS_M

BETAS = np.linspace(-0.5, 0.5, 10)


def in_camera(motion):
    """Local rotations (T, 24, 3, 3) with the root before the camera, and the pelvis (T, 3) there."""
    camera = motion.camera
    local = rotations.quat_to_matrix(motion.local_quat_wxyz)
    local[:, 0] = camera.R @ local[:, 0]
    return local, camera.to_camera(motion.root_pos_m)


def refocused(motion, K):
    """The pelvis (T, 3) before a camera K of another focal length that shows it at the same pixel and size."""
    own, (_, pelvis) = motion.camera.K, in_camera(motion)
    pixel = pelvis[:, :2] / pelvis[:, 2:] * own[[0, 1], [0, 1]] + own[:2, 2]
    depth = pelvis[:, 2:] * K[0, 0] / own[0, 0]
    return np.concatenate([(pixel - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones_like(depth)], 1) * depth


def camera(focal, center):
    return np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1.0]])


def diagonal(size_px):
    return camera(np.hypot(*size_px), np.array(size_px) / 2)


def axis_angle(local):
    return rotations.matrix_to_axis_angle(local).reshape(len(local), -1)


def hmmr(path, motion, size_px):
    """A plain pickle; rotation matrices; crops are not told of, and neither is the first frame."""
    local, _ = in_camera(motion)
    count = len(motion)
    held = {"poses": local.astype(np.float32), "shapes": np.tile(BETAS, (count, 1)), "cams": np.ones((count, 3), np.float32),
            "joints": np.zeros((count, 25, 3)), "kps": np.zeros((count, 25, 2)), "omegas": np.zeros((count, 85)),
            "poses_delta": np.zeros((count, 2, 24, 3, 3))}
    path.write_bytes(pickle.dumps(held, 2))


def vibe(path, motion, size_px, people=None, first=0):
    """joblib's dict by person (here a pickle, which is the same with its arrays inside); weak camera over the whole picture."""
    held = {}
    for label, (one, start) in (people or {1: (motion, first)}).items():
        local, pelvis = in_camera(one)
        own = one.camera.K
        per_metre = own[0, 0] / pelvis[:, 2]
        pixel = pelvis[:, :2] / pelvis[:, 2:] * own[[0, 1], [0, 1]] + own[:2, 2]
        t = (pixel - np.array(size_px) / 2) / per_metre[:, None] - REST_PELVIS_M["SMPL"][:2]
        orig = np.stack([2 * per_metre / size_px[0], 2 * per_metre / size_px[1], t[:, 0], t[:, 1]], -1)
        held[label] = {"pred_cam": np.ones((len(one), 3)), "orig_cam": orig, "verts": np.zeros((len(one), 5, 3)), "pose": axis_angle(local),
                       "betas": np.tile(BETAS, (len(one), 1)), "joints2d": None, "bboxes": np.zeros((len(one), 4)),
                       "frame_ids": start + np.arange(len(one))}
    path.write_bytes(pickle.dumps(held, 3))


def wham(path, motion, size_px, first=0, tilt_deg=0.0, focal=None):
    """A defaultdict; camera of the diagonal; trans moves SMPL's origin; pose_world has Y up and sees the camera tilted down."""
    local, _ = in_camera(motion)
    K = diagonal(size_px) if focal is None else camera(focal, np.array(size_px) / 2)
    world = local.copy()
    down = rotations.axis_angle_to_matrix(np.array([np.radians(tilt_deg), 0, 0]))
    world[:, 0] = (down @ np.diag([1.0, -1, -1])).T @ local[:, 0]
    held = defaultdict(dict)
    held[0] = {"pose": axis_angle(local), "trans": refocused(motion, K) - REST_PELVIS_M["SMPL"], "pose_world": axis_angle(world),
               "trans_world": np.zeros((len(motion), 3)), "betas": np.tile(BETAS, (len(motion), 1)).astype(np.float32),
               "verts": np.zeros((len(motion), 4, 3)), "frame_ids": first + np.arange(len(motion))}
    path.write_bytes(pickle.dumps(held, 4))


def gvhmr(path, motion, size_px, tilt_deg=0.0, focal=900.0):
    """torch.save of tensors; SMPL-X: 21 joints of the body beside the root, none of the hands; its own K for every frame."""
    local, _ = in_camera(motion)
    K = camera(focal, np.array(size_px) / 2 + 3)
    down = rotations.axis_angle_to_matrix(np.array([np.radians(tilt_deg), 0, 0]))
    outside = (down @ np.diag([1.0, -1, -1])).T @ local[:, 0]
    pose = torch.as_tensor(axis_angle(local)[:, 3:66], dtype=torch.float32)

    def params(root, trans):
        return {"body_pose": pose, "betas": torch.as_tensor(np.tile(BETAS, (len(motion), 1)), dtype=torch.float32),
                "global_orient": torch.as_tensor(rotations.matrix_to_axis_angle(root), dtype=torch.float32),
                "transl": torch.as_tensor(trans, dtype=torch.float32)}

    inside = params(local[:, 0], refocused(motion, K) - REST_PELVIS_M["SMPL-X"])
    torch.save({"smpl_params_global": params(outside, np.zeros((len(motion), 3))), "smpl_params_incam": inside,
                "K_fullimg": torch.as_tensor(K, dtype=torch.float32).repeat(len(motion), 1, 1),
                "net_outputs": {"static_conf_logits": torch.zeros(1, len(motion), 6)}}, path)


def phalp(path, motion, size_px, people=None):
    """By picture; lists over people; matrices; focal length 5000 / 256 times the longer side; a person carried on unseen at the end."""
    people = people or {7: motion}
    K = camera(5000 / 256 * max(size_px), [max(size_px) / 2 - (max(size_px) - s) // 2 for s in size_px])
    held = {}
    for row in range(len(motion)):
        name = f"_DEMO/clip/img/{row + 1:06d}.jpg"
        frame = held[name] = {"time": row, "shot": 0, "frame_path": name, "tid": [], "tracked_ids": [], "tracked_time": [], "smpl": [],
                              "camera": [], "bbox": [], "size": []}
        for label, one in people.items():
            local, _ = in_camera(one)
            unseen = row == len(motion) - 1
            frame["tid"].append(label)
            frame["tracked_time"].append(2 if unseen else 0)
            frame["smpl"].append({"global_orient": local[row, :1].astype(np.float32), "body_pose": local[row, 1:].astype(np.float32),
                                  "betas": BETAS.astype(np.float32)})
            frame["camera"].append((refocused(one, K)[row] - REST_PELVIS_M["SMPL"] + 9 * unseen).astype(np.float32))
            frame["bbox"].append(np.zeros(4))
            frame["size"].append(list(size_px[::-1]))
    path.write_bytes(pickle.dumps(held, 4))


def tram(folder, motion, size_px, first=0):
    """A folder of np.save files, dicts of tensors; pred_trans (N, 1, 3); the camera beside it."""
    local, _ = in_camera(motion)
    K = camera(1234.5, np.array(size_px) / 2)
    (folder / "hps").mkdir(parents=True)
    held = {"pred_cam": torch.ones(len(motion), 3), "pred_pose": torch.zeros(len(motion), 144),
            "pred_shape": torch.as_tensor(np.tile(BETAS, (len(motion), 1))), "pred_rotmat": torch.as_tensor(local),
            "pred_trans": torch.as_tensor(refocused(motion, K) - REST_PELVIS_M["SMPL"])[:, None], "frame": first + torch.arange(len(motion))}
    np.save(folder / "hps" / "hps_track_0.npy", held)
    np.save(folder / "camera.npy", {"pred_cam_R": np.eye(3)[None], "pred_cam_T": np.zeros((1, 3)), "img_focal": 1234.5,
                                    "img_center": np.array(size_px) / 2})


def amass(path, motion, rate_hz, turn_deg=0.0):
    """Z up; SMPL-H's 52 joints; trans moves the model's origin; another heading of the world."""
    to_z_up = rotations.axis_angle_to_matrix(np.radians([0, 0, turn_deg])) @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    local = rotations.quat_to_matrix(motion.local_quat_wxyz)
    local[:, 0] = to_z_up @ local[:, 0]
    poses = np.zeros((len(motion), 156))
    poses[:, :66] = axis_angle(local)[:, :66]
    np.savez(path, poses=poses, trans=motion.root_pos_m @ to_z_up.T, betas=np.zeros(16), gender="neutral", mocap_framerate=rate_hz)
