"""`mrs models`: files that ship with mrs, networks that are fetched, where they lie, and whether they are whole."""

from __future__ import annotations

import json
from typing import Any

import click

from mrs.cli import fitting


@click.group("models", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool):
    """List and verify networks and bodies, and fetch others.

    What is fetched lies in MRS_CACHE_DIR, else XDG_CACHE_HOME/mrs, else the system's place for caches. MRS_OFFLINE=1 forbids the network.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(as_json: bool):
    """List all files of models, those that ship and others.

    Each comes with size, licence, source and sha256; those that ship with their card, those to fetch with the place they go to.
    """
    _list(as_json)


@command.command("get")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--from", "source", metavar="FILE_OR_URL", help="Take it from here instead of its own address.")
@click.option("--again", is_flag=True, help="Fetch it although it is there.")
@click.option("--new-digest", is_flag=True, help="Trust a download that differs from the first one.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def get(names: tuple[str, ...], source: str | None, again: bool, new_digest: bool, quiet: bool, as_json: bool):
    """Fetch models and print their paths.

    A download that was cut off goes on where it stopped. NAMEs are those of `mrs models`.
    """
    from mrs import model_cache, progress
    from mrs.errors import UsageError

    models = [_to_fetch(name) for name in names]
    if source and len(models) > 1:
        raise UsageError(f"Expected one name with --from, but got {len(models)}.")
    shown, results = progress.choose(quiet), []
    with shown:
        for model in models:
            with shown.step(model.name, None, "bytes") as update:
                results.append(model_cache.get(model, source, again=again, new_digest=new_digest, update=update))
            if not model.sha256 and not model.sha256_begins:
                shown.line(f"{model.name}: sha256 {results[-1].facts['source_sha256']} (no published checksum: this first "
                           "download is trusted, later ones have to equal it)")
    if as_json:
        click.echo(json.dumps([{"path": str(r.path), **r.facts} for r in results], indent=1))
        return
    for result in results:
        click.echo(result.path)


@command.command("path")
@click.argument("name")
def path(name: str):
    """Print where a model lies, embedded or fetched."""
    from mrs import data, model_cache

    embedded = data.named(name)
    if embedded:
        click.echo(data.asset_path(embedded))
        return
    model = _known(name)
    click.echo(model_cache.resolve(model.name, f"mrs models get {name} --from FILE_OR_URL"))


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]")
def verify(names: tuple[str, ...]):
    """Check the checksums of models.

    Without a NAME: of the embedded ones and all that were fetched.
    """
    from mrs import data, model_cache
    from mrs.model_catalogue import CATALOGUE

    found = [data.named(name) or _known(name).name for name in names] or [*data.EMBEDDED, *(n for n in CATALOGUE if model_cache.held(n))]
    for name in found:
        click.echo(f"ok {_verified(name)}")


def _verified(name: str) -> str:
    """Check one file; return its path, with a word where its makers publish no checksum."""
    from mrs import data, model_cache

    if name in data.EMBEDDED:
        return str(data.asset_path(name, verify=True))
    found = model_cache.verify(name)
    unpublished = found.facts.get("checked_against") != "catalogue"
    return f"{found.path}{' (as at its first download: its makers publish no checksum)' if unpublished else ''}"


def _known(name: str) -> Any:
    """Return a model that can be fetched; refuse what only its makers give out, and names that are none."""
    from mrs import data
    from mrs.errors import MissingError, UsageError
    from mrs.model_catalogue import CATALOGUE, GATED
    from mrs.options import unknown

    gated = next((entry for entry in GATED if entry.name == name), None)
    if gated:
        raise MissingError(f"Expected a model that ships or can be fetched, but {name} is given out by its makers alone, at {gated.url}. "
                           f"Put {gated.files[0]} into a folder and type: export {gated.setting}=FOLDER")
    if name not in CATALOGUE:
        raise UsageError(unknown(f"model '{name}'", name, [*CATALOGUE, *data.names()]))
    return CATALOGUE[name]


def _to_fetch(name: str) -> Any:
    """Return a model to fetch; say of an embedded one that it is there."""
    from mrs import data
    from mrs.errors import UsageError

    if data.named(name):
        raise UsageError(f"Expected a model to fetch, but {name} ships with mrs. Type: mrs models path {name}")
    return _known(name)


def _list(as_json: bool) -> None:
    from mrs import model_cache

    embedded, fetched, gated = _embedded(), _fetched(), _gated()
    if as_json:
        click.echo(json.dumps({"cache": str(model_cache.cache_dir()), "offline": model_cache.offline(), "embedded": embedded, "models": fetched,
                               "gated": gated}, indent=1))
        return
    fitting.echo("embedded")
    for row in embedded:
        fitting.echo(f"  {row['name']}: {row['about']}\n    {_size(row['bytes'])}, {row['licence']}; {row['source']}\n"
                   f"    sha256 {row['sha256']}\n    card {row['card']}")
    fitting.echo("to fetch: mrs models get NAME, or mrs models get NAME --from FILE")
    width = max(len(row["name"]) for row in fetched)
    for row in fetched:
        fitting.echo(f"  {row['name']:<{width}}  {'fetched' if row['path'] else '-':<7}  {row['about']}\n"
                   f"    {_about(row['megabytes'])}, {row['licence']}\n    from {row['url']}\n    {_there(row)}\n    at {row['place']}\n    for {row['setting']}")
    fitting.echo("from their makers alone, who give them to those who register")
    for row in gated:
        fitting.echo(f"  {row['name']}: {row['about']}\n    {row['licence']}\n    from {row['url']}\n    {_put(row)}")
    fitting.echo(f"Cache: {model_cache.cache_dir()}{' (MRS_OFFLINE is set)' if model_cache.offline() else ''}. Fetch one: mrs models get NAME")


def _there(row: dict) -> str:
    """Size and checksum of what was fetched, or what it will be checked against."""
    if row["path"]:
        return f"{_size(row['bytes'])}, sha256 {row['sha256']}"
    if row["sha256_begins"]:
        return f"not fetched; its sha256 begins with {row['sha256_begins']}"
    return "not fetched; no checksum is published, the first download's is kept"


def _put(row: dict) -> str:
    """Where files of others are, or are to be put."""
    if row["paths"]:
        return f"found {', '.join(row['paths'])}"
    if row["folder"]:
        return f"put {row['files'][0]} into {row['folder']}"
    return f"put {row['files'][0]} into a folder of yours and type: export {row['setting']}=FOLDER"


def _about(megabytes: float | None) -> str:
    """Say a size that was not measured."""
    if megabytes is None:
        return "size not published"
    return f"about {megabytes:.0f} MB" if megabytes >= 1 else f"about {megabytes * 1000:.0f} kB"


def _size(count: int | None) -> str:
    return "missing" if count is None else f"{count / 1e6:.2f} MB"


def _embedded() -> list[dict]:
    """Return the files that ship with mrs; their bytes are null where one is missing."""
    from mrs import data

    rows = []
    for name, asset in data.EMBEDDED.items():
        place = data.place(name)
        rows.append({"name": name, "about": asset.about, "bytes": place.stat().st_size if place.is_file() else None,
                     "licence": asset.licence, "source": asset.source, "sha256": asset.sha256, "path": str(place),
                     "card": str(place.with_name("README.md"))})
    return rows


def _fetched() -> list[dict]:
    """Return the models that can be fetched, with path and checksum of those that were."""
    from mrs import model_cache
    from mrs.model_catalogue import CATALOGUE

    rows = []
    for model in CATALOGUE.values():
        found = model_cache.held(model.name)
        rows.append({"name": model.name, "about": model.about, "url": model.url, "licence": model.licence, "place": str(model_cache.place(model.name)),
                     "bytes": found.path.stat().st_size if found else None, "megabytes": model.megabytes,
                     "path": str(found.path) if found else None, "setting": model.setting.format(name=model.name),
                     "sha256_begins": model.sha256_begins, "sha256": found.facts.get("sha256") if found else model.sha256})
    return rows


def _gated() -> list[dict]:
    """Return what only its makers give out; `paths` are the files found in the folder that the setting names."""
    import os
    from dataclasses import asdict
    from pathlib import Path

    from mrs.model_catalogue import GATED

    rows = []
    for entry in GATED:
        folder = os.environ.get(entry.setting)
        stems = {name.partition(".")[0].lower() for name in entry.files}
        found = sorted(p for p in Path(folder).rglob("*") if p.stem.lower() in stems and p.suffix in (".npz", ".pkl")) if folder else []
        rows.append(asdict(entry) | {"files": list(entry.files), "folder": folder, "paths": [str(path) for path in found]})
    return rows
