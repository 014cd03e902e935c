"""`mrs live`: a webcam, a stream or a file, and a skeleton that moves along."""

from __future__ import annotations

import json

import click

from mrs.cli import opening
from mrs.cli.completion import plugin_names

QUICK = {"rotated_look": "never", "find_every_s": 1.0}
"""Options of detectors that have them, unless they are set: what costs time for poses that are rare before a webcam."""


@click.command("live")
@click.option("--source", default="0", show_default=True, metavar="NUMBER|URL|FILE", help="Webcam, stream, or a file played at its own speed.")
@click.option("--detector", default="blazepose", show_default=True, help="Detector plugin that gives landmarks in depth.",
              shell_complete=plugin_names("detector"))
@click.option("--set", "sets", multiple=True, metavar="detector.OPTION=VALUE", help="Option of the detector (repeatable).")
@click.option("--people", default=1, show_default=True, type=click.IntRange(1, 16), help="Show at most so many, the largest first.")
@click.option("--fov", type=click.FloatRange(1, 175), help="Horizontal field of view in degrees. [default: a guess]")
@click.option("--min-cutoff", "min_cutoff_hz", default=1.5, show_default=True, type=click.FloatRange(0.01), help="Filter's cut-off at rest, Hz; "
              "lower is smoother and later.")
@click.option("--beta", default=0.5, show_default=True, type=click.FloatRange(0), help="How fast the cut-off rises with speed.")
@click.option("--seconds", type=click.FloatRange(0.1), help="End after so long. [default: when the source ends, or at Ctrl-C]")
@click.option("--view/--no-view", "viewed", default=True, help="Show it in the browser (default: yes; needs the extra view).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve at; 0.0.0.0 lets everybody in the network in.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port; the next free one is taken.")
@click.option("--open", "opened", is_flag=True, help="Open the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each frame, and the delays in a last one.")
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", show_default=True, help="Where networks run.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(source, detector, sets, people, fov, min_cutoff_hz, beta, seconds, viewed, host, port, opened, as_json, device, extra):
    """Follow the people before a camera as they move.

    The detector looks for upright people and not often for new ones, unless --set says else. Each new frame goes through the detector to a body in the world, filtered by what came before it alone. While the detector is
    busy, frames are dropped and counted, so that the delay does not grow; it is measured and told.
    """
    from mrs import config, plugins
    from mrs.errors import UsageError
    from mrs.live import loop
    from mrs.live import source as sources
    from mrs.options import describe
    from mrs.plan import resolve_device

    options = {}
    registry = plugins.load(extra)
    known = {info.name for info in describe(registry.get("detector", detector).cls)}
    options |= {name: value for name, value in {**QUICK, "max_people": people}.items() if name in known}
    for stage, name, value in map(config.split_set, sets):
        if stage != "detector":
            raise UsageError(f"Expected options of the detector, but got one of the {stage}. Type: --set detector.{name}=...")
        options[name] = value
    made = registry.make("detector", detector, options, device=resolve_device(device))
    loop.check(made)
    filters = {"min_cutoff_hz": min_cutoff_hz, "beta": beta}
    followers = loop.followers_of(made, fov, filters, people)
    from mrs.causal import OneEuroFilter

    delays = loop.Delays(filter_lag_s=OneEuroFilter(**filters).lag_s())
    shows = _shows(viewed, as_json, host, port, opened, delays)
    newest = sources.Newest(sources.open_source(source))
    try:
        loop.run(newest, made, followers, lambda *seen: [show(*seen) for show in shows], delays, seconds)
    except KeyboardInterrupt:
        pass
    finally:
        newest.stop()
        for show in shows:
            getattr(show, "close", lambda: None)()
    click.echo(json.dumps({"delays": delays.facts()}) if as_json else delays.words())


def _shows(viewed: bool, as_json: bool, host: str, port: int, opened: bool, delays) -> list:
    """Return what each frame's bodies are given to."""
    from mrs.live import show

    shows: list = [show.Lines(click.echo)] if as_json else []
    if viewed:
        browser = show.Browser(host, port, delays)
        shows.append(browser)
        click.echo(browser.address, err=as_json)
        if opened:
            opening.show(browser.address)
    return shows
