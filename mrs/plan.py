"""What a run is going to call: every plugin made, and its options checked, before any work is done."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs import options, provenance
from mrs.body.smplx_files import body_name, file_of
from mrs.config import Settings
from mrs.errors import MissingError, UsageError
from mrs.motion import Motion
from mrs.plugins import Registry

AUTO = "auto"
CANDIDATES = {"tracker": ("file", "oks"), "lifter": ("hmr", "smplify")}
"""What ``auto`` chooses from: the first whose ``suits`` says yes of the detections or of the track, else the last."""
WITH_CHECKPOINT = "hmr-image"
"""The lifter that ``auto`` means where an option names a checkpoint."""


@dataclass(frozen=True)
class Step:
    """One plugin of the plan: ready to call, with what run.json says of it. Of ``auto``, the candidates."""

    stage: str
    plugin: Any
    facts: dict[str, Any]
    candidates: tuple[Step, ...] = ()

    def suited(self, evidence: Any) -> Step:
        """Return the step itself or, of ``auto``, the first candidate that suits what came before."""
        for step in self.candidates:
            if step is self.candidates[-1] or step.plugin.suits(evidence):
                return step
        return self

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.stage} '{self.facts['name']}'"


@dataclass(frozen=True)
class Plan:
    """Every plugin of a run, made and checked before any work is done."""

    steps: dict[str, Step]
    exporters: tuple[Step, ...]
    device: str
    target: Motion | None = None

    @classmethod
    def make(cls, settings: Settings, registry: Registry) -> Plan:
        """Resolve names, options and device; refuse what is unknown or not installed."""
        values = settings.values
        names = {stage: getattr(values, stage) for stage in ("detector", "tracker", "lifter", "smoother")}
        if names["lifter"] == AUTO and "checkpoint" in settings.stage_options.get("lifter", {}):
            names["lifter"] = WITH_CHECKPOINT
        if values.synth:
            names["synthesizer"] = values.synth
        elif settings.stage_options.get("synthesizer"):
            raise UsageError("Expected --synth NAME with the options of the synthesizer, but there is none.")
        device = resolve_device(values.device)
        steps = {stage: _auto(registry, settings, stage, device) if name == AUTO and stage in CANDIDATES else
                 _step(registry, settings, stage, name, settings.stage_options.get(stage, {}), device)
                 for stage, name in names.items()}
        steps |= _renderers(registry, settings, device)
        return cls(steps, _exporters(registry, settings, device), device, _target(settings, registry))

    @classmethod
    def of_smoother(cls, settings: Settings, registry: Registry, earlier: dict[str, dict] | None = None) -> Plan:
        """Make the smoother and the exporters alone; `earlier` has the facts of stages that ran before, which are not called.

        Of those only the lifter is made, and only where the smoother wants its latent space.
        """
        device = resolve_device(settings.values.device)
        smoother = _step(registry, settings, "smoother", settings.values.smoother, settings.stage_options.get("smoother", {}), device)
        steps = {stage: Step(stage, None, facts) for stage, facts in (earlier or {}).items()} | {"smoother": smoother}
        if "lifter" in steps and getattr(smoother.plugin.options, "space", None) == "latent":
            steps["lifter"] = _decoding(registry, steps["lifter"], device)
        return cls(steps, _exporters(registry, settings, device), device)


def _decoding(registry: Registry, step: Step, device: str) -> Step:
    """Make the lifter of an earlier run where it has a decoder."""
    entry = registry.entries.get(("lifter", step.facts["name"]))
    if entry is None or not hasattr(entry.cls, "decoder"):
        return step
    known = {info.name for info in options.describe(entry.cls)}
    values = {name: value for name, value in step.facts["options"].items() if name in known}
    return dataclasses.replace(step, plugin=registry.make("lifter", step.facts["name"], values, device=device))


def _target(settings: Settings, registry: Registry) -> Motion | None:
    """Read the target's motion where --target names a file; check its other forms."""
    target = settings.values.target
    if target is None:
        return None
    if not settings.values.synth:
        raise UsageError("Expected --synth NAME with --target, but there is none. Type, for example: --synth bds")
    if target == "standing":
        return None
    if target.startswith("frame:"):
        seconds_of(target)
        return None
    from mrs.reading import read_motion

    return read_motion(target, registry)


def seconds_of(target: str) -> float:
    """Return the seconds of a target ``frame:SECONDS``."""
    try:
        seconds = float(target.removeprefix("frame:"))
        if not np.isfinite(seconds):
            raise ValueError
    except ValueError:
        raise UsageError(f"Expected --target frame:SECONDS, but got '{target}'. Type, for example: frame:1.5") from None
    return seconds


def _exporters(registry: Registry, settings: Settings, device: str) -> tuple[Step, ...]:
    """Make the exporters."""
    return _several(registry, settings, "exporter", settings.exporters, device)


def _renderers(registry: Registry, settings: Settings, device: str) -> dict[str, Step]:
    """Make what draws everybody over the video and, with --synth, what draws the person who re-enacts; each takes the options it knows."""
    values, names = settings.values, {}
    if values.overlay or (settings.stage_options.get("renderer") and not values.synth):
        names["renderer"] = "overlay"
    if values.synth:
        from mrs.render.film import refuse_other_renderers

        refuse_other_renderers(registry, values.renderer)
        names["person_renderer"] = values.renderer
    return dict(zip(names, _several(registry, settings, "renderer", tuple(names.values()), device), strict=True))


def _auto(registry: Registry, settings: Settings, stage: str, device: str) -> Step:
    """Make every candidate of a stage that is left to choose."""
    names = tuple(n for n in CANDIDATES[stage] if (stage, n) in registry.entries) or CANDIDATES[stage][-1:]
    candidates = _several(registry, settings, stage, names, device)
    return Step(stage, None, {"name": AUTO, "options": {}, "candidates": [c.facts for c in candidates]}, candidates)


def _several(registry: Registry, settings: Settings, stage: str, names: tuple[str, ...], device: str) -> tuple[Step, ...]:
    """Make several plugins of a stage; each takes the options it knows, and one of them has to."""
    given = settings.stage_options.get(stage, {})
    known = {name: {info.name for info in options.describe(registry.get(stage, name).cls)} for name in names}
    everyone = set().union(*known.values())
    for key in given:
        if key not in everyone:
            raise UsageError(options.unknown(f"option '{stage}.{key}' of {', '.join(known)}", key, everyone, stage))
    return tuple(_step(registry, settings, stage, name, {k: v for k, v in given.items() if k in known[name]}, device)
                 for name in names)


def _step(registry: Registry, settings: Settings, stage: str, name: str, values: dict, device: str) -> Step:
    seed, body = settings.values.seed, body_name(settings.values.body) if stage == "lifter" else None
    name, source = registry.resolve(stage, name, values.get("source"))
    plugin = registry.make(stage, name, {**values, **source}, seed=seed, device=device, body=body)
    plugin.progress = lambda done, total: None
    version = registry.get(stage, name).version
    facts = {"name": name, "version": version, "options": dataclasses.asdict(plugin.options)}
    if source:
        facts["source_sha256"] = provenance.source_sha256(source["source"], f"--{stage} {name}{plugin.takes}")
    if body is not None:
        facts["body"] = {"name": body, "sha256": provenance.source_sha256(file_of(body), f"--body {body}")}
    if hasattr(plugin, "made_from"):
        facts["made_from"] = plugin.made_from()
    return Step(stage, plugin, facts)


def resolve_device(asked: str) -> str:
    """Resolve auto, without importing torch where there is no sign of a GPU."""
    signs = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
    if asked == "cpu" or (asked == "auto" and sys.platform == "linux" and not any(Path(s).exists() for s in signs)):
        return "cpu"
    try:
        import torch

        available = torch.cuda.is_available()
    except ImportError:
        available = False
    if asked == "cuda" and not available:
        raise MissingError("Expected a CUDA device, but PyTorch finds none. Type: --device cpu, or install PyTorch with "
                           "CUDA (https://pytorch.org/get-started) and a driver.")
    return "cuda" if available else "cpu"


def seed_everything(step: Step, seed: int) -> None:
    """Give the plugin its own NumPy generator as ``rng``, and seed torch where it is or will be used."""
    step.plugin.rng = np.random.default_rng(seed)
    if "torch" in sys.modules or "torch" in getattr(step.plugin, "needs", ()):
        import torch

        torch.manual_seed(seed)
