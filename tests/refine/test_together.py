"""Several people in one batch: the same objective, nobody leans on anybody else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs.refine import sfv, together
from mrs.refine.minimise import by_torch, minimise
from mrs.refine.sfv import Person, Plan, Scales
from tests.refine.test_solver import problem, window


def task(frames):
    """A walker's window, to be solved in 15 iterations."""
    like = problem(window(np.arange(frames) / 30, noise=0.01)[0])
    return together.Task(like.window, like.body, like.soles, like.betas0, Scales(), 15)


@pytest.fixture
def two():
    return [task(24), task(31)]


def test_costs_of_a_batch_are_the_sums_of_each(two):
    """Every term of two people one after another is the sum of what each has: no difference is taken across them."""
    stacked = together.stacked([t.window for t in two])
    whole = replace(two[0], window=stacked, betas=torch.stack([t.betas for t in two]))
    at = whole.problem().costs(stacked.turned, stacked.root, whole.betas, stacked.turned, stacked.root)
    each = [t.problem().costs(t.window.turned, t.window.root, t.betas, t.window.turned, t.window.root) for t in two]
    for name, value in at.items():
        assert float(value) == pytest.approx(sum(float(e[name]) for e in each), rel=1e-5, abs=1e-7), name


def test_a_batch_ends_where_each_alone_ends(two):
    alone = [t.solved() for t in two]
    both = together.solve_together(two)
    for one, other, t in zip(alone, both, two, strict=True):
        assert other.turned.shape == t.window.turned.shape and set(other.terms) == set(one.terms)
        assert (one.root - other.root).norm(dim=-1).mean() < 0.01
        assert sum(other.terms.values()) < 1.05 * sum(one.terms.values())


def test_who_waits_at_another_pass_is_solved_alone(two):
    """Only windows of the same pass make a batch."""
    assert two[0].fits(two[1])
    assert not two[0].fits(replace(two[1], iterations=3))
    assert not two[0].fits(replace(two[1], extra=(object(),)))


def test_people_in_one_batch_keep_their_own_lengths_and_reports():
    from benchmarks.refine_speed import filmed_walk

    pytest.importorskip("tests.walker")
    people = [Person(*filmed_walk(40)), Person(*filmed_walk(55, seed=1))]
    plan = Plan(iterations=6, contact_iterations=4)
    told = []
    done = sfv.refine_together(people, Scales(), plan, progress=lambda d, total: told.append((d, total)))
    assert [len(motion) for motion, _ in done] == [40, 55] and told[-1] == (190, 190)
    for person, (motion, report) in zip(people, done, strict=True):
        alone, own = sfv.refine(person.track, person.motion, Scales(), plan)
        assert set(report) == set(own) and set(report["terms"]) == set(own["terms"])
        assert np.linalg.norm(motion.joints_m - alone.joints_m, axis=-1).mean() < 0.03


def test_both_drivers_find_the_minimum_of_a_valley():
    """Rosenbrock's valley in 10 variables, by SciPy's L-BFGS and by torch's, which GPUs get."""
    def valley(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    for driver in (minimise, by_torch):
        x, count, converged = driver(valley, torch.zeros(10, dtype=torch.float64), 400)
        assert converged and count < 400 and (x - 1).abs().max() < 0.05
