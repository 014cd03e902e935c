"""An mmpose model: found by config and checkpoint, loaded without unpickling foreign code, and asked about boxes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from mrs_plugins.detectors._mmpose_mend import load_mmpose, mended, quiet, read_checkpoint
from mrs_plugins.detectors._pose_sets import match

from mrs.errors import InputError, MissingError, UsageError
from mrs.options import unknown

SHOWN = 6


@dataclass(frozen=True)
class Choice:
    """A config file, and the address of its published weights where mmpose lists one."""

    config: Path
    weights: str | None


def choose(config: str) -> Choice:
    """Find a config by path, by mmpose's alias (body26, human, wholebody), by name, or by the only name that begins so."""
    path = Path(config).expanduser()
    if path.is_file():
        return Choice(path, _published().get(path.stem, {}).get("Weights"))
    if len(path.parts) > 1 and not path.is_absolute():
        path = _configs() / re.sub(r"^(mmpose::|configs/)", "", config)
        if path.is_file():
            return Choice(path, _published().get(path.stem, {}).get("Weights"))
    if path.is_absolute() or len(Path(config).parts) > 1:
        raise InputError(f"Expected an mmpose config at {config}, but there is none. Type: --set detector.config=FILE.py, or "
                         "a name such as rtmpose-m_8xb512-700e_body8-halpe26-256x192")
    stem = config.removesuffix(".py")
    files = {file.stem: file for file in sorted(_configs().rglob("*.py")) if "_base_" not in file.parts}
    aliases = {alias: name for name, facts in _published().items() for alias in facts["aliases"] if name in files}
    found = aliases.get(stem, stem)
    if found not in files:
        near = [name for name in files if name.startswith(stem)] if stem else []
        if len(near) != 1:
            raise UsageError(_which(config, near, [*aliases, *files]))
        found = near[0]
    return Choice(files[found], _published().get(found, {}).get("Weights"))


def _which(config: str, near: list[str], known: list[str]) -> str:
    if near:
        more = f" and {len(near) - SHOWN} more" if len(near) > SHOWN else ""
        return (f"Expected one mmpose config, but '{config}' begins {len(near)}: {', '.join(near[:SHOWN])}{more}. "
                "Type more of the name: --set detector.config=NAME")
    hint = unknown(f"mmpose config '{config}'", config, known).partition(" Known:")[0]
    return f"{hint} Type: --set detector.config=body26 (human, wholebody, a name out of {_configs()}, or FILE.py)"


def _configs() -> Path:
    """Return the folder of configs in mmpose's wheel."""
    import importlib.util

    spec = importlib.util.find_spec("mmpose")
    root = Path(spec.origin).parent if spec and spec.origin else Path("mmpose")
    for folder in (root / ".mim" / "configs", root.parent / "configs"):
        if folder.is_dir():
            return folder
    raise MissingError(f"Expected mmpose's configs in {root / '.mim' / 'configs'}, but there are none. "
                       "Type: pip install --no-deps --force-reinstall mmpose==1.3.2, or --set detector.config=FILE.py")


@cache
def _published() -> dict[str, dict]:
    """Read mmpose's own list of models: name to address of the weights, and aliases of those for people."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    models: dict[str, dict] = {}
    for file in sorted(_configs().rglob("*.yml")):
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
        for model in (content or {}).get("Models", []) if isinstance(content, dict) else []:
            names = model.get("Alias") or []
            stem = Path(str(model.get("Config", ""))).stem
            people = str(model.get("Config", "")).startswith(("configs/body_2d", "configs/wholebody_2d"))
            models[stem] = {"Weights": model.get("Weights"),
                            "aliases": ([names] if isinstance(names, str) else names) if people else []}
    return models


def checkpoint_of(choice: Choice, given: str, update=lambda done, total: None) -> Path:
    """Return the checkpoint's file: the one given, or the published one from the cache or fetched into it."""
    from mrs import model_cache

    if given:
        path = Path(given).expanduser()
        if not path.is_file():
            raise InputError(f"Expected a checkpoint at {path}, but there is none. Type: --set detector.checkpoint=FILE.pth")
        return path
    instead = "--set detector.checkpoint=FILE.pth"
    if not choice.weights:
        raise MissingError(f"Expected a checkpoint for {choice.config.name}, for which mmpose lists none. Type: {instead}")
    path = cached_checkpoint(choice)
    if path.is_file():
        return path
    if model_cache.offline():
        raise MissingError(f"Expected the checkpoint {choice.weights}, but MRS_OFFLINE is set. Fetch it on another machine "
                           f"and type: {instead}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    model_cache.download(choice.weights, part, update, instead)
    digest, told = model_cache.sha256_of(part), _digest_in(path.name)
    if told and not digest.startswith(told):
        part.unlink()
        raise InputError(f"Expected {choice.weights} to have a sha256 that begins {told}, as its name says, but got {digest}; "
                         "it was thrown away.")
    part.replace(path)
    return path


def cached_checkpoint(choice: Choice) -> Path:
    """Return where the published checkpoint lies once it was fetched."""
    from mrs import model_cache

    return model_cache.cache_dir() / "mmpose" / choice.weights.rpartition("/")[2]


def _digest_in(name: str) -> str:
    """Return the first eight digits of the sha256 that OpenMMLab writes into a checkpoint's name."""
    found = re.findall(r"-([0-9a-f]{8})(?=[_.])", name)
    return found[-1] if found else ""


class MMPoseModel:
    """A top-down model of mmpose."""

    def __init__(self, choice: Choice, checkpoint: Path | None, device: str = "cpu", flip_test: bool | None = None):
        load_mmpose()
        self.choice, self.checkpoint, self.device = choice, checkpoint, device
        with quiet(), mended() as broken:
            self.config = _read_config(choice.config, flip_test, "mmdet" in broken)
            self.model = self._build()
        self.names = _names(self.model.dataset_meta)
        self.keypoints, self.rows = match(self._shown_names(), str(choice.config.name))

    def _build(self):
        """Build the network and fill it from the checkpoint, as mmpose.apis.init_model does."""
        from mmpose.apis import init_model

        try:
            model = init_model(self.config, None, device="cpu")
        except MissingError:
            raise
        except Exception as error:
            raise InputError(f"Expected {self.choice.config} to be a config of a top-down model, but mmpose says: "
                             f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
        if self.checkpoint is not None:
            content = read_checkpoint(self.checkpoint)
            fill(model, content, self.checkpoint, self.choice.config)
            meta = content.get("meta")
            if isinstance(meta, dict) and isinstance(meta.get("dataset_meta"), dict):
                model.dataset_meta = meta["dataset_meta"]
        return model.to(self.device)

    def _shown_names(self) -> list[str]:
        """Return the names of what the model gives, where its config picks some of its keypoints."""
        chosen = (self.config.model.get("test_cfg") or {}).get("output_keypoint_indices")
        return self.names if chosen is None else [self.names[i] for i in chosen]

    @cached_property
    def _pipeline(self):
        from mmengine.dataset import Compose
        from mmengine.registry import init_default_scope

        init_default_scope(self.config.get("default_scope", "mmpose"))
        return Compose(self.config.test_dataloader.dataset.pipeline)

    def see(self, rgb: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """Return keypoints (N, K, 3) in the picture (H, W, 3) uint8 of the people in boxes (N, 4), in one batch.

        What mmpose.apis.inference_topdown does, with the pipeline made once.
        """
        import torch
        from mmengine.dataset import pseudo_collate

        with quiet():
            bgr = np.ascontiguousarray(rgb[..., ::-1])
            data = [self._pipeline({"img": bgr, "bbox": box[None], "bbox_score": np.ones(1, np.float32),
                                    **self.model.dataset_meta}) for box in np.asarray(boxes_px, np.float32)]
            with torch.no_grad():
                samples = self.model.test_step(pseudo_collate(data))
        points = np.concatenate([np.concatenate([s.pred_instances.keypoints, _column(s.pred_instances.keypoint_scores)], -1)
                                 for s in samples])
        return points[:, self.rows]


def _column(scores) -> np.ndarray:
    return np.asarray(scores)[..., None]


def _read_config(path: Path, flip_test: bool | None, without_mmdet: bool):
    """Read a config; drop what it wants of mmdet where that is absent."""
    from mmengine.config import Config

    try:
        config = Config.fromfile(str(path))
    except Exception as error:  # noqa: BLE001 (a config is Python code)
        raise InputError(f"Expected an mmpose config in {path}, but it can't be read: "
                         f"{str(error).splitlines()[0] if str(error) else type(error).__name__}") from None
    kind = config.get("model", {}).get("type") if isinstance(config.get("model", {}), dict) else None
    if kind != "TopdownPoseEstimator":
        raise UsageError(f"Expected a config of a top-down model (TopdownPoseEstimator), but {path.name} is of {kind}. "
                         "Choose another --set detector.config, or convert RTMO and type: --detector rtmpose")
    if without_mmdet:
        _drop_scope(config.model)
    if flip_test is not None:
        config.model.setdefault("test_cfg", {})["flip_test"] = flip_test
    return config


def _drop_scope(node) -> None:
    """Let mmpose's own registry build what a config asks of mmdet's (RTMPose's backbone is in both)."""
    if isinstance(node, dict):
        if node.get("_scope_") == "mmdet":
            del node["_scope_"]
        for value in node.values():
            _drop_scope(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            _drop_scope(value)


def fill(model, content: dict, path: Path, config: Path, option: str = "detector.config") -> None:
    """Copy a checkpoint's tensors into a model; refuse one of another model."""
    import torch

    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not any(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"Expected a state_dict of tensors in {path}, but found none. Is it a checkpoint of OpenMMLab's?")
    state = {re.sub(r"^module\.", "", str(name)): value for name, value in state.items()}
    wanted = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    bad = [name for name, value in wanted.items()
           if not isinstance(state.get(name), torch.Tensor) or state[name].shape != value.shape]
    if bad:
        first = state.get(bad[0])
        got = f"is {tuple(first.shape)} there, not {tuple(wanted[bad[0]].shape)}" if isinstance(first, torch.Tensor) else "is not there"
        raise InputError(f"Expected {path} to be a checkpoint of {config.name}, but {len(bad)} of {len(wanted)} tensors do not "
                         f"fit ({bad[0]} {got}). Type the config it was trained with: --set {option}=NAME")
    model.load_state_dict({name: value for name, value in state.items() if name in model.state_dict()}, strict=False)


def _names(meta: dict) -> list[str]:
    """Return the keypoint names of a dataset's metadata, in the order of the model's output."""
    told = meta.get("keypoint_id2name")
    if not isinstance(told, dict) or not told:
        raise InputError("Expected the model's metadata to name its keypoints (dataset_meta.keypoint_id2name), but it does not.")
    return [str(told[key]) for key in sorted(told, key=int)]

