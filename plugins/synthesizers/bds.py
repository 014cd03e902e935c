"""Synthesizers: `bds`, which re-enacts behaviour by a learned code, and two copies to compare it with."""

from __future__ import annotations

import mrs


class Bds:
    """Behaviour transfer: how the source moves, carried on from the target's posture by a cVAE with a roll-out decoder."""

    name = "bds"
    needs = ("torch",)

    class Options:
        weights: str | None = mrs.option(None, "Folder of a training, or weights.npz. Without it: what ships with mrs.")
        moving: bool = mrs.option(True, "Begin with the target's velocity; otherwise from a stand.")
        feet: bool = mrs.option(True, "Pin feet that stand, by two-bone inverse kinematics.")

    def transfer(self, source, target):
        """Return the source's behaviour from the target's first posture, on the target's body."""
        from mrs.synth import transfer, weights

        loaded = weights.load(self.options.weights)
        start = transfer.start_of(target, moving=self.options.moving)
        return transfer.transfer(loaded.model, source, start, self.options.feet)


class DisplacementCopy:
    """The baseline that adds the source's changes to the target's posture."""

    name = "displacement-copy"

    def transfer(self, source, target):
        """Return the target's first posture moved as the source moves."""
        from mrs.synth import transfer

        return transfer.copy_displacement(source, transfer.start_of(target))


class InertialisedCopy:
    """The baseline that animators use: the source itself, what is off at the start decaying."""

    name = "inertialised-copy"

    class Options:
        halflife_s: float = mrs.option(0.1, "Time in which half of the difference is gone.", min=0.01, max=2)
        feet: bool = mrs.option(True, "Pin feet that stand, by two-bone inverse kinematics.")

    def transfer(self, source, target):
        """Return the source's motion, blended from the target's first posture, on the target's body."""
        from mrs.synth import transfer

        return transfer.copy_inertialised(source, transfer.start_of(target), self.options.halflife_s, self.options.feet)


@mrs.hookimpl
def register_synthesizers(register):
    """Offer the model and the copies."""
    register(Bds)
    register(DisplacementCopy)
    register(InertialisedCopy)
