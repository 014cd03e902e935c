"""Behaviour transfer: a compact vector of how somebody moves, re-enacted from any posture, sampled and compared."""
