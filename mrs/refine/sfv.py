"""The `sfv` refinement of one person's whole clip, in overlapping windows.

Stages: wrong starts put right; every window without contacts; flights, contacts and ground (and size, where asked)
from that; every window with them; standing feet pinned. Windows overlap, and each goes on from the one before, so that the path has no seam.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mrs import rotations, world
from mrs.body import load_body
from mrs.body.torch_body import sixd_to_matrix
from mrs.motion import Motion
from mrs.refine import doubt, flight, starts, together
from mrs.refine.clip import Clip, frame_steps, keypoint_weights, mean_about
from mrs.refine.footlock import lock_feet
from mrs.refine.solver import Scales, Solved, one_quick_thread
from mrs.refine.spaces import to_sixd
from mrs.tracks import Track
from mrs.world.contact import hand_contacts
from mrs.world.contact_net import foot_contacts
from mrs.world.ground import ground_height, sole_points
from mrs.world.level import Level

HELD = 6
OVERLAP_S = 0.5
TRUST_HEIGHTS = 0.05
TRUST_S = 0.1
"""Trust is a mean over about this time: that of a frame alone hangs on its noise, and on the frame rate."""
UNSEEN_PULL = 0.15
"""Trust in the way that leads through what was not seen."""
SURE_S = 0.5
_SPACES = {"pose": "pose", "hybrid": "hybrid"}

__all__ = ["Plan", "Scales", "frame_steps", "refine"]


@dataclass(frozen=True)
class Plan:
    """How much work to do, and what may change."""

    iterations: int = 36
    contact_iterations: int = 21
    start_s: float = 0.1
    window_frames: int = 300
    overlap_frames: int = 40
    foot_lock: str = "auto"
    space: str = "pose"
    mend_starts: bool = True
    doubt: bool = True
    pull_s: float = 0.05
    gravity_scale: bool = False
    find_level: bool = False
    free_betas: bool = False
    free_focal: bool = False
    height_m: float | None = None


def refine(track: Track | None, motion: Motion, scales: Scales, plan: Plan, *, device: str = "cpu", prior=None,
           decoder=None, codes=None, extra=(), progress=lambda done, total: None) -> tuple[Motion, dict]:
    """Refine a world motion against its track; return it and a report of every term.

    Without a track, or without a camera, the terms without evidence drop out, and the motion keeps near its own path.
    `prior` is a pose prior or None, `decoder` and `codes` (T, D) a lifter's latent space for plan.space "latent".
    """
    person = Person(track, motion, decoder, codes, extra)
    return refine_together([person], scales, plan, device=device, prior=prior, progress=progress)[0]


@dataclass(frozen=True)
class Person:
    """Who is to be refined: a track or None, the world motion, a lifter's latent space where there is one, and dense terms."""

    track: Track | None
    motion: Motion
    decoder: object = None
    codes: np.ndarray | None = None
    extra: tuple = ()


def refine_together(people: list[Person], scales: Scales, plan: Plan, *, device: str = "cpu", prior=None, stack: bool = True,
                    known_level: Level | None = None, progress=lambda done, total: None,
                    finished=lambda number, result: None) -> list[tuple[Motion, dict]]:
    """Refine several people of one scene, each with its own shape, contacts and ground.

    With `stack` their windows are solved in one batch. With plan.find_level the world is turned upright after the first
    pass, by what all of them say or by `known_level`. `finished` is called with everybody's number and result at once.
    """
    done = [0] * len(people)
    total = 2 * sum(len(person.motion) for person in people)

    def told(number: int):
        def tell(count: int) -> None:
            done[number] = count
            progress(sum(done), total)
        return tell

    with one_quick_thread():
        return together.carried_out([_Refiner(person, scales, plan, device, prior, told(number)).run()
                                     for number, person in enumerate(people)],
                                    stack=stack, known_level=known_level, finished=finished)


class _Refiner:
    """The stages over one clip, and what they report."""

    def __init__(self, person: Person, scales: Scales, plan: Plan, device: str, prior, progress):
        self.track, self.motion, self.scales, self.plan = person.track, person.motion, scales, plan
        self.decoder, self.codes, self.extra = person.decoder, person.codes, person.extra
        self.prior, self.progress = prior, progress
        self.report: dict = {"space": plan.space}
        self.clip = Clip(load_body(self.motion.body), self.track, self.motion, device)
        self.followed: torch.Tensor | float = 1.0

    def run(self) -> together.Solving:
        """Go through all stages: yield windows, get them solved; return the refined motion and the report."""
        frames = len(self.motion)
        self._tell_height()
        self._mend()
        self.clip = self.clip.with_local_share()
        self.clip = self.clip.changed(initial=self.clip.smoothed(self.plan.pull_s).all.turned)
        self.clip = self.clip.smoothed(self.plan.start_s).with_seen_acceleration()
        self._doubt()
        self._take_codes()
        lasting = replace(self.scales, reprojection_rho=None)
        yield from self._sweep("terms_before_contact", lasting, self.plan.iterations, 0, free=self.plan)
        yield from self._stand_upright()
        smooth = self._look()
        yield from self._sweep("terms", self.scales, self.plan.contact_iterations, frames)
        self._fill_between_segments()
        done = replace(self.clip.motion(self.motion), contacts=smooth.contacts)
        refined, locked = lock_feet(done, self.report["ground_m"], self.plan.foot_lock)
        return refined, self.report | {"foot_lock": locked}

    def _tell_height(self) -> None:
        """Give the body the stature that the user knows."""
        if self.plan.height_m is not None:
            body = self.clip.numpy_body
            self.clip = self.clip.scaled(self.plan.height_m / body.stature_m(self.motion.betas))

    def _mend(self) -> None:
        """Put wrong starts right, and trust each frame's pose as far as it meets the evidence."""
        w, track = self.clip.all, self.track
        if not w.has_camera or not self.plan.mend_starts:
            return
        body, betas = self.clip.numpy_body, self.clip.betas.cpu().double().numpy()
        R = w.R.expand(len(w.times), 3, 3).cpu().double().numpy()
        root = w.seen(w.root).cpu().double().numpy()
        rays = rotations.normalise(root, [0, 0, 1])
        weights = keypoint_weights(track)
        chosen = starts.choose(body, track.keypoints, track.keypoints_px, weights, w.height.cpu().double().numpy(),
                               R[:, None] @ w.turned.cpu().double().numpy(), betas, w.K.cpu().double().numpy(), track.times_s, rays)
        turned = np.swapaxes(R, -1, -2)[:, None] @ chosen.turned
        seen = (weights > 0).sum(1) >= 4
        turned, turns = starts.turn_through_gaps(turned, seen, track.times_s)
        trust = np.exp(-((chosen.error / TRUST_HEIGHTS) ** 2)) * np.where(chosen.hypothesis > 0, 0.25, 1.0)
        turned = torch.as_tensor(turned).to(w.root)
        pull = np.maximum(w.pull.cpu().double().numpy() * trust[:, None], UNSEEN_PULL * ~track.seen[:, None])
        pull = torch.as_tensor(mean_about(track.times_s, pull, TRUST_S)).to(w.root)
        self.clip = self.clip.changed(turned=turned, initial=turned, pull=pull)
        self.report["starts"] = chosen.report() | {"turned_through": turns}

    def _doubt(self) -> None:
        """Follow the picture less where the lifter is unsure of itself, or far from it."""
        if not self.clip.all.has_camera or not self.plan.doubt:
            return
        start = self.clip.motion(self.motion)
        track, like = self.track, self.clip.all.root
        height = self.clip.all.height.cpu().double().numpy()
        projected = start.camera.project(self.clip.numpy_body.keypoints(start, track.keypoints))
        if doubt.usual_distance(projected, track.keypoints_px, keypoint_weights(track), height) < doubt.CRUDE_HEIGHTS:
            self._unswap(start)
        w = self.clip.all
        sure = doubt.sureness(self.motion, track)
        observed, weights = w.observed.cpu().double().numpy(), w.weights.cpu().double().numpy()
        agreed = doubt.agreement(projected, observed, weights, height)
        kept = doubt.keypoint_sureness(self.clip.numpy_body, track, self.motion.betas, sure) ** doubt.WEIGHT_POWER * agreed
        self.followed = torch.as_tensor(kept).to(like)
        self.clip = self.clip.changed(weights=w.weights * self.followed, seen_acceleration=w.seen_acceleration * torch.as_tensor(
            sure**doubt.LIVELY_POWER).to(like))
        self.report["doubted"] = float(1 - (weights * kept).sum() / max(weights.sum(), 1e-9))

    def _take_codes(self) -> None:
        if self.plan.space == "pose":
            return
        if self.plan.space == "latent":
            codes = torch.as_tensor(np.asarray(self.codes)).to(self.clip.all.root)
            self.clip = self.clip.changed(codes=codes)
        else:
            self.decoder = self.prior
            self.clip = self.clip.with_codes(self.prior)

    def _stand_upright(self) -> together.Solving:
        """Turn the world by what the scene says of the camera's tilt, before anything touches the ground."""
        if not self.plan.find_level or not self.clip.all.has_camera:
            return
        smooth = self.clip.motion(self.motion)
        found = yield together.Scene(replace(smooth, contacts=foot_contacts(smooth, self.track)))
        self.report["level"] = found.report()
        self.motion = world.turned(self.motion, found.turn)
        self.clip = self.clip.turned_world(torch.as_tensor(found.turn).to(self.clip.all.root))

    def _look(self) -> Motion:
        """Read flights, contacts, ground and, where asked, size off the first pass."""
        smooth = self.clip.motion(self.motion)
        held_up = flight.held_up(smooth.joints_m, smooth.times_s)
        contacts = foot_contacts(smooth, self.track) * (self._about_seen() * held_up)[:, None]
        flights = self._flights(smooth, contacts)
        long = [fall for fall in flights if fall.sure > 0.5 and fall.seconds >= flight.SCALE_S]
        if self.plan.gravity_scale and self.plan.height_m is None and long and self.clip.all.has_camera:
            factor, spread = flight.scale_from_gravity(long)
            self.clip = self.clip.scaled(factor)
            self.report["gravity"] = {"flights": len(long), "size_factor": factor, "log_spread": spread}
            smooth = self.clip.motion(self.motion)
        self._unswap(smooth)
        smooth = replace(smooth, contacts=contacts)
        ground = ground_height([smooth])
        self.report["ground_m"] = ground
        hands = hand_contacts(smooth, ground)
        self.report["contacts"] = _touching_s(contacts, hands, smooth.times_s)
        self.clip = self.clip.with_ground(ground, self.scales.let_go_m_s, contacts=contacts, hands=hands, flight=flight.probability(flights, smooth.times_s))
        return smooth

    def _about_seen(self) -> np.ndarray:
        """Whether (T,) the person is seen within SURE_S: further into a gap a path is no ground to stand on."""
        if self.track is None:
            return np.ones(len(self.motion))
        times, seen = self.motion.times_s, self.motion.times_s[self.track.seen]
        if len(seen) == 0:
            return np.zeros(len(times))
        after = np.searchsorted(seen, times).clip(0, len(seen) - 1)
        away = np.minimum(np.abs(times - seen[after]), np.abs(times - seen[(after - 1).clip(0)]))
        return (away <= SURE_S).astype(float)

    def _flights(self, smooth: Motion, contacts: np.ndarray) -> list[flight.Fall]:
        lowest = np.minimum(sole_points(smooth)[..., 1].min(1), smooth.joints_m[..., 1].min(1))
        seen = np.ones(len(smooth)) if self.track is None else self.track.seen
        return flight.falls(smooth.joints_m, contacts, lowest, smooth.times_s, seen)

    def _unswap(self, smooth: Motion) -> None:
        """Put exchanged limbs of the evidence back where a smooth body says they are."""
        if not self.clip.all.has_camera:
            return
        track = self.track
        projected = smooth.camera.project(self.clip.numpy_body.keypoints(smooth, track.keypoints))
        points, count = starts.unswapped(projected, track.keypoints_px, track.keypoints, self.clip.all.height.cpu().double().numpy())
        again = bool(self.report.get("limbs_unswapped"))
        self.report["limbs_unswapped"] = count
        if count or again:
            like = self.clip.all.root
            weights = torch.as_tensor(keypoint_weights(replace(track, keypoints_px=points))).to(like) * self.followed
            self.clip = self.clip.changed(observed=torch.as_tensor(points[..., :2]).to(like), weights=weights)

    def _sweep(self, name: str, scales: Scales, iterations: int, before: int, free: Plan | None = None) -> together.Solving:
        """Solve window after window of every segment; `before` frames were done in earlier sweeps.

        Over the overlap a window starts from what is done, faded into its own start, and its result is faded in again:
        no kink to solve and no seam to see. The first HELD frames of it are held.
        """
        sums: dict[str, float] = {}
        told = {"windows": 0, "converged": 0, "iterations": 0}
        found: list[tuple[Solved, int]] = []
        free_betas, free_focal = free is not None and free.free_betas, free is not None and free.free_focal
        task = together.Task(self.clip.all, self.clip.body, self.clip.soles, self.clip.betas, scales, iterations, prior=self.prior,
                             decoder=self.decoder, space=_SPACES.get(self.plan.space, "coded"), free_betas=free_betas,
                             free_focal=free_focal)
        for first, past in self.clip.segments:
            yield from self._segment(first, past, task, before, found)
        for solved, _ in found:
            for term, value in solved.terms.items():
                sums[term] = sums.get(term, 0.0) + value
            told = {"windows": told["windows"] + 1, "converged": told["converged"] + solved.converged,
                    "iterations": told["iterations"] + solved.iterations}
        if free_betas or free_focal:
            self._share(found)
        self.report[name] = sums
        self.report.setdefault("convergence", {})[name] = told

    def _share(self, found) -> None:
        """Make one shape and one focal length of what the windows say, by how many frames each has."""
        weight = sum(share for _, share in found)
        self.clip.betas = sum(share * solved.betas for solved, share in found) / weight
        log_focal = sum(share * solved.log_focal for solved, share in found) / weight
        K = self.clip.all.K.clone()
        K[..., [0, 1], [0, 1]] *= log_focal.exp()[0]
        self.clip = self.clip.changed(K=K)
        self.report["focal_px"] = float(K[..., 0, 0].mean())

    def _segment(self, first: int, past: int, task: together.Task, before: int, found: list) -> together.Solving:
        """Solve the windows of one stretch of rows; note what each found and how many frames it has."""
        overlap = self._overlap()
        start, done = first, first
        while done < past:
            clip = self.clip.all
            end = min(start + self.plan.window_frames, past)
            if past - end < overlap:
                end = past
            rows = slice(start, end)
            fade = _fade(clip.times[rows], done - start).to(clip.root)
            origin = self._origin.all if start > first else clip
            if start == first:
                self._origin = self.clip
            now = _State(clip.turned[rows], clip.root[rows], None if clip.codes is None else clip.codes[rows])
            own = _State(origin.turned[rows], origin.root[rows], None if clip.codes is None else origin.codes[rows])
            begin = now.mixed(own, fade)
            held = torch.arange(HELD, device=clip.root.device) if start > first else None
            window = replace(clip.at(rows), turned=begin.turned, root=begin.root, codes=begin.codes, held=held)
            solved = yield replace(task, window=window, extra=tuple(e.at(rows) for e in self.extra))
            after = now.mixed(_State(solved.turned, solved.root, solved.codes), fade)
            turned, root = clip.turned.clone(), clip.root.clone()
            turned[rows], root[rows] = after.turned, after.root
            codes = clip.codes
            if codes is not None:
                codes = codes.clone()
                codes[rows] = after.codes
            self.clip = self.clip.with_state(turned, root, codes)
            self.progress(before + end)
            found.append((solved, end - start))
            start, done = end - overlap - HELD, end

    def _overlap(self) -> int:
        """Frames that two windows share: the plan's, OVERLAP_S at least, half a window at most."""
        plan = self.plan
        wanted = max(plan.overlap_frames, round(OVERLAP_S * 30 / float(self.clip.all.step.mean())))
        return min(wanted, plan.window_frames // 2)

    def _fill_between_segments(self) -> None:
        """Lead over from one segment to the next, where nobody was seen; confidence there is 0."""
        self.report["segments"] = len(self.clip.segments)
        w, times = self.clip.all, self.motion.times_s
        for (_, past), (first, _) in zip(self.clip.segments, self.clip.segments[1:], strict=False):
            if first <= past:
                continue
            turned, root = w.turned.clone(), w.root.clone()
            share = torch.as_tensor((times[past:first] - times[past - 1]) / (times[first] - times[past - 1])).to(w.root)
            ends = rotations.matrix_to_quat(w.turned[[past - 1, first]].cpu().double().numpy())
            between = rotations.slerp(ends[0][None], ends[1][None], share.cpu().double().numpy()[:, None])
            turned[past:first] = torch.as_tensor(rotations.quat_to_matrix(between)).to(w.root)
            root[past:first] = torch.lerp(w.root[past - 1][None], w.root[first][None], share[:, None])
            self.clip = self.clip.with_state(turned, root, w.codes)
            w = self.clip.all


@dataclass(frozen=True)
class _State:
    """Rotations, root and codes of some rows."""

    turned: torch.Tensor
    root: torch.Tensor
    codes: torch.Tensor | None

    def mixed(self, new: _State, share: torch.Tensor) -> _State:
        """A state between this one and a near one; share (T,) of the new."""
        turned = torch.lerp(self.turned, new.turned, share[:, None, None, None])
        codes = self.codes
        if codes is not None:
            codes = torch.lerp(codes, codes if new.codes is None else new.codes, share[:, None])
        return _State(sixd_to_matrix(to_sixd(turned)), torch.lerp(self.root, new.root, share[:, None]), codes)


def _fade(times: torch.Tensor, done: int) -> torch.Tensor:
    """Share (T,) of the new: 0 in the held frames, rising smoothly over the `done` frames, then 1."""
    if done <= HELD:
        return torch.ones_like(times)
    share = ((times - times[HELD - 1]) / (times[done - 1] - times[HELD - 1])).clamp(0, 1)
    return share**2 * (3 - 2 * share)


def _touching_s(contacts: np.ndarray, hands: np.ndarray, times_s: np.ndarray) -> dict[str, float]:
    """Seconds for which each heel, toe and hand is held to touch."""
    names = ("left_heel_s", "left_toe_s", "right_heel_s", "right_toe_s", "left_hand_s", "right_hand_s")
    touching = (np.concatenate([contacts, hands], 1) > 0.5) * frame_steps(times_s)[:, None] / 30
    return dict(zip(names, touching.sum(0).tolist(), strict=True))
