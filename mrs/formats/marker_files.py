"""Trajectories of points for biomechanics and spreadsheets: TRC, C3D, CSV."""

from __future__ import annotations

import csv
import io

import numpy as np

from mrs.body import load_body
from mrs.formats.carry import TO_Z_UP
from mrs.motion import Motion
from mrs.skeletons import SMPL_24, Keypoints

MM = 1000.0


def points(motion: Motion, keypoints: Keypoints) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and positions (T, K, 3) in metres, Y up, of the set's points that the body has."""
    body = load_body(motion.body)
    if keypoints.name == SMPL_24.name:
        return keypoints.names, motion.joints_m
    known, _ = keypoints.subset(body.landmark_names)
    return known.names, body.keypoints(motion, known)


def trc_text(motion: Motion, keypoints: Keypoints, fps: float, name: str, *, unit: str = "m") -> str:
    """A TRC file, as OpenSim and Pose2Sim read it: Y up, tabs, frames from 1, times from the motion's own."""
    names, placed = points(motion, keypoints)
    placed = placed * (MM if unit == "mm" else 1.0)
    header = [f"PathFileType\t4\t(X/Y/Z)\t{name}",
              "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
              f"{fps:.6f}\t{fps:.6f}\t{len(placed)}\t{len(names)}\t{unit}\t{fps:.6f}\t1\t{len(placed)}",
              "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
              "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ"), ""]
    rows = (np.round(placed.reshape(len(placed), -1), 6) + 0.0).tolist()
    body = [f"{frame}\t{time:.6f}\t" + "\t".join(f"{value:.6f}" for value in row)
            for frame, (time, row) in enumerate(zip((motion.times_s - motion.times_s[0]).tolist(), rows), 1)]
    return "\n".join([*header, *body]) + "\n"


def save_c3d(path, motion: Motion, keypoints: Keypoints, fps: float) -> None:
    """Write C3D with ezc3d: millimetres, Z up; our (x, y, z) is (x, -z, y), so that whoever faces our +Z faces -Y."""
    import ezc3d

    names, placed = points(motion, keypoints)
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [float(fps)]
    file["parameters"]["POINT"]["LABELS"]["value"] = tuple(names)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    values = np.ones((4, len(names), len(placed)))
    values[:3] = np.moveaxis(placed @ TO_Z_UP.T * MM, (0, 1, 2), (2, 1, 0))
    file["data"]["points"] = values
    file.write(str(path))


def csv_text(motion: Motion, *, holds: str = "both") -> str:
    """A table, one row a frame: time, root, then each joint's position (m, Y up) and local turn (w x y z); the header says all that."""
    columns = ["frame", "time_s"]
    parts = [np.arange(len(motion), dtype=float)[:, None], motion.times_s[:, None]]
    for name, row in zip(SMPL_24.names, range(len(SMPL_24))):
        if holds in ("both", "positions"):
            columns += [f"{name}_{axis}_m" for axis in "xyz"]
            parts.append(motion.joints_m[:, row])
        if holds in ("both", "rotations"):
            columns += [f"{name}_local_q{axis}" for axis in "wxyz"]
            parts.append(motion.local_quat_wxyz[:, row])
    columns += [f"contact_{name}" for name in ("left_heel", "left_toe", "right_heel", "right_toe")]
    parts.append(motion.contacts)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in (np.round(np.concatenate(parts, 1), 9) + 0.0).tolist():
        writer.writerow([int(row[0]), *(f"{value:.9g}" for value in row[1:])])
    return text.getvalue()
