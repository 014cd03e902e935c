"""Workers of a Dask cluster. What is to be done and what is done lies in the batch's folder; Dask only brings jobs to machines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from mrs.batch.jobs import Job
from mrs.errors import InputError, MissingError
from mrs.runfolder import key_of

CONNECT_S = 20
_ONE_CLIP = threading.Lock()


def task(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job on a worker, one clip a process at a time, since seeds and threads belong to the process.

    Where the claim is held, as by a worker that was killed a moment ago, wait until its holder is done or gone.
    """
    from mrs.batch.work import work

    with _ONE_CLIP:
        return work(Job.from_dict(job), wait=True)


def close(out: str, records: list[dict[str, Any]]) -> int:
    """Write the table when the last clip has ended; return how many there were. Whoever submitted may be gone."""
    from mrs.batch import summary
    from mrs.batch.storage import storage

    summary.write(storage(out))
    return len(records)


class Cluster:
    """A connection to a scheduler, which may be given up at any time."""

    def __init__(self, address: str, resources: dict[str, float] | None = None):
        try:
            from distributed import Client
        except ImportError:
            raise MissingError("Expected Dask for --scheduler, but it is not installed. Type: pip install 'mrs[cluster]'") from None
        try:
            self._client = Client(address, timeout=CONNECT_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(f"Expected a Dask scheduler at {address}, but none answers ({type(error).__name__}). "
                             "Type there: dask scheduler") from None
        self._resources = resources or None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def submit(self, jobs: list[Job]) -> list[Any]:
        """Hand over the jobs; the cluster does them even when nobody waits. The same job twice is one task."""
        from distributed import fire_and_forget

        futures = [self._client.submit(task, job.as_dict(), key=f"mrs-batch-{job.key[:20]}-{job.redo or 'first'}", pure=False,
                                       retries=3, resources=self._resources) for job in jobs]
        door = key_of({"jobs": [f.key for f in futures]})[:20]
        fire_and_forget([*futures, self._client.submit(close, jobs[0].out, futures, key=f"mrs-batch-table-{door}", pure=False, retries=3)])
        return futures

    def follow(self, jobs: list[Job], futures: list[Any], tell: Callable[[str], None]) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Yield every job with its record as it ends."""
        from distributed import as_completed

        by_key = {future.key: job for job, future in zip(jobs, futures, strict=True)}
        for future in as_completed(futures):
            job = by_key[future.key]
            if future.status == "finished":
                yield job, future.result()
                continue
            error = future.exception() if future.status == "error" else None
            tell(f"{job.name}: Dask gave it up: {type(error).__name__}: {str(error)[:200]}")
            yield job, {"name": job.name, "status": "failed", "error": f"Dask: {type(error).__name__}: {str(error)[:200]}"}

    def workers(self) -> int:
        """Count the workers that are there now."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])
