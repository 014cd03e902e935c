"""The plugin manager: one door for built-ins, installed packages and files named on the command line.

Loading never fails as a whole. A plugin that cannot be imported, or whose classes do not fit, is kept in
``Registry.broken`` with its error, and the rest goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from mrs import hookspecs, options, stages
from mrs.errors import PluginError, UsageError

GROUP = "mrs"

BUILTINS = (
    "mrs_plugins.detectors.blazepose",
    "mrs_plugins.detectors.files",
    "mrs_plugins.detectors.mmpose",
    "mrs_plugins.detectors.rtmpose",
    "mrs_plugins.trackers.oks",
    "mrs_plugins.trackers.given",
    "mrs_plugins.lifters.blazepose3d",
    "mrs_plugins.lifters.hmr",
    "mrs_plugins.lifters.smplify",
    "mrs_plugins.lifters.hmr_image",
    "mrs_plugins.lifters.files",
    "mrs_plugins.smoothers.sfv",
    "mrs_plugins.smoothers.sfv_2018",
    "mrs_plugins.smoothers.filters",
    "mrs_plugins.synthesizers.bds",
    "mrs_plugins.renderers.overlay",
    "mrs_plugins.renderers.mesh",
    "mrs_plugins.renderers.stick",
    "mrs_plugins.renderers.pyrender",
    "mrs_plugins.renderers.shape_pose",
    "mrs_plugins.exporters.bvh",
    "mrs_plugins.exporters.characters",
    "mrs_plugins.exporters.robots",
    "mrs_plugins.exporters.scenes",
    "mrs_plugins.exporters.poses",
    "mrs_plugins.importers.bvh",
    "mrs_plugins.converters.mmpose_onnx",
    "mrs_plugins.importers.amass",
    "mrs_plugins.importers.gvhmr",
)


@dataclass(frozen=True)
class Entry:
    """One registered class and where it came from."""

    stage: str
    name: str
    cls: Any
    origin: str
    version: str


@dataclass
class Registry:
    """What was found: classes by stage and name, and the plugins that did not load."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def names(self, stage: str) -> list[str]:
        """List the names registered for a stage, in order of registration."""
        return [name for s, name in self.entries if s == stage]

    def get(self, stage: str, name: str) -> Entry:
        """Return one entry, or refuse with the nearest name."""
        try:
            return self.entries[stage, name]
        except KeyError:
            message = options.unknown(f"{stage} '{name}'", name, self.names(stage))
            failed = "; ".join(f"{origin}: {error}" for origin, error in self.broken.items())
            raise UsageError(message + (f" Plugins that did not load: {failed}" if failed else "")) from None

    def resolve(self, stage: str, text: str, source: str | None = None) -> tuple[str, dict[str, str]]:
        """Split what a user typed, ``NAME`` or ``NAME:SOURCE``, into a registered name and the option `source`.

        A class that reads a file or folder is registered under a name that ends in a colon, so that ``mmpose`` and
        ``mmpose:`` may both exist. `source` is what the settings give as the option.
        """
        name, colon, argument = text.partition(":")
        reads = self.entries.get((stage, f"{name}:"))
        if reads is None or (not colon and (stage, name) in self.entries):
            return text, {}
        argument = argument or source or ""
        if not argument:
            what = stages.summary(reads.cls).rstrip(".")
            raise UsageError(f"Expected --{stage} {name}:{reads.cls.takes}, to {what[:1].lower()}{what[1:]}, but got '{text}'.")
        return f"{name}:", {"source": argument}

    def make(self, stage: str, name: str, values: dict | None = None, *, seed: int = 0, device: str = "cpu", body: str | None = None):
        """Make a ready instance of a plugin with its options, seed and device set, and a lifter's body (None: the embedded one)."""
        entry = self.get(stage, name)
        stages.require(entry.cls)
        built = options.build(entry.cls, values or {}, stage)
        plugin = entry.cls()
        plugin.options, plugin.seed, plugin.device = built, seed, device
        if stage == "lifter":
            plugin.body = body
        return plugin


def load(extra: tuple[str, ...] = ()) -> Registry:
    """Load built-ins, entry points (limited by ``MRS_LOAD_PLUGINS``) and `extra` files or modules."""
    registry = Registry()
    manager = pluggy.PluginManager("mrs")
    manager.add_hookspecs(hookspecs)
    for module_name in BUILTINS:
        _load_one(manager, registry, module_name, lambda name=module_name: importlib.import_module(name), _own_version())
    for point in _entry_points(registry):
        version = point.dist.version if point.dist else "unknown"
        _load_one(manager, registry, point.name, point.load, version)
    for target in extra:
        _load_one(manager, registry, target, lambda t=target: _import_target(t), None)
    return registry


def _entry_points(registry: Registry):
    allowed = os.environ.get("MRS_LOAD_PLUGINS")
    wanted = None if allowed is None else {n.strip() for n in allowed.split(",") if n.strip()}
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: p.name)
    if wanted is not None:
        for absent in sorted(wanted - {p.name for p in points}):
            registry.broken[absent] = "MRS_LOAD_PLUGINS names it, but no installed package offers it"
        points = [p for p in points if p.name in wanted]
    return points


def _load_one(manager, registry: Registry, origin: str, importer, version: str | None) -> None:
    """Import one plugin and collect its classes; keep its error instead of raising it."""
    try:
        module = importer()
        manager.register(module, name=origin)
        _refuse_unknown_hooks(module)
        manager.check_pending()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (a plugin may even call sys.exit while it is imported)
        if manager.has_plugin(origin):
            manager.unregister(name=origin)
        registry.broken[origin] = _one_line(error)
        return
    version = version or _file_version(module)
    before = len(registry.entries) + len(registry.broken)
    for stage in stages.STAGES.values():
        _collect(manager, registry, stage, module, origin, version)
    if len(registry.entries) + len(registry.broken) == before:
        registry.broken[origin] = "it registers nothing: write @mrs.hookimpl above a function such as register_lifters(register)"


def _collect(manager, registry: Registry, stage: stages.Stage, module, origin: str, version: str) -> None:
    def register(cls):
        try:
            stages.check(stage, cls)
            earlier = registry.entries.get((stage.name, cls.name))
            if earlier is not None:
                raise PluginError(f"Expected another name than '{cls.name}', but {earlier.origin} already registered that "
                                  f"{stage.name}.")
            options.describe(cls)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a plugin raises is kept with its name)
            registry.broken[f"{origin}:{getattr(cls, '__name__', cls)}"] = _one_line(error)
            return
        registry.entries[stage.name, cls.name] = Entry(stage.name, cls.name, cls, origin, version)

    others = [p for p in manager.get_plugins() if p is not module]
    try:
        manager.subset_hook_caller(stage.hook, others)(register=register)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a plugin raises is kept with its name)
        registry.broken[origin] = _one_line(error)


def _refuse_unknown_hooks(module) -> None:
    """Refuse a hook implementation whose stage does not exist (pluggy only reports it on request)."""
    known = {stage.hook for stage in stages.STAGES.values()}
    for name in dir(module):
        if getattr(getattr(module, name, None), "mrs_impl", None) is not None and name not in known:
            raise PluginError(options.unknown(f"stage hook '{name}'", name, known))


def _import_target(target: str) -> ModuleType:
    """Import ``--plugin``: a Python file by path, or a module by dotted name."""
    path = Path(target)
    if path.suffix != ".py" and not path.exists():
        return importlib.import_module(target)
    if not path.is_file():
        raise PluginError(f"Expected a Python file at {path}, but there is none.")
    name = "mrs_file_plugin_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"Expected a Python file, but got {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _own_version() -> str:
    from mrs import __version__

    return __version__


def _file_version(module) -> str:
    """Identify a plugin without a distribution by its own version or its content."""
    declared = getattr(module, "__version__", None)
    path = getattr(module, "__file__", None)
    if declared or not path:
        return str(declared or "unknown")
    return "sha256:" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def _one_line(error: BaseException) -> str:
    if isinstance(error, pluggy.PluginValidationError):
        return "; ".join(line.strip() for line in str(error).splitlines()[1:])
    return f"{type(error).__name__}: {error}".split("\n")[0]
