"""`mrs view`: motions in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from mrs.cli import opening


@click.command("view")
@click.argument("motions", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN|MOTION...")
@click.option("--lifted", is_flag=True, help="Show beside each person of a run what the lifter said.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve at; 0.0.0.0 lets everybody in the network in.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port; the next free one is taken.")
@click.option("--open", "opened", is_flag=True, help="Open the browser.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(motions: tuple[Path, ...], lifted: bool, host: str, port: int, opened: bool, extra: tuple[str, ...]):
    """Look at motions in the browser, from all sides.

    Shows bodies, skeletons, contacts, ways and cameras at any speed. Each is the folder of a RUN (everybody, and what they became by --synth) or a MOTION of any kind (npz of mrs or AMASS, BVH,
    DeepMimic). Several are shown side by side or over each other. Serves this machine alone, until Ctrl-C.
    """
    from mrs import plugins
    from mrs.view import app, items

    registry = plugins.load(extra)
    made = app.App(items.gather(motions, registry, lifted), registry, host, port)
    serve(made, opened)


def serve(made, opened: bool) -> None:
    """Say where it is, and wait for Ctrl-C."""
    import threading

    try:
        click.echo(made.address)
        click.echo("Ctrl-C ends it.", err=True)
        if opened:
            opening.show(made.address)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        made.close()
