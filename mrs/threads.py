"""How many CPU threads to use: MRS_THREADS where it is set, else the cores that this process may run on."""

from __future__ import annotations

import os

from mrs.errors import UsageError

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def asked() -> int | None:
    """Return MRS_THREADS, or None where it is not set."""
    text = os.environ.get("MRS_THREADS", "").strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"Expected MRS_THREADS to be a whole number from 1 on, but got '{text}'.")
    return int(text)


def usable() -> int:
    """Return the threads to use."""
    return asked() or cores()


def cores() -> int:
    """Count the cores that this process may run on; a container or a scheduler may leave it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(count: int) -> dict[str, str]:
    """Return the variables that hold a process, and the libraries in it, to `count` threads."""
    return {"MRS_THREADS": str(count), **dict.fromkeys(VARIABLES, str(count))}
