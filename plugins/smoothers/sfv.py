"""SFV's idea, rebuilt: optimise the whole clip against its 2D evidence."""

from __future__ import annotations

import mrs


class Sfv:
    """Whole-clip optimisation: 2D evidence, smoothness in seconds, limits, one shape, ground and foot contact."""

    name = "sfv"

    class Options:
        iterations: int = mrs.option(60, "Iterations of the first pass, without contacts.", min=1, max=1000)
        contact_iterations: int = mrs.option(30, "Iterations of the second pass, with contacts.", min=1, max=1000)
        acceleration_m_s2: float = mrs.option(25.0, "Accelerations beyond this and what the picture shows are smoothed.", min=0.1)
        pose_weight: float = mrs.option(1.0, "How strongly the lifted pose pulls.", min=0)
        contact_weight: float = mrs.option(4.0, "How strongly feet in contact stand still.", min=0)
        ground_weight: float = mrs.option(4.0, "How strongly contacts lie on one ground; 0 for stairs.", min=0)
        foot_lock: str = mrs.option("auto", "Pin feet that touch (auto), that may touch (always), only their height "
                                    "(ground), or not at all (never).", choices=("auto", "always", "ground", "never"))
        window_frames: int = mrs.option(300, "Frames optimised together.", min=60)

    def smooth(self, video, track, motion):
        """Return the refined Motion in the world frame."""
        from mrs.refine.sfv import Plan, Scales, refine

        o = self.options
        scales = Scales(acceleration_m_s2=o.acceleration_m_s2, pose_weight=o.pose_weight,
                        contact_weight=o.contact_weight, ground_weight=o.ground_weight)
        plan = Plan(iterations=o.iterations, contact_iterations=o.contact_iterations, window_frames=o.window_frames,
                    foot_lock=o.foot_lock)
        refined, report = refine(track, motion, scales, plan, device=self.device, progress=self.progress)
        return refined.with_history(stage="refine", **report)


@mrs.hookimpl
def register_smoothers(register):
    """Offer the smoother."""
    register(Sfv)
