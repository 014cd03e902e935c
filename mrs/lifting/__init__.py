"""Regressors from evidence to bodies: the HMR head that all share, and what stands before it."""
