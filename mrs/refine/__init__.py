"""Refinement of a whole clip against its 2D evidence: the successor of SFV's motion reconstruction."""
