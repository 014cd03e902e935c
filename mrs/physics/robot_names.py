"""Which body of a MuJoCo humanoid is which joint of ours, by the names that humanoids and robots go by."""

from __future__ import annotations

import re

from mrs.errors import InputError, UsageError
from mrs.skeletons import SMPL_24

# Best first. A robot's hip, shoulder and wrist are several links; the first word that one has is taken.
WORDS = {
    "pelvis": ("pelvis", "hips", "hip", "root", "base", "trunk"),
    "spine3": ("chest", "spine3", "spine2", "torso", "thorax", "waistyaw", "waist", "spine"),
    "head": ("head", "neck"),
    "hip": ("hip", "thigh", "upleg", "upperleg", "hiproll", "hippitch", "hipyaw"),
    "knee": ("knee", "shin", "lowerleg", "calf", "leg", "kneepitch"),
    "ankle": ("ankleroll", "ankle", "foot", "anklepitch"),
    "foot": ("toe", "toebase", "toes"),
    "shoulder": ("shoulderroll", "shoulder", "upperarm", "uparm", "arm", "shoulderpitch"),
    "elbow": ("elbow", "lowerarm", "forearm", "elbowpitch"),
    "wrist": ("wristyaw", "wrist", "hand", "wristroll", "rubberhand"),
}
NEEDED = ("pelvis", *(f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow")))


def match(names: list[str], given: dict[str, str] | None = None, where: str = "the model") -> dict[str, str]:
    """Return our joint -> body. `given` maps bodies to our joints and wins. Raises InputError that names what is missing."""
    sides = [_side(name) for name in names]
    found: dict[str, str] = {}
    for side in ("", "left", "right"):
        own = {plain: name for name, (its_side, plain) in zip(names, sides, strict=True) if its_side == side}
        for part, words in WORDS.items():
            if (part in ("pelvis", "spine3", "head")) == (side == ""):
                body = next((own[word] for word in words if word in own), None)
                if body is not None and body not in found.values():
                    found[f"{side}_{part}" if side else part] = body
    for body, joint in (given or {}).items():
        if body not in names or joint not in SMPL_24.names:
            raise UsageError(f"Expected --map BODY=JOINT with a body of {where} and a joint out of {', '.join(SMPL_24.names)}, but got "
                             f"{body}={joint}.")
        found = {j: b for j, b in found.items() if b != body} | {joint: body}
    lacking = [name for name in NEEDED if name not in found]
    if lacking:
        raise InputError(f"Expected bodies for {', '.join(lacking)} in {where}, but its bodies are {', '.join(names[:40])}. "
                         "Type --map BODY=JOINT for each.")
    return found


def _side(name: str) -> tuple[str, str]:
    """Split a body's name into its side and the word without separators, 'link' and 'body'."""
    words = [w for w in re.split(r"[_\-\s.:]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if w not in ("link", "body", "")]
    for side, marks in (("left", ("left", "l")), ("right", ("right", "r"))):
        if any(mark in words for mark in marks):
            return side, "".join(w for w in words if w not in marks)
        if words and words[0].startswith(side):
            return side, words[0].removeprefix(side) + "".join(words[1:])
    return "", "".join(words)
