"""`mrs batch`: many clips, here or on a cluster."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mrs import config
from mrs.cli.run import _flags
from mrs.errors import UsageError, tell

ABSOLUTE = ("camera", "target")


@click.command("batch")
@click.argument("videos", nargs=-1, metavar="VIDEOS...")
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder, or URL that fsspec knows (s3://...), for all clips.")
@click.option("--jobs", type=click.IntRange(1, 512), help="Clips at once. [default: a GPU each, else one for every two cores]")
@click.option("--threads", type=click.IntRange(1, 256), help="CPU threads of each. [default: the cores, shared out]")
@click.option("--gpus", default="auto", show_default=True, help="auto, none, or devices such as 0,1: one worker gets one.")
@click.option("--scheduler", metavar="ADDRESS", help="Hand the clips to a Dask cluster, such as tcp://host:8786.")
@click.option("--detach", is_flag=True, help="With --scheduler: submit, and do not wait. Look later with --status.")
@click.option("--resource", "resources", multiple=True, metavar="NAME=N", help="With --scheduler: what of a worker a clip takes, "
              "such as GPU=1 (repeatable).")
@click.option("--status", is_flag=True, help="Only write the table of what is done so far.")
@click.option("--again", is_flag=True, help="Do clips again whose verdict stands; what is current in their folders is reused.")
@click.option("--stale", "stale_s", type=click.FloatRange(1, 86400), default=60.0, show_default=True,
              help="Seconds without a sign of life after which a clip is taken from a worker on another machine.")
@_flags
@click.option("--set", "sets", multiple=True, metavar="STAGE.OPTION=VALUE", help="Option of a plugin (repeatable).")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="YAML file with the same names.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
@click.option("--overwrite", is_flag=True, help="Make everything anew.")
@click.option("--dry-run", is_flag=True, help="Say what would be done with each clip, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--log-json", is_flag=True, help="Progress, notes and errors on stderr as JSON lines (also MRS_LOG_JSON=1).")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("-v", "--verbose", count=True, help="Log more; twice for everything.")
def command(videos, out, jobs, threads, gpus, scheduler, detach, resources, status, again, stale_s, sets, config_path, plugins,
            overwrite, dry_run, as_json, log_json, quiet, verbose, **flags):
    """Run many clips, each into a folder DIR/NAME.

    VIDEOS are files, folders of videos, or URLs. Type the same command again to go on: clips with a verdict (done, nobody in
    it, not a video) are not done twice, whatever failed is tried again, and one clip's failure never stops the rest. Several
    machines that share DIR may do this at the same time. DIR/summary.html and summary.csv compare the clips; the command
    ends with 1 where a clip failed.
    """
    from mrs.batch import jobs as state
    from mrs.batch.storage import storage

    place = storage(out)
    if status:
        return _end(place, as_json, quiet, None)
    if not videos:
        raise UsageError(f"Expected VIDEOS, but got none. Type: mrs batch FOLDER -o {out}, or with --status for what is done so far.")
    settings = _settings(flags, config_path, sets, plugins, overwrite)
    shown = _begin(settings, quiet, verbose, log_json)
    planned = state.plan(state.videos_of(list(videos)), place, settings, again, stale_s)
    if dry_run:
        return _tell_plan(planned, place, as_json)
    if detach and not scheduler:
        raise UsageError("Expected --scheduler ADDRESS with --detach, but there is none. Type, for example: --scheduler tcp://host:8786")
    state.submit(planned, place)
    if scheduler:
        _on_cluster(planned, scheduler, _amounts(resources, gpus), detach, shown)
    else:
        _refuse_memory(str(place))
        _here(planned, place, jobs, threads, gpus, settings, shown)
    if not detach:
        return _end(place, as_json, quiet, shown)


def _settings(flags: dict[str, Any], config_path: Path | None, sets, plugins, overwrite: bool) -> config.Settings:
    """Merge the settings of all clips; paths become absolute, since a worker may stand elsewhere."""
    for name in ("size", "fps"):
        if flags.pop(name, None) is not None:
            raise UsageError(f"Expected no --{name}, since every clip of a batch is a video that has its own.")
    settings = config.settings(Path("clip"), flags, config=config_path, sets=sets, plugins=plugins, overwrite=overwrite)
    changed = {name: os.path.abspath(value) for name in ABSOLUTE if (value := getattr(settings.values, name)) and Path(value).is_file()}
    return replace(settings, video=None, values=replace(settings.values, **changed),
                   plugins=tuple(os.path.abspath(p) if Path(p).is_file() else p for p in settings.plugins))


def _begin(settings: config.Settings, quiet: bool, verbose: int, log_json: bool):
    """Load plugins and make all stages once, so that a wrong name or option is told before any clip is touched."""
    from mrs.cli.run import begin
    from mrs.plan import Plan

    shown, registry = begin(settings.plugins, quiet, verbose, log_json)
    Plan.make(settings, registry)
    return shown


def _refuse_memory(url: str) -> None:
    if url.startswith("memory://"):
        raise UsageError("Expected a place that processes can share, but memory:// lives in one process. Type another -o.")


def _here(planned, place, jobs: int | None, threads: int | None, gpus: str, settings: config.Settings, shown) -> None:
    """Do the clips in processes of this machine."""
    from mrs import threads as cpu
    from mrs.batch import jobs as state
    from mrs.batch import summary, workers
    from mrs.batch.storage import read_json

    left = [job for job in planned if not state.counts(read_json(place, state.record_name(job.name)), job)]
    devices = () if gpus == "none" or settings.values.device == "cpu" else workers.visible_gpus() if gpus == "auto" else _listed(gpus)
    count = min(jobs or len(devices) or max(1, cpu.cores() // 2), max(1, len(left)))
    each = threads or max(1, cpu.cores() // count)
    logging.getLogger("mrs.batch").info("%d of %d clips left; %d workers of %d threads; GPUs: %s", len(left), len(planned), count, each,
                                        ", ".join(devices) or "none")
    try:
        with shown, shown.step("clips", len(planned), "clips") as update:
            update(len(planned) - len(left), found=len(planned) - len(left))
            for done, (_, record) in enumerate(workers.run(left, count, each, devices, shown.line), 1):
                shown.line(_one_line(record))
                update(len(planned) - len(left) + done)
    except KeyboardInterrupt as error:
        summary.write(place)
        tell(error, kept=f"Kept in {place}: {summary.in_words(summary.rows(place))}.")
        raise


def _on_cluster(planned, address: str, resources: dict[str, float], detach: bool, shown) -> None:
    """Hand the clips to Dask; a Ctrl-C while waiting leaves the cluster at work."""
    from mrs.batch.cluster import Cluster

    with Cluster(address, resources) as cluster, shown:
        futures = cluster.submit(planned)
        at_work = cluster.workers()
        shown.line(f"{len(planned)} clip{'' if len(planned) == 1 else 's'} submitted to {address}, which has {at_work} worker{'' if at_work == 1 else 's'}.")
        if detach:
            return
        try:
            with shown.step("clips", len(planned), "clips") as update:
                for done, (_, record) in enumerate(cluster.follow(planned, futures, shown.line), 1):
                    shown.line(_one_line(record))
                    update(done)
        except KeyboardInterrupt as error:
            tell(error, kept="The cluster goes on without you; to look: mrs batch -o DIR --status.")
            raise


def _one_line(record: dict[str, Any]) -> str:
    if record["status"] == "done":
        return f"{record['name']}: done in {record['seconds']:.1f} s, people: {record['people']}"
    return f"{record['name']}: {record['status']}" + (f": {record['error']}" if record.get("error") else "")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _amounts(resources: tuple[str, ...], gpus: str) -> dict[str, float]:
    """Split NAME=N; devices that are named mean that a clip takes one GPU."""
    amounts = {} if gpus in ("auto", "none") else {"GPU": 1.0}
    for text in resources:
        name, _, number = text.partition("=")
        try:
            amounts[name] = float(number)
        except ValueError:
            raise UsageError(f"Expected --resource NAME=N, but got '{text}'. Type, for example: --resource GPU=1") from None
    return amounts


def _tell_plan(planned, place, as_json: bool) -> None:
    """Print what would be done with each clip."""
    from mrs.batch import jobs as state
    from mrs.batch.storage import read_json

    rows = []
    for job in planned:
        record = read_json(place, state.record_name(job.name))
        kept = state.counts(record, job)
        rows.append({"name": job.name, "video": job.video, "would": "keep" if kept else "run", "status": record["status"] if record else None})
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        told = f"keep ({row['status']})" if row["would"] == "keep" else "run" + (f" again ({row['status']})" if row["status"] else "")
        click.echo(f"{row['name']}: {told}")


def _end(place, as_json: bool, quiet: bool, shown) -> int:
    """Write and print the table; 1 where a clip failed."""
    from mrs.batch import jobs as state
    from mrs.batch import summary
    from mrs.errors import InputError

    table = summary.rows(place)
    if not table:
        raise InputError(f"Expected a batch at {place}, but there is none. Type: mrs batch VIDEOS -o {place}")
    summary.write(place)
    if as_json:
        click.echo(json.dumps(table, indent=1, default=str))
    else:
        click.echo(f"{place}/summary.html\n{place}/summary.csv")
    failed = [row for row in table if row["status"] in (state.FAILED, state.BAD)]
    if not quiet:
        notes = [f"{row['name']}: {row['status']}: {row['error']}" for row in failed]
        if shown is None or not shown.event("summary", message=summary.in_words(table), failed=notes, **summary.counts(table)):
            click.echo("\n".join([summary.in_words(table), *(f"Note: {note}" for note in notes)]), err=True)
    return 1 if failed else 0
