"""Measure behaviour transfer on held-out clips, with the copies and what is real beside the model, over several seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mrs.synth import classify, fit, networks, pairs, predict, probes
from mrs.synth import played as measures
from mrs.synth.checks import balanced
from mrs.synth.played import Played
from mrs.synth.windows import WINDOW, Windows

LATE_S = 0.5
PROBE_FRAMES = (0, WINDOW // 2, WINDOW)
PROBE_WINDOWS = 2000
BOOTSTRAPS = 500

# name: (title, what it is)
TRANSFER = {
    "source": ("source", "read as the source's label, mean over labels"),
    "target": ("target", "read as the target's label"),
    "consistency": ("code kept", "|code(x) - code(transfer)| by |code(x) - code(another of the label)|"),
    "rank": ("rank", "median rank of the source among all sources by the transfer's code, 1 is best"),
    "first_p50": ("first step", "first step of all joints, root included, in median real steps: median"),
    "first_p90": ("p90", "the same, 90th percentile"),
    "jump_p50": ("jump", "change of that step against the start's own last one, in median real steps: median"),
    "jump_p90": ("p90", "the same, 90th percentile"),
}
PLAUSIBLE = {
    "real_fake": ("real/fake", "held-out accuracy of a GRU that tells it from real windows; 0.5 is best"),
    "frechet": ("Frechet", "distance to real windows on the classifier's 30 features"),
    "speed": ("speed", "mean speed of joints over the source's"),
    "late": ("late speed", f"the same after {LATE_S:g} s"),
    "histogram_m_s": ("histogram", "distance of the windows' mean speeds to real ones', m/s"),
    "jerk": ("jerk", "third derivative of joints over the source's"),
    "slide_cm_s": ("slide", "horizontal speed of soles lower than 5 cm, cm/s"),
    "bone_percent": ("bones", "error of bones' lengths, %"),
}


@dataclass(frozen=True)
class Effort:
    """Iterations of what judges, and from how many starts futures are drawn."""

    classifier: int = 700
    real_or_fake: int = 300
    probe: int = 400
    starts: int = 100


QUICK = Effort(60, 30, 50, 4)


@dataclass(frozen=True)
class Method:
    """A way to re-enact pairs: their joints, and features where it has bodies; the rest is what else it can do.

    `code` takes windows (n, WINDOW + 1, SIZE); `own` re-enacts windows with the frame before them from their own start,
    as joints; `futures` draws from stretches, by name of the draw: postures (n, draws, frames, 69).
    """

    name: str
    reenact: Callable[[pairs.Pairs], tuple[Played, np.ndarray | None]]
    code: Callable[[np.ndarray], np.ndarray] | None = None
    own: Callable[[np.ndarray], Played] | None = None
    futures: Callable[[np.ndarray, int, int], dict[str, np.ndarray]] | None = None


def of_weights(weights, name: str = "bds") -> Method:
    """The model, as `mrs transfer` runs it."""
    def code(windows):
        return fit.codes(weights.model, windows).numpy()

    def reenact(drawn):
        return _bodies(pairs.transferred(weights.model, drawn.source, *drawn.starts))

    def own(held):
        return Played.of(pairs.transferred(weights.model, held, held[:, 1], held[:, 0]))

    def futures(stretch, frames, seed):
        kinds = {name: "flow", f"{name}, flow without the start": "free", f"{name}, N(0, 1)": "prior"}
        kinds = kinds if weights.flow is not None else {f"{name}, N(0, 1)": "prior"}
        return {title: predict.drawn(weights, stretch[:, 1], stretch[:, 0], frames, seed, kind) for title, kind in kinds.items()}

    return Method(name, reenact, code, own, futures)


def of_rival(rival, name: str) -> Method:
    """A model of joints, without bodies."""
    def futures(stretch, frames, seed):
        found = Played.of_joints(rival.futures(stretch, predict.DRAWS, frames, seed)).oriented_m()
        title = f"{name}, N(0, 1)" if rival.flow is None and rival.kind != "mt-vae" else name
        return {title: found.reshape(len(stretch), predict.DRAWS, frames + 1, -1)[:, :, 1:]}

    return Method(name, lambda drawn: (rival.transferred(drawn.source, drawn.target), None), rival.code,
                  lambda held: rival.transferred(held, held), None if rival.kind == "cae" else futures)


def of_file(path: Path) -> Method:
    """What a training left in a folder, under the folder's name."""
    from mrs import npz
    from mrs.synth import rivals, weights

    file = path / rivals.FILE if path.is_dir() else path
    if npz.kind_of(file) == rivals.KIND:
        return of_rival(rivals.load(file), path.name)
    return of_weights(weights.load(file), path.name)


def _bodies(values: np.ndarray) -> tuple[Played, np.ndarray]:
    values = pinned(values)
    return Played.of(values), values


def pinned(values: np.ndarray) -> np.ndarray:
    """Features (n, T, SIZE) with feet pinned by their own contacts, as every command does it."""
    from mrs.motion import Motion
    from mrs.refine.footlock import lock_feet
    from mrs.synth import features
    from mrs.synth.transfer import free_at_start

    like, out = Motion.standing(np.zeros(1)), np.empty_like(values)
    times = np.arange(values.shape[1]) / features.RATE_HZ
    for row, one in enumerate(values):
        locked, _ = lock_feet(free_at_start(features.to_motion(one.astype(float), like, times, np.zeros(2), 0.0)), 0.0)
        out[row] = features.to_features(locked)
        out[row, 0, features.SPEED] = one[0, features.SPEED]
    return out


def compared(drawn: pairs.Pairs, source: Played, target: Played, methods: list[Method]) -> dict[str, tuple]:
    """Joints of every pair by every way, and features where there are bodies, whose feet are then pinned."""
    start = target.later(1)
    out = {"real": (source, drawn.source[:, 1:]), "zero velocity": (measures.held(start, WINDOW + 1), None),
           "source copy": (source, drawn.source[:, 1:]), "displacement copy": (measures.displaced(source, start), None)}
    copied = networks.inertialised(*(torch.as_tensor(v) for v in (drawn.source, *drawn.starts)), 0.1).numpy()
    return out | {"inertialised copy": _bodies(copied)} | {m.name: m.reenact(drawn) for m in methods}


def transfer_numbers(windows: Windows, methods: list[Method], seed: int, per_label: int, effort: Effort) -> dict:
    """Every measure of transfer for one seed: {way: {measure: number}}, with `_right` for bootstraps."""
    drawn = pairs.make(windows, seed, per_label)
    source, target = Played.of(drawn.source[:, 1:]), Played.of(drawn.target)
    classifier, out = classify.train(windows, seed, effort.classifier), {}
    step = float(np.median(measures.step_sizes(source)))
    code = methods[0].code
    for name, (found, values) in compared(drawn, source, target, methods).items():
        right = classifier.of_joints(found).argmax(-1)
        row = {"source": balanced(right == drawn.source_label, drawn.source_label),
               "target": balanced(right == drawn.target_label, drawn.source_label),
               "_right": (right == drawn.source_label, right == drawn.target_label, drawn.source_label)}
        row |= _continuity(found, target, step) | _plausible(found, source, drawn, classifier, name, seed, effort)
        if values is not None:
            row |= _kept(code(drawn.source[:, 1:]), code(values.astype(np.float32)), drawn.source_label, seed)
        out[name] = row
    out["real"]["first_p50"], out["real"]["first_p90"], out["real"]["jump_p50"], out["real"]["jump_p90"] = _own_steps(target, step)
    return out


def _continuity(found: Played, target: Played, step: float) -> dict[str, float]:
    sizes = measures.continuity(found, target)
    return {f"{name}_p{q}": float(np.percentile(values / step, q)) for name, values in sizes.items() for q in (50, 90)}


def _own_steps(target: Played, step: float) -> list[float]:
    """The same of real motion that goes on: the targets' own next step."""
    found = _continuity(target.later(1), target, step)
    return [found[name] for name in ("first_p50", "first_p90", "jump_p50", "jump_p90")]


def _plausible(found: Played, source: Played, drawn, classifier, name: str, seed: int, effort: Effort) -> dict[str, float]:
    fake, real = (np.concatenate([v.posed_m[:, 1:].reshape(len(v.joints), WINDOW, -1), v.velocities(), v.bones_m()[:, 1:]], -1) for v in (found, source))
    clips = drawn.source_clip
    if name == "real":
        half = np.arange(len(real)) % 2 == 0
        judged = probes.real_or_fake(real[half], real[~half], clips[half], clips[~half], seed, effort.real_or_fake)
    else:
        judged = probes.real_or_fake(real, fake, clips, clips, seed, effort.real_or_fake)
    own, made = measures.mean_speed(source), measures.mean_speed(found)
    return {"real_fake": judged, "frechet": probes.frechet(classifier.vectors(found), classifier.vectors(source)),
            "speed": float(made.mean() / own.mean()),
            "late": float(measures.mean_speed(found, LATE_S).mean() / measures.mean_speed(source, LATE_S).mean()),
            "histogram_m_s": measures.histogram_distance(made, own),
            "jerk": float(measures.jerk(found).mean() / measures.jerk(source).mean()),
            "slide_cm_s": measures.sliding_cm_s(found), "bone_percent": measures.bone_error_percent(found)}


def _kept(codes: np.ndarray, again: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    other = np.array([rng.choice(np.flatnonzero(labels == label)) for label in labels])
    own = np.linalg.norm(codes - again, axis=-1).mean()
    rank = (np.linalg.norm(codes[None] - again[:, None], axis=-1) < np.linalg.norm(codes - again, axis=-1)[:, None]).sum(1) + 1
    return {"consistency": float(own / max(np.linalg.norm(codes - codes[other], axis=-1).mean(), 1e-9)), "rank": float(np.median(rank))}


def leakage(windows: Windows, methods: list[Method], seed: int, effort: Effort) -> dict[str, dict[str, float]]:
    """Held-out R2 of probes from the code to postures and to displacements; beside it differences of frames, and chance."""
    rng = np.random.default_rng(seed)
    train = windows.take(windows.draw().rows(rng, PROBE_WINDOWS))[:, 1:]
    test = windows.take(windows.every("test", stride=4)[0])[:, 1:]
    posed = [Played.of(values).posed_m[..., 1:, :].reshape(len(values), WINDOW + 1, -1) for values in (train, test)]
    codes = {m.name: [m.code(values) for values in (train, test)] for m in methods if m.code}
    codes["differences of frames"] = _components([np.diff(values[..., :145], axis=1).reshape(len(values), -1) for values in (train, test)])
    own = codes[methods[0].name]
    codes["shuffled"] = [own[0][rng.permutation(len(train))], own[1]]
    out = {}
    for name, (a, b) in codes.items():
        row = {}
        for frame in PROBE_FRAMES:
            row[f"ridge_{frame}"] = probes.ridge_r2(a, posed[0][:, frame], b, posed[1][:, frame])
            row[f"mlp_{frame}"] = probes.mlp_r2(a, posed[0][:, frame], b, posed[1][:, frame], seed, effort.probe)
        moved = [v[:, -1] - v[:, 0] for v in posed]
        row["moved"] = probes.ridge_r2(a, moved[0], b, moved[1])
        out[name] = row
    return out


def _components(values: list[np.ndarray], count: int = 64) -> list[np.ndarray]:
    """Principal components of the first set, for both."""
    mean = values[0].mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, _, vectors = torch.svd_lowrank(torch.as_tensor(values[0] - mean), min(count, len(mean)), niter=3)
    return [(v - mean) @ vectors.numpy() for v in values]


def prediction(windows: Windows, methods: list[Method], seed: int, most: int) -> dict[str, dict[str, float]]:
    """50 futures of 2 s from held-out starts: by the flow, by the flow that does not see the start, and by N(0, 1)."""
    stretch, labels = predict.segments(windows, most)
    true = predict.postures(stretch[:, 1:])
    start, true = true[:, 0], true[:, 1:]
    mean_motion, frames = predict.mean_motions(windows), true.shape[1]
    still = np.repeat(start[:, None], frames, 1)[:, None]
    out = {"zero velocity": predict.measure(np.repeat(still, 2, 1), true, start, labels, mean_motion)}
    for method in methods:
        for name, found in (method.futures(stretch, frames, seed) if method.futures else {}).items():
            out[name] = predict.measure(found, true, start, labels, mean_motion)
    return out


def likelihood(windows: Windows, weights, seed: int) -> dict[str, float]:
    """The flow's held-out negative log likelihood in nats, without the start, against a Gaussian; KS tests of its noise."""
    from scipy.stats import kstest

    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        train = weights.model.encode(torch.as_tensor(windows.take(windows.draw().rows(rng, 8000))[:, 1:]))
        rows, labels, _ = windows.every("test", stride=2)
        held = windows.take(rows)
        test = weights.model.encode(torch.as_tensor(held[:, 1:]))
        a, b = (mu + std.exp() * torch.randn_like(mu) for mu, std in (train, test))
        from mrs.synth.flow import start_numbers

        starts = start_numbers(weights.model, torch.as_tensor(held[:, 1]), torch.as_tensor(held[:, 0]))
        flow = weights.flow
        free = flow.nll(b, flow.seen(None, len(b))).numpy()
        seen = flow.nll(b, flow.seen(starts, len(b))).numpy()
        noise = flow(a[:2000], flow.seen(None, 2000))[0].numpy()
    gauss = _gaussian_nll(a.numpy().astype(float), b.numpy().astype(float))
    p = np.array([kstest(column, "norm").pvalue for column in noise.T])
    by_label = [np.mean([values[labels == k].mean() for k in np.unique(labels)]) for values in (free, seen, gauss)]
    return {"flow_nats": float(by_label[0]), "flow_given_start_nats": float(by_label[1]), "gaussian_nats": float(by_label[2]),
            "ks_mean_p": float(p.mean()), "ks_rejected": float((p * len(p) < 0.05).mean())}


def _gaussian_nll(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    mean, cov = train.mean(0), np.cov(train.T) + 1e-6 * np.eye(train.shape[1])
    away = test - mean
    square = (away * np.linalg.solve(cov, away.T).T).sum(1)
    return 0.5 * (square + np.linalg.slogdet(cov)[1] + train.shape[1] * np.log(2 * np.pi))


def reconstruction(windows: Windows, methods: list[Method]) -> dict[str, dict[str, float]]:
    """Self re-enactment of held-out windows from their own start: ADE and FDE, by flattened posture and by joint."""
    rows, labels, _ = windows.every("test", stride=4)
    held = windows.take(rows)
    true = predict.postures(held[:, 1:])
    out = {"zero velocity": np.repeat(true[:, :1], WINDOW + 1, 1)}
    for method in methods:
        if method.own:
            found = method.own(held).oriented_m()
            out[method.name] = found.reshape(*found.shape[:2], -1)
    return {name: _errors(values[:, 1:], true[:, 1:], labels) for name, values in out.items()}


def _errors(found, true, labels) -> dict[str, float]:
    flat = np.linalg.norm(found - true, axis=-1)
    joints = np.linalg.norm((found - true).reshape(*found.shape[:2], -1, 3), axis=-1).mean(-1)
    def mean(values):
        return float(np.mean([values[labels == k].mean() for k in np.unique(labels)]))

    return {"ADE": mean(flat.mean(1)), "FDE": mean(flat[:, -1]), "ADE_joint": mean(joints.mean(1)), "FDE_joint": mean(joints[:, -1])}


def evaluate(windows: Windows, weights, others: list[Method] = (), *, seeds=(0, 1, 2), per_label: int = 40, quick: bool = False,
             tell: Callable[[str], None] = lambda text: None) -> dict:
    """Everything, as plain numbers: {part: {way: {measure: [mean, half-width of the 95 % interval]}}}."""
    effort = QUICK if quick else Effort()
    methods, runs = [of_weights(weights), *others], {"transfer": [], "leakage": [], "prediction": [], "flow": []}
    for seed in seeds:
        tell(f"seed {seed}: transfer")
        runs["transfer"].append(transfer_numbers(windows, methods, seed, per_label, effort))
        tell(f"seed {seed}: probes")
        runs["leakage"].append(leakage(windows, methods, seed, effort))
        tell(f"seed {seed}: prediction")
        runs["prediction"].append(prediction(windows, methods, seed, effort.starts))
        if weights.flow is not None:
            runs["flow"].append({"flow": likelihood(windows, weights, seed)})
    out = {part: _means(found) for part, found in runs.items() if found}
    for way, row in out["transfer"].items():
        right = [run[way]["_right"] for run in runs["transfer"]]
        for number, name in enumerate(("source", "target")):
            row[name][1] = _bootstrap(np.concatenate([r[number] for r in right]), np.concatenate([r[2] for r in right]))
    out["reconstruction"] = _means([reconstruction(windows, methods)])
    held = sorted({p.label for p in windows.of("test", plain=True)})
    return {"labels": held, "left_out": sorted({p.label for p in windows.pieces} - set(held)), "seeds": list(seeds),
            "per_label": per_label, "chance": 1 / len(windows.labels), **out}


def _means(runs: list[dict]) -> dict:
    out = {}
    for way in runs[0]:
        names = [name for name in runs[0][way] if not name.startswith("_")]
        rows = {name: np.array([run[way][name] for run in runs], float) for name in names}
        out[way] = {name: [float(v.mean()), float(1.96 * v.std(ddof=1) / np.sqrt(len(v))) if len(v) > 1 else 0.0]
                    for name, v in rows.items()}
    return out


def _bootstrap(right: np.ndarray, labels: np.ndarray) -> float:
    """Half the width of the 95 % interval of the mean over labels, pairs drawn anew within each label."""
    rng, groups = np.random.default_rng(0), [right[labels == k].astype(float) for k in np.unique(labels)]
    means = [np.mean([rng.choice(g, len(g)).mean() for g in groups]) for _ in range(BOOTSTRAPS)]
    return float((np.percentile(means, 97.5) - np.percentile(means, 2.5)) / 2)
