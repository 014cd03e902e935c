"""Humanoids of other programs as MJCF, made from our tables: DeepMimic's, MimicKit's, SMPL's as PHC has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mrs.formats.carry import TO_SIM
from mrs.formats.humanoid import LINKS, RAISE, Z_UP, Link, Shape
from mrs.formats.smpl_skeleton import BODIES, OFFSETS_M, PARENTS

_HEAD = '<mujoco><compiler angle="radian" inertiafromgeom="true"/><worldbody>'
_TAIL = "</worldbody></mujoco>"
# MimicKit's names, and the ranges of its hinges about x, y and z in degrees; right's are mirrored.
_MIMICKIT = {"root": "pelvis", "chest": "torso", "neck": "head", "hip": "thigh", "knee": "shin", "ankle": "foot", "shoulder": "upper_arm",
             "elbow": "lower_arm", "wrist": "hand"}
_RANGES_DEG = {"torso": ((-60, 60), (-60, 90), (-70, 70)), "head": ((-50, 50), (-40, 60), (-45, 45)),
               "upper_arm": ((-140, 110), (-90, 90), (-160, 60)), "thigh": ((-30, 60), (-140, 60), (-60, 60)),
               "foot": ((-30, 30), (-55, 55), (-40, 40))}


def deepmimic(wider_rad: float = 0.0) -> str:
    """DeepMimic's: its links, balls, and hinges with their limits, or wider ones; arms hang down at rest."""
    def joint(link: Link) -> str:
        if link.joint == "hinge":
            low, high = link.limits_rad
            return f'<joint name="{link.name}" axis="{_numbers(Z_UP @ [0, 0, 1])}" range="{low - wider_rad} {high + wider_rad}"/>'
        return {"free": "<freejoint/>", "ball": f'<joint name="{link.name}" type="ball"/>'}.get(link.joint, "")

    return _HEAD + _link(LINKS[0], lambda name: name, joint, lambda link: Z_UP) + _TAIL


def mimickit() -> str:
    """MimicKit's: the same links in T-pose at rest, three hinges with ranges for each ball."""
    def named(name: str) -> str:
        side, _, part = name.rpartition("_")
        return f"{side}_{_MIMICKIT[part]}" if side else _MIMICKIT[name]

    def joint(link: Link) -> str:
        name = named(link.name)
        if link.joint == "hinge":
            elbow = link.name.endswith("elbow")
            limits = (0, 160) if not elbow or name.startswith("right") else (-160, 0)
            return _hinge(name, (0, 0, 1) if elbow else (0, 1, 0), limits)
        if link.joint != "ball":
            return "<freejoint/>" if link.joint == "free" else ""
        ranges = [(low, high) if axis == 1 or not name.startswith("right") else (-high, -low)
                  for axis, (low, high) in enumerate(_RANGES_DEG[name.removeprefix("left_").removeprefix("right_")])]
        return "".join(_hinge(f"{name}_{axis}", row, limits) for axis, row, limits in zip("xyz", np.eye(3), ranges, strict=True))

    def axes(link: Link) -> np.ndarray:
        side, _, part = link.name.rpartition("_")
        return Z_UP @ RAISE[side].T if part in ("shoulder", "elbow", "wrist") else Z_UP

    return _HEAD + _link(LINKS[0], named, joint, axes) + _TAIL


def smpl() -> str:
    """SMPL's mean humanoid, three hinges a joint, in SMPL's own axes with Y up, as PHC's files have it: at rest it lies on its back."""
    def body(row: int) -> str:
        name = BODIES[row]
        joints = "<freejoint/>" if row == 0 else "".join(_hinge(f"{name}_{axis}", way, (-180, 180)) for axis, way in zip("xyz", np.eye(3), strict=True))
        foot = name.endswith(("Ankle", "Toe"))
        geom = '<geom type="box" pos="0 -0.027 0.035" size="0.045 0.027 0.08"/>' if foot else '<geom type="sphere" size="0.04"/>'
        inside = "".join(body(child) for child in np.flatnonzero(PARENTS == row))
        return f'<body name="{name}" pos="{_numbers(OFFSETS_M[row] @ TO_SIM)}">{joints}{geom}{inside}</body>'

    return _HEAD + body(0) + _TAIL


def _hinge(name: str, axis, limits_deg: tuple[float, float]) -> str:
    return f'<joint name="{name}" axis="{_numbers(axis)}" range="{_numbers(np.radians(limits_deg))}"/>'


def _link(link: Link, named: Callable, joint: Callable, axes: Callable) -> str:
    """A link and all below it; `axes` turns what lies inside a link from DeepMimic's axes, hanging arms and all, to the model's."""
    above = next((axes(other) for other in LINKS if other.name == link.parent), Z_UP)
    inside = "".join(_shape(shape, axes(link)) for shape in link.shapes)
    inside += "".join(_link(other, named, joint, axes) for other in LINKS if other.parent == link.name)
    return f'<body name="{named(link.name)}" pos="{_numbers(above @ np.array(link.offset_m))}">{joint(link)}{inside}</body>'


def _shape(shape: Shape, axes: np.ndarray) -> str:
    a, b = axes @ shape.a, axes @ shape.b
    if shape.kind == "capsule":
        return f'<geom type="capsule" fromto="{_numbers(a)} {_numbers(b)}" size="{shape.radius_m}"/>'
    size = _numbers(np.abs(b)) if shape.kind == "box" else str(shape.radius_m)
    return f'<geom type="{shape.kind}" pos="{_numbers(a)}" size="{size}"/>'


def _numbers(values) -> str:
    return " ".join(f"{value:.9g}" for value in np.asarray(values, float))
