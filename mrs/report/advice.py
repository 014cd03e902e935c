"""What a run's warnings and numbers mean for the person who reads them, and what to type or film differently."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

ERROR_2D_PERCENT, SKATE_CM_S, JITTER, SEEN_SHARE, SUNK_CM = 5.0, 3.0, 60.0, 0.8, 3.0


@dataclass(frozen=True)
class Remark:
    """One thing to know: how much it matters (``look`` or ``note``), what it is, what to do about it (or nothing)."""

    weight: str
    text: str
    todo: str = ""


# The first pattern found in a warning gives its advice; a warning that says itself what to do needs none.
_ADVICE = (
    (r"Left from earlier runs", "Delete those files, or type --overwrite to begin afresh."),
    (r"no overlay", "Give the video to see the bodies over it."),
    (r"was edited since it was made", "Nothing: your edit counts. --overwrite would detect again and lose it."),
    (r"changed by hand and is written anew", "Keep edited copies under another name or in another folder."),
    (r"camera (?:moves|moved|turned|seems|is taken for)", ("Film from a tripod, or type --camera rotating to follow a camera that turns, or "
     "--camera FILE with its poses.")),
    (r"Feet were never seen", "Film the whole person; else do not trust contacts and height above the ground."),
    (r"comes as near as", "Keep two metres away from the camera, or leave that stretch out with --start and --end."),
    (r"No keypoint was seen", "Try another --detector, or --set detector.score_threshold=0.1."),
    (r"one frame: nothing can be smoothed", "Take a longer stretch of the video."),
    (r"not square|stretched", "Nothing: it was taken into account."),
    (r"cut off|can't be decoded|damaged", "Copy the file again from where it came, or go on with what could be read."),
    (r"no frame times", "If the rate is another one, convert the file to MP4 first."),
    (r"share the time", "Nothing: those frames are repetitions."),
    (r"no 3D landmarks", "Type --detector blazepose for landmarks in depth, where the video is at hand."),
    (r"not numbers", "Look at that person in the overlay; drop it with mrs tracks drop RUN ID if it is nobody."),
)


def remarks(report: dict[str, Any]) -> list[Remark]:
    """Return the warnings of run.json with advice, and what its numbers give reason to look at, the weightiest first."""
    told = [Remark("look", text, _todo(text)) for text in report.get("warnings", [])]
    for number, person in sorted(report.get("persons", {}).items()):
        told += _of_person(number, person, report)
    told += _of_camera(report)
    return sorted(told, key=lambda remark: remark.weight != "look")


def _todo(text: str) -> str:
    if re.search(r"\bType:|\(?--\w+", text):
        return ""
    return next((todo for pattern, todo in _ADVICE if re.search(pattern, text)), "")


def _of_person(number: str, person: dict[str, Any], report: dict[str, Any]) -> list[Remark]:
    after, out, who = person["quality"]["refined"], [], f"Person {int(number)}"
    if after["error_2d_percent"] > ERROR_2D_PERCENT:
        heavy = report.get("stages", {}).get("detector", {}).get("options", {}).get("model") == "full"
        out.append(Remark("look", f"{who}: the body lies {after['error_2d_percent']:.1f} % of its height beside the detected points.",
                          "Look at the overlay. If two people were taken for one, type mrs tracks split or swap"
                          + ("; if single limbs are wrong, --set detector.model=heavy." if heavy else ".")))
    if after["foot_skate_cm_s"] > SKATE_CM_S:
        out.append(Remark("look", f"{who}: feet that should stand slide by {after['foot_skate_cm_s']:.1f} cm/s.",
                          "Type --foot-lock always, or ground; for skates or slippery ground leave it."))
    if after["jitter_10m_s3"] > JITTER:
        out.append(Remark("note", f"{who}: the motion is fast or restless (jitter {after['jitter_10m_s3']:.0f}).",
                          "If it trembles where the person is calm, type --set detector.model=heavy."))
    if after["penetration_cm"] > SUNK_CM:
        out.append(Remark("look", f"{who}: soles lie {after['penetration_cm']:.1f} cm below the ground on average.",
                          "If the camera looks down or up, give its tilt with --camera-tilt DEGREES."))
    if person["seen"] < SEEN_SHARE * person["frames"]:
        out.append(Remark("note", f"{who} was seen in {person['seen']} of {person['frames']} frames; the rest is filled in.",
                          "Confidence below is 0 there: do not measure in those stretches."))
    return out


def _of_camera(report: dict[str, Any]) -> list[Remark]:
    camera = report.get("camera", {})
    if not report.get("persons") or camera.get("fov_deg") is not None or camera.get("mode") == "file":
        return []
    return [Remark("note", "The lens is a guess (focal length = the picture's diagonal), so that distance and size are known up to a factor.",
                   "Type --fov DEGREES if you know the lens (a phone's main camera has 65 to 75), or --set smoother.height_m=1.80.")]
