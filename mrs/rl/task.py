"""N simulated humanoids that imitate one motion, stepped together: what both environments share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mrs import rotations
from mrs.errors import UsageError
from mrs.motion import Motion
from mrs.physics import extra, humanoid, states
from mrs.rl import cycle, reference, reward, starts
from mrs.skeletons import SMPL_24

END_EFFECTORS = tuple(SMPL_24.indices("left_ankle", "right_ankle", "left_elbow", "right_elbow"))
# Axes (forward, left, up in T-pose) about which the policy turns these joints where not all servos are its own.
HINGES: dict[str, tuple[int, ...]] = {"knee": (1,), "elbow": (2,), "neck": (), "foot": ()}
MAY_TOUCH = tuple(SMPL_24.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "foot"))


@dataclass(frozen=True)
class Settings:
    """How a motion is imitated.

    rate_hz            the policy's rate
    substeps           simulation steps a policy step
    sizes              "person" or "deepmimic": whose lengths and masses the humanoid has
    loop               repeat one cycle; else episodes end with the motion
    cycle_s            first and last second of the cycle, where it is not to be looked for
    seconds            longest episode
    starts             "reference" (DeepMimic) or "adaptive" (SFV)
    actions            "reference": targets are the reference's next posture plus the action; "absolute": the zero pose plus
                       the action, as DeepMimic's are
    controls           "all": the policy turns every servo; "hinges": hips, ankles, chest and shoulders in all directions, knees
                       and elbows about their one axis, while neck and toes follow the reference
    action_rad         what an action of 1 turns a target by
    early_termination  end an episode where what does not belong on the floor touches it, or the root is lost
    lost_m             distance of the root from the reference's at which it is lost
    weights            of the reward's terms
    """

    rate_hz: float = 30.0
    substeps: int = 5
    sizes: str = "person"
    loop: bool = False
    cycle_s: tuple[float, float] | None = None
    seconds: float = 20.0
    starts: str = "reference"
    actions: str = "reference"
    controls: str = "all"
    action_rad: float = 1.0
    early_termination: bool = True
    lost_m: float = 0.7
    weights: dict[str, float] = field(default_factory=lambda: dict(reward.WEIGHTS))

    def check(self) -> Settings:
        """Refuse what makes no sense; return the settings."""
        for name, known in (("sizes", ("person", "deepmimic")), ("controls", ("hinges", "all")), ("starts", tuple(starts.KINDS)), ("actions", ("reference", "absolute"))):
            if getattr(self, name) not in known:
                raise UsageError(f"Expected {name} out of {', '.join(known)}, but got '{getattr(self, name)}'.")
        if self.cycle_s is not None and not (self.loop and 0 <= self.cycle_s[0] < self.cycle_s[1]):
            raise UsageError(f"Expected cycle_s as first and last second with loop=True, but got {self.cycle_s} and loop={self.loop}.")
        for name in ("rate_hz", "substeps", "seconds", "action_rad", "lost_m"):
            if not getattr(self, name) > 0:
                raise UsageError(f"Expected {name} to be above 0, but got {getattr(self, name)}.")
        if set(self.weights) != set(reward.WEIGHTS):
            raise UsageError(f"Expected weights of {', '.join(reward.WEIGHTS)}, but got {', '.join(self.weights)}.")
        return self


class Imitation:
    """A batch of N imitating humanoids. `threads` simulate side by side (MuJoCo lets go of Python's lock)."""

    def __init__(self, motion: Motion, count: int = 1, settings: Settings | None = None, *, threads: int = 1,
                 generator: np.random.Generator | None = None):
        self.settings = (settings or Settings()).check()
        self.humanoid = humanoid.build(motion, joints=humanoid.FOR_POLICIES, sizes=self.settings.sizes,
                                       timestep_s=1 / self.settings.rate_hz / self.settings.substeps)
        self.model = self.humanoid.model
        self.reference = reference.make(self.humanoid, motion, rate_hz=self.settings.rate_hz, loop=self.settings.loop, cycle_s=self.settings.cycle_s,
                                        seconds=self.settings.seconds)
        self.count = count
        self.generator = generator or np.random.default_rng()
        self.starts = starts.KINDS[self.settings.starts](self.reference.starts, self.model.nv)
        self._prepare(threads)

    def _prepare(self, threads: int) -> None:
        mujoco, model, ref = extra.mujoco(), self.model, self.reference
        self._mujoco = mujoco
        self.data = [mujoco.MjData(model) for _ in range(self.count)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._shares = np.array_split(np.arange(self.count), threads)
        count, bodies = self.count, model.nbody - 1
        self.qpos, self.qvel = np.zeros((count, model.nq)), np.zeros((count, model.nv))
        self.body_pos_m, self.body_xmat = np.zeros((count, bodies, 3)), np.zeros((count, bodies, 9))
        self.com_m, self.com_before_m = np.zeros((count, 3)), np.zeros((count, 3))
        self.fell = np.zeros(count, bool)
        self.row, self.begun_row = np.zeros(count, int), np.zeros(count, int)
        self.gathered = np.zeros(count)
        self._drawn: list[Any] = [None] * count
        self._joint_weights = reward.joint_weights([SMPL_24.names[j] for j in self.humanoid.joints])
        self._ends = [self._row_of(j) for j in END_EFFECTORS]
        self._ref_expmap = self._targets(ref.qpos)
        self._ref_rest = self._seen_from_root(ref.body_pos_m, ref.qpos)[:, self._ends]
        allowed = ref.near_floor.copy()
        allowed[[mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, SMPL_24.names[j]) for j in MAY_TOUCH]] = True
        self._may_touch = allowed
        self._acted = self._servos()
        self.action_size = len(self._acted)
        self.observation_size = self.reset_all().shape[1]

    def _servos(self) -> np.ndarray:
        """The servos (A,) that actions are for."""
        if self.settings.controls == "all":
            return np.arange(self.model.nu)
        axes = [HINGES.get(SMPL_24.names[joint].split("_")[-1], (0, 1, 2)) for joint in self.humanoid.joints]
        return np.array([3 * row + axis for row, its in enumerate(axes) for axis in its])

    def _row_of(self, joint: int) -> int:
        return self.model.body(SMPL_24.names[joint]).id - 1

    @staticmethod
    def _targets(qpos: np.ndarray) -> np.ndarray:
        """Rotation vectors (T, 3 n) of the balls, as servos measure them."""
        return rotations.quat_to_axis_angle(qpos[:, 7:].reshape(len(qpos), -1, 4)).reshape(len(qpos), -1)

    def reset_all(self) -> np.ndarray:
        """Begin N episodes; return observations (N, D)."""
        self.reset(np.arange(self.count))
        return self.observe()

    def reset(self, which: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Begin the episodes `which` anew, at drawn starts or at given rows of the reference."""
        ref = self.reference
        if rows is None:
            rows, offsets, drawn = self.starts.draw(self.generator, len(which))
        else:
            offsets, drawn = None, None
        qpos, qvel = starts.displaced(ref.qpos[rows], ref.qvel[rows], offsets)
        for k, env in enumerate(which):
            data = self.data[env]
            self._mujoco.mj_resetData(self.model, data)
            data.qpos[:], data.qvel[:] = qpos[k], qvel[k]
            self._mujoco.mj_kinematics(self.model, data)
            low = states.geom_lows(self.model, data.geom_xpos, data.geom_xmat)[1:].min()
            if low < 0:
                data.qpos[2] -= low
            self._read(env)
            self._drawn[env] = None if drawn is None else drawn[k]
        self.row[which] = self.begun_row[which] = rows
        self.gathered[which] = 0
        self.com_before_m[which] = self.com_m[which]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Simulate one policy step: return reward (N,), terminated (N,), truncated (N,) and the reward's terms."""
        now = np.minimum(self.row + 1, len(self.reference) - 1)
        turns = np.clip(actions, -1, 1) * self.settings.action_rad
        targets = self._ref_expmap[now]
        targets[:, self._acted] = turns if self.settings.actions == "absolute" else targets[:, self._acted] + turns
        self.com_before_m[:] = self.com_m

        def work(share: np.ndarray) -> None:
            for env in share:
                self.data[env].ctrl[:] = targets[env]
                self._mujoco.mj_step(self.model, self.data[env], self.settings.substeps)
                self._read(env)

        self._each(work)
        self.row = now
        terms = self._terms()
        terminated = self._lost()
        gained = np.where(terminated, 0.0, reward.total(terms, self.settings.weights))
        self.gathered += gained
        ends = len(self.reference) - 1 if not self.settings.loop else np.inf
        too_long = (self.row - self.begun_row) >= self.settings.seconds * self.settings.rate_hz
        truncated = ~terminated & (too_long | (self.row >= ends))
        return gained, terminated, truncated, terms

    def finish(self, which: np.ndarray) -> None:
        """Tell the starts how the episodes `which` went, before they are reset."""
        known = [env for env in which if self._drawn[env] is not None]
        if known:
            longest = np.minimum(self.settings.seconds * self.settings.rate_hz, len(self.reference) - 1 - self.begun_row[known])
            self.starts.learn([self._drawn[env] for env in known], self.gathered[known] / np.maximum(longest, 1))

    def _each(self, work: Callable[[np.ndarray], None]) -> None:
        if self._pool is None:
            work(self._shares[0])
        else:
            list(self._pool.map(work, self._shares))

    def _read(self, env: int) -> None:
        """Copy one simulation's state to the tables."""
        data = self.data[env]
        self._mujoco.mj_kinematics(self.model, data)
        self._mujoco.mj_comPos(self.model, data)
        self.qpos[env], self.qvel[env] = data.qpos, data.qvel
        self.body_pos_m[env], self.body_xmat[env] = data.xpos[1:], data.xmat[1:]
        self.com_m[env] = data.subtree_com[0]
        touching = data.contact.geom
        self.fell[env] = data.ncon > 0 and not self._may_touch[touching[:, 1]].all()

    def _lost(self) -> np.ndarray:
        bad = ~np.isfinite(self.qpos).all(1) | ~np.isfinite(self.qvel).all(1) | (np.abs(self.qvel).max(1) > 200)
        if not self.settings.early_termination:
            return bad
        away = np.linalg.norm(self.qpos[:, :3] - self.reference.qpos[self.row, :3], axis=1)
        return bad | self.fell | (away > self.settings.lost_m)

    def _terms(self) -> dict[str, np.ndarray]:
        ref, row, count = self.reference, self.row, self.count
        wanted, wanted_vel = ref.qpos[row], ref.qvel[row]
        weights = self._joint_weights
        before = ref.com_m[np.maximum(row - 1, 0)]
        return {
            "pose": reward.pose(self.qpos[:, 7:].reshape(count, -1, 4), wanted[:, 7:].reshape(count, -1, 4), self.qpos[:, 3:7],
                                wanted[:, 3:7], weights),
            "velocity": reward.velocity(self.qvel, wanted_vel, weights),
            "end_effectors": reward.end_effectors(self._seen_from_root(self.body_pos_m, self.qpos)[:, self._ends],
                                                  self._ref_rest[row]),
            "root": reward.root(self.qpos[:, :3], wanted[:, :3], self.qpos[:, 3:7], wanted[:, 3:7], self.qvel, wanted_vel),
            "com": reward.com((self.com_m - self.com_before_m) * self.settings.rate_hz, (ref.com_m[row] - before) * ref.rate_hz)}

    @staticmethod
    def _seen_from_root(points: np.ndarray, qpos: np.ndarray) -> np.ndarray:
        """Points (N, B, 3) relative to the root's place on the floor, along its heading; heights stay."""
        apart = points - qpos[:, None, :3] * [1, 1, 0]
        return apart @ rotations.quat_to_matrix(cycle.heading(qpos[:, 3:7]))

    def observe(self) -> np.ndarray:
        """Observations (N, D) float32: phase, root, where the reference's root is, bodies' places and turns, joint speeds."""
        ref, count = self.reference, self.count
        frame = rotations.quat_to_matrix(cycle.heading(self.qpos[:, 3:7]))
        phase = ref.phase[self.row] * 2 * np.pi
        to_reference = np.einsum("na,nab->nb", ref.qpos[self.row, :3] - self.qpos[:, :3], frame)
        ahead = cycle.heading(ref.qpos[self.row, 3:7])
        off = rotations.quat_multiply(rotations.quat_conjugate(cycle.heading(self.qpos[:, 3:7])), ahead)
        turned = np.swapaxes(frame, 1, 2)[:, None] @ self.body_xmat.reshape(count, -1, 3, 3)
        places = (self.body_pos_m[:, 1:] - self.qpos[:, None, :3]) @ frame
        parts = [np.sin(phase)[:, None], np.cos(phase)[:, None], ref.phase[self.row][:, None], self.qpos[:, 2:3],
                 to_reference, 2 * off[:, 3:] * np.sign(off[:, :1]), np.einsum("na,nab->nb", self.qvel[:, :3], frame),
                 self.qvel[:, 3:6] / 3, places.reshape(count, -1), turned[..., :2].reshape(count, -1), self.qvel[:, 6:] / 5]
        return np.concatenate(parts, 1).clip(-50, 50).astype(np.float32)

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
