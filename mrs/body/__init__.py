"""The body: an SMPL-layout model of 24 joints and 10 shape coefficients, free of gated files."""

from mrs.body.model import Body, load_body

__all__ = ["Body", "load_body"]
