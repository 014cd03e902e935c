"""Joint names of BVH dialects for the 24 joints of SMPL's skeleton."""

from __future__ import annotations

from mrs.errors import InputError
from mrs.skeletons import SMPL_24

_LIMBS = {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm",
          "elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1"}
_SPINE = {"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head"}


def _preset(prefix: str = "", **changes: str) -> tuple[str, ...]:
    """Name the joints in SMPL's order in the style that most tools share; `changes` go by SMPL name without side."""
    names = []
    for name in SMPL_24.names:
        side, _, part = name.rpartition("_")
        words = {**_LIMBS, **_SPINE, **changes}[part]
        names.append(prefix + side.capitalize() + words)
    return tuple(names)


PRESETS = {
    "smpl": SMPL_24.names,
    "mixamo": _preset("mixamorig:"),
    "humanik": _preset(),
    "lafan1": _preset(foot="Toe"),
    "cmu": _preset(spine1="LowerBack", spine2="Spine", spine3="Spine1", hand="HandIndex1"),
}
OPTIONAL = ("left_hand", "right_hand")


def match(names: tuple[str, ...], where: str) -> tuple[str, dict[str, int]]:
    """Find SMPL's joints among a file's joint names: the preset that fits best, and SMPL name -> row.

    Case, underscores, spaces and a prefix before a colon do not count. Raises InputError that names missing joints.
    """
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        rows.setdefault(_plain(name), row)
    best, best_missing = "", list(SMPL_24.names)
    for preset, wanted in PRESETS.items():
        missing = [name for smpl, name in zip(SMPL_24.names, wanted)
                   if _plain(name) not in rows and smpl not in OPTIONAL]
        if not best or len(missing) < len(best_missing):
            best, best_missing = preset, missing
    if best_missing:
        raise InputError(f"Expected the joints of one of {', '.join(PRESETS)} in {where}, but as '{best}' it lacks "
                         f"{', '.join(best_missing)}.")
    found = {smpl: rows[_plain(name)] for smpl, name in zip(SMPL_24.names, PRESETS[best]) if _plain(name) in rows}
    return best, found


def _plain(name: str) -> str:
    return name.rpartition(":")[2].replace("_", "").replace(" ", "").lower()
