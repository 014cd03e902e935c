"""The simple smoothers: filters over time, with constants in hertz and seconds."""

from __future__ import annotations

import numpy as np

import mrs


class Gaussian:
    """Gaussian mean over time."""

    name = "gaussian"

    class Options:
        sigma_s: float = mrs.option(0.1, "Standard deviation in seconds (3 frames at 30 a second).", min=0.001)

    def smooth(self, video, track, motion):
        """Return the filtered Motion."""
        from scipy.ndimage import gaussian_filter1d

        def run(values, rate_hz):
            return gaussian_filter1d(values, self.options.sigma_s * rate_hz, axis=0, mode="nearest")

        return _filtered(track, motion, run)


class Butterworth:
    """Butterworth low-pass run forwards and backwards: no lag."""

    name = "butterworth"

    class Options:
        cutoff_hz: float = mrs.option(6.0, "Frequencies above this are removed.", min=0.01)
        order: int = mrs.option(4, "Order of the whole filter; even, since it runs twice.", min=2, max=16)

    def smooth(self, video, track, motion):
        """Return the filtered Motion."""
        from scipy.signal import butter, sosfiltfilt

        def run(values, rate_hz):
            if self.options.cutoff_hz >= rate_hz / 2:
                return values
            sections = butter(max(self.options.order // 2, 1), self.options.cutoff_hz, fs=rate_hz, output="sos")
            pad = min(len(values) - 1, int(3 * rate_hz / self.options.cutoff_hz))
            return sosfiltfilt(sections, values, axis=0, padlen=pad)

        return _filtered(track, motion, run)


class SavitzkyGolay:
    """Savitzky-Golay: a polynomial fitted to a sliding stretch of time."""

    name = "savgol"

    class Options:
        window_s: float = mrs.option(0.37, "Length of the stretch in seconds (11 frames at 30 a second).", min=0.01)
        order: int = mrs.option(3, "Degree of the polynomial.", min=0, max=7)

    def smooth(self, video, track, motion):
        """Return the filtered Motion."""
        from scipy.signal import savgol_filter

        def run(values, rate_hz):
            length = 2 * round(self.options.window_s * rate_hz / 2) + 1
            length = min(length, len(values) - 1 + len(values) % 2)
            if length <= self.options.order:
                return values
            return savgol_filter(values, length, self.options.order, axis=0)

        return _filtered(track, motion, run)


class OneEuro:
    """One-Euro filter: causal, smoother when slow (Casiez et al., CHI 2012)."""

    name = "one-euro"

    class Options:
        min_cutoff_hz: float = mrs.option(1.5, "Cut-off at rest; lower is smoother.", min=0.001)
        beta: float = mrs.option(0.5, "How fast the cut-off rises with speed; higher lags less.", min=0)
        speed_cutoff_hz: float = mrs.option(1.0, "Cut-off of the speed estimate.", min=0.001)

    def smooth(self, video, track, motion):
        """Return the filtered Motion."""
        def run(values, rate_hz):
            return one_euro(values, 1 / rate_hz, self.options.min_cutoff_hz, self.options.beta,
                            self.options.speed_cutoff_hz)

        return _filtered(track, motion, run)


def one_euro(values, between_s: float, min_cutoff_hz: float, beta: float, speed_cutoff_hz: float):
    """Filter (T, C) of values `between_s` apart by :class:`mrs.causal.OneEuroFilter`."""
    from mrs.causal import OneEuroFilter

    causal = OneEuroFilter(min_cutoff_hz, beta, speed_cutoff_hz)
    return np.stack([causal.step(value, row * between_s) for row, value in enumerate(values)])


def _filtered(track, motion, run):
    """Filter root path and joint rotations (as 6D), on an even grid of times where the frames are uneven."""
    from dataclasses import replace

    from mrs import rotations
    from mrs.body import load_body
    from mrs.world.contact import contact_probabilities
    from mrs.world.ground import sole_points

    times = motion.times_s
    if len(times) < 4 or not (np.diff(times) > 0).all():
        why = "fewer than four frames" if len(times) < 4 else "times that do not grow"
        return motion.with_history(stage="filter", fallback=f"The motion stays as it is: {why} can't be filtered.")
    sixd = rotations.matrix_to_sixd(rotations.quat_to_matrix(motion.local_quat_wxyz)).reshape(len(times), -1)
    signal = np.concatenate([motion.root_pos_m, sixd], 1)
    between = np.diff(times)
    rate_hz = motion.fps
    if between.max() - between.min() > 0.01 * between.mean():
        grid = np.linspace(times[0], times[-1], len(times))
        smooth = _interpolate(times, grid, run(_interpolate(grid, times, signal), rate_hz))
    else:
        smooth = run(signal, rate_hz)
    matrices = rotations.sixd_to_matrix(smooth[:, 3:].reshape(len(times), -1, 6))
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(matrices))
    body = load_body(motion.body)
    root = smooth[:, :3]
    moved = replace(motion, root_pos_m=root, local_quat_wxyz=quats, joints_m=body.joints(root, quats, motion.betas))
    return replace(moved, contacts=contact_probabilities(sole_points(moved), times, motion.camera))


def _interpolate(at, times, values):
    """Linear interpolation of (T, C) given at `times` to the times `at`."""
    return np.stack([np.interp(at, times, column) for column in values.T], -1)


@mrs.hookimpl
def register_smoothers(register):
    """Offer the filters."""
    register(Gaussian)
    register(OneEuro)
    register(Butterworth)
    register(SavitzkyGolay)
