"""`mrs eval shape-pose` from what is named to a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mrs.appearance import clips, crops, evaluate, imagined, personalise, sheets
from mrs.appearance.evaluate import MEASURES, Judge
from mrs.appearance.weights import Weights
from mrs.errors import InputError


def judge(alexnet: Path | str | None, linear: Path | str | None, inception: Path | str | None, device: str) -> Callable[[], Judge]:
    """What makes a judge with the foreign weights that are given."""
    from mrs.appearance import perceptual

    lpips = perceptual.Lpips(Path(alexnet), Path(linear), device) if alexnet is not None and linear is not None else None
    features = perceptual.Inception(Path(inception), device) if inception is not None else perceptual.StandIn()
    return lambda: Judge(lpips, features)


def of_pictures(sources, weights: Weights, count: int, probe: int, make, device: str) -> dict:
    """Measures on held-out pictures of a source, and the posture probe."""
    table = evaluate.pictures(weights, sources.train, sources.held, count, make, device)
    found = {"notes": list(sources.notes), "pictures": count, "table": table}
    return found | ({"posture_probe": evaluate.posture_probe(weights, sources.held, probe, device)} if probe else {})


def of_clip(run: Path, person: str, weights: Weights, seconds: float, make, rivals: list[str], *, device: str = "cpu", seed: int = 0,
            sheet: Path | None = None) -> dict:
    """Measures on the held-out frames of a run's person, after `seconds` of personalisation on the others."""
    from mrs.render.clip import Clip
    from mrs.render.film import appearance_of

    clip = Clip.of_run(run, person)
    if clip.video is None:
        raise InputError(clip.why)
    looks = appearance_of(clip)
    seen = clips.of_clip(clip, looks.background_rgb, round(clips.KEPT_PX_SHARE * personalise.recipe_of(weights).size_px))
    learn, held = seen.held_out(clip.motion.fps)
    if len(held) < 2:
        raise InputError(f"Expected more than half a second of person {clip.person} in {run}, but there are {len(seen)} frames.")
    others = {name: rendered(name, clip, looks, seen, device, seed) for name in rivals}
    own = weights
    if seconds:
        extra = imagined.imagined(looks, len(seen.pictures[0].rgb), seed=seed)
        own = personalise.personalise(weights, seen.at(learn), seconds, extra=extra, device=device, seed=seed)
    table = evaluate.clip(own, seen, learn, held, make, device, others)
    if sheet is not None:
        sheets.write_png(sheet, contact_sheet(own, seen, learn, held, others, device))
    return {"notes": list(seen.notes), "pictures": len(held), "learnt_from": len(learn), "personalised": own.facts.get("personalised"), "table": table}


def rendered(name: str, clip, looks, seen: clips.ClipPictures, device: str = "cpu", seed: int = 0) -> np.ndarray:
    """What another renderer draws of a clip's own motion, cut as the pictures were: (N, P, P, 3)."""
    from mrs import plugins
    from mrs.render.film import renderer_of

    renderer = renderer_of(plugins.load(()), name, {}, seed=seed, device=device)
    motion, camera = clip.motion.part(0, int(seen.rows[-1]) + 1), clip.camera
    side, wanted, found = len(seen.pictures[0].rgb), {int(row): at for at, row in enumerate(seen.rows)}, []
    camera = camera if camera.is_still else camera.at(slice(0, len(motion)))
    for row, picture in enumerate(renderer.render(motion, looks, camera, clip.size_px)):
        if row in wanted:
            found.append(crops.cut(picture, seen.squares[wanted[row]], side))
    return np.stack(found)


def contact_sheet(weights: Weights, seen, learn, held, others: dict[str, np.ndarray], device: str, columns: int = 10) -> np.ndarray:
    """Rows of held-out frames: stick figure, the network's, those of other renderers, true."""
    from mrs.appearance import inputs

    recipe = personalise.recipe_of(weights)
    rows = held[np.unique(np.linspace(0, len(held) - 1, columns).round().astype(int))]
    batch = personalise.pictures_of(seen, recipe, device, jitter=0.0).of(rows)
    drawn = evaluate.drawn_of(weights.net.to(device), recipe, personalise.bank(weights, seen.at(learn), device=device), batch, seen.facing[rows])
    stick = inputs.stick_figure(batch.joints, recipe.size_px, recipe.stick_px)
    lines = [stick, drawn, *(evaluate.sized(value[rows], recipe.size_px, device) for value in others.values()), batch.picture]
    return sheets.sheet([sheets.to_bytes(line) for line in lines])


def text(found: dict) -> str:
    """The table as text, measures in columns."""
    names = [name for name in MEASURES if any(name in row for row in found["table"].values())]
    wide = max(map(len, found["table"]))
    lines = [*found["notes"], f"{'':{wide}}  " + "  ".join(f"{name:>15}" for name in names)]
    for way, row in found["table"].items():
        lines.append(f"{way:{wide}}  " + "  ".join(f"{row[name]:15.3f}" if name in row else f"{'-':>15}" for name in names))
    lines += [f"part_colour of {way}: {_parts(row['parts'])}" for way, row in found["table"].items() if "parts" in row and way in ("shape-pose", evaluate.COLOURS)]
    if "posture_probe" in found:
        lines.append("posture probe, R^2: " + ", ".join(f"{name.removesuffix('_r2')} {value:.2f}" for name, value in found["posture_probe"].items()))
    if found.get("personalised"):
        lines.append(f"personalised for {found['personalised']['seconds']} s, {found['personalised']['iterations']} iterations, on "
                     f"{found['learnt_from']} frames; {found['pictures']} held out")
    return "\n".join([*lines, *(f"{name}: {MEASURES[name]}" for name in names)])


def _parts(errors: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in errors.items())
