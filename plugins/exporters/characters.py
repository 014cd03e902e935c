"""Exporters for simulated characters: DeepMimic, MimicKit, ASE, PHC, ProtoMotions, and the AMASS files that many of them start from."""

from __future__ import annotations

import mrs

_LIMBS = ("auto", "directions", "rotations")
_LIMBS_HELP = ("directions: limbs point as the person's, though rest poses differ; rotations: turns from the rest pose carry over; "
               "auto: as it was read for a motion from this very format, else directions.")
_GROUND = "Raise frames in which a link would be below the floor: yes, no, or auto (not for a motion read from this very format)."
_YES = ("auto", "yes", "no")


class DeepMimicExporter:
    """Write DeepMimic's motion file: JSON of 44 numbers a frame, Y up, facing +X, quaternions w x y z."""

    name = "deepmimic"
    suffix = ".txt"

    class Options:
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        forward: str = mrs.option("auto", "x: our +Z becomes +X, where DeepMimic's character looks; same: the world stays.",
                                  choices=("auto", "x", "same"))
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats import deepmimic
        from mrs.formats.carry import loop_of
        from mrs.formats.exporting import ready, settled, write_text

        motion = ready(motion, path, frames=2)
        frames, notes = deepmimic.frames_of(motion, **settled(self.options, motion, "deepmimic"))
        write_text(path, deepmimic.dumps(frames, loop_of(motion)))
        return notes


class MimicKitExporter:
    """Write MimicKit's pickle of numbers alone: Z up, rotation vectors, for its humanoid or its SMPL character."""

    name = "mimickit"
    suffix = ".pkl"

    class Options:
        character: str = mrs.option("humanoid", "Character: humanoid (34 numbers a frame) or smpl (75).", choices=("humanoid", "smpl"))
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats import deepmimic, mimickit, plain_pickle
        from mrs.formats.carry import loop_of
        from mrs.formats.exporting import evenly, ready, settled, whole

        motion, fps, notes = evenly(ready(motion, path, frames=2), "MimicKit")
        if self.options.character == "smpl":
            frames = mimickit.smpl_frames(_smpl(self.options, motion))
        else:
            values, more = deepmimic.frames_of(motion, **settled(self.options, motion, "deepmimic") | {"forward": "x"})
            notes += more
            frames = mimickit.humanoid_frames(values[:, 1:])
        with whole(path) as temporary:
            plain_pickle.save(temporary, mimickit.document(frames, fps, loop_of(motion)))
        return notes


class AseExporter:
    """Write the SkeletonMotion .npy of ASE and AMP: 15 bodies, Z up, local quaternions x y z w."""

    name = "ase"
    suffix = ".npy"

    class Options:
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats import ase, deepmimic, plain_pickle
        from mrs.formats.exporting import evenly, ready, settled, whole

        motion, fps, notes = evenly(ready(motion, path, frames=2), "ASE")
        values, more = deepmimic.frames_of(motion, **settled(self.options, motion, "deepmimic") | {"forward": "x"})
        with whole(path) as temporary:
            plain_pickle.save_npy(temporary, ase.document(values[:, 1:], fps))
        return notes + more


class PhcExporter:
    """Write PHC's pickle of one motion by name: Z up, global quaternions x y z w of the SMPL humanoid's 24 bodies."""

    name = "phc"
    suffix = ".pkl"

    class Options:
        key: str = mrs.option("", "Name of the motion in the file; that of the source without one.")
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats import phc, plain_pickle
        from mrs.formats.exporting import evenly, ready, stem, whole

        motion, fps, notes = evenly(ready(motion, path, frames=2), "PHC")
        document = phc.document(_smpl(self.options, motion), fps, self.options.key or stem(path, motion))
        with whole(path) as temporary:
            plain_pickle.save(temporary, document)
        return notes


class ProtoMotionsExporter:
    """Write ProtoMotions v3's .motion: tensors of body positions, rotations x y z w, velocities and contacts of the SMPL humanoid."""

    name = "protomotions"
    suffix = ".motion"

    class Options:
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        import torch

        from mrs.formats import protomotions
        from mrs.formats.exporting import evenly, ready, whole

        motion, fps, notes = evenly(ready(motion, path, frames=2), "ProtoMotions")
        document = protomotions.document(_smpl(self.options, motion), fps)
        with whole(path) as temporary:
            torch.save(document, temporary)
        return notes


class AmassExporter:
    """Write AMASS npz: SMPL-X or SMPL-H pose vectors, Z up, SMPL's mean body, both spellings of the frame rate's key."""

    name = "amass"
    suffix = ".npz"

    class Options:
        form: str = mrs.option("smplx", "Form: smplx (165 numbers, and the same in parts) or smplh (156).", choices=("smplx", "smplh"))
        betas: str = mrs.option("zero", "zero, or stature: the first says how tall the person is, at 0.1 m a unit about 1.66 m.",
                                choices=("zero", "stature"))
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        return _write_amass(motion, path, self.options, self.options.form, self.options.betas)


class GmrExporter:
    """Write what GMR's smplx_to_robot.py reads: AMASS npz of SMPL-X's mean body, at 30 Hz or more."""

    name = "gmr"
    suffix = ".npz"

    class Options:
        betas: str = mrs.option("zero", "zero: the mean body, 1.66 m to GMR, on which the motion was put; stature: the first says how tall the "
                                "person is, which makes GMR's targets larger and leaves the soles where the mean body has them.",
                                choices=("zero", "stature"))
        limbs: str = mrs.option("auto", _LIMBS_HELP, choices=_LIMBS)
        ground: str = mrs.option("auto", _GROUND, choices=_YES)

    def write(self, motion, path):
        """Write a motion; return notes."""
        return _write_amass(motion, path, self.options, "smplx", self.options.betas, least_hz=30.0)


class GmrLafan1Exporter:
    """Write what GMR's bvh_to_robot.py reads: BVH on LAFAN1's skeleton, whose frames lie along the bones, at 30 Hz."""

    name = "gmr-lafan1"
    suffix = ".bvh"

    def write(self, motion, path):
        """Write a motion; return a note where it was resampled."""
        from mrs.formats import bvh, lafan1
        from mrs.formats.exporting import ready
        from mrs.formats.prepare import resampled

        motion, notes = ready(motion, path, frames=2), ()
        if abs(motion.fps - lafan1.FPS) > 1e-3:
            notes = (f"Resampled from {motion.fps:.4f} to {lafan1.FPS:g} Hz, which GMR takes every BVH to have.",)
            motion = resampled(motion, lafan1.FPS)
        bvh.write(path, lafan1.to_bvh(motion, 1 / lafan1.FPS))
        return notes


def _smpl(options, motion, family: str = "smpl"):
    """Put a motion on SMPL's or SMPL-X's mean skeleton as the options say."""
    from mrs.formats.exporting import settled
    from mrs.formats.smpl_skeleton import to_smpl

    chosen = settled(options, motion, "amass")
    return to_smpl(motion, limbs=chosen["limbs"], ground=chosen["ground"], family=family)


def _write_amass(motion, path, options, form: str, betas: str, least_hz: float = 0.0) -> tuple[str, ...]:
    from mrs.formats import amass_write
    from mrs.formats.exporting import evenly, ready, whole
    from mrs.formats.prepare import resampled

    motion, fps, notes = evenly(ready(motion, path, frames=2), "AMASS")
    if fps < 0.997 * least_hz:
        notes += (f"Resampled from {fps:.4f} to {least_hz:g} Hz, which GMR takes slower files to have.",)
        motion, fps = resampled(motion, least_hz), least_hz
    values = amass_write.arrays(_smpl(options, motion, "smplx" if form == "smplx" else "smpl"), fps, form=form,
                                betas=amass_write.stature_betas(motion) if betas == "stature" else None)
    with whole(path) as temporary:
        amass_write.save(temporary, values)
    return notes


@mrs.hookimpl
def register_exporters(register):
    """Register every format."""
    for cls in (DeepMimicExporter, MimicKitExporter, AseExporter, PhcExporter, ProtoMotionsExporter, AmassExporter, GmrExporter,
                GmrLafan1Exporter):
        register(cls)
