"""`mrs models`: files that ship with mrs, networks that are fetched, where they lie, and whether they are whole."""

from __future__ import annotations

import json

import click


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
    """List the embedded files with size, licence, source, sha256 and card, and the models that can be fetched."""
    _list(as_json)


@command.command("get")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--from", "source", metavar="FILE_OR_URL", help="Take it from here instead of its own address.")
@click.option("--again", is_flag=True, help="Fetch it although it is there.")
@click.option("--new-digest", is_flag=True, help="Trust a download that differs from the first one.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def get(names: tuple[str, ...], source: str | None, again: bool, new_digest: bool, quiet: bool, as_json: bool):
    """Fetch models and print their paths. A download that was cut off goes on where it stopped."""
    from mrs import model_cache, progress
    from mrs.errors import UsageError

    models = [model_cache.named(name) for name in names]
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
    """Print the path of a model: an embedded one, or one that was fetched."""
    from mrs import data, model_cache

    if name in data.EMBEDDED:
        click.echo(data.asset_path(name))
        return
    model_cache.named(name)
    click.echo(model_cache.resolve(name, f"mrs models get {name} --from FILE_OR_URL"))


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]")
def verify(names: tuple[str, ...]):
    """Check that models have their checksums: those named, or the embedded ones and all that were fetched."""
    from mrs import data, model_cache
    from mrs.model_catalogue import CATALOGUE

    for name in names:
        if name not in data.EMBEDDED:
            model_cache.named(name)
    for name in names or [*data.EMBEDDED, *(n for n in CATALOGUE if model_cache.held(n))]:
        if name in data.EMBEDDED:
            click.echo(f"ok {data.asset_path(name, verify=True)}")
            continue
        found = model_cache.verify(name)
        unpublished = found.facts.get("checked_against") != "catalogue"
        click.echo(f"ok {found.path}{' (as at its first download: its makers publish no checksum)' if unpublished else ''}")


def _list(as_json: bool) -> None:
    from mrs import model_cache

    embedded, fetched, gated = _embedded(), _fetched(), _gated()
    if as_json:
        click.echo(json.dumps({"cache": str(model_cache.cache_dir()), "offline": model_cache.offline(), "embedded": embedded, "models": fetched,
                               "gated": gated}, indent=1))
        return
    click.echo("embedded")
    for row in embedded:
        click.echo(f"  {row['name']}: {row['about']}\n    {_size(row['bytes'])}, {row['licence']}; {row['source']}\n"
                   f"    sha256 {row['sha256']}\n    card {row['card']}")
    click.echo("to fetch: mrs models get NAME, or mrs models get NAME --from FILE")
    width = max(len(row["name"]) for row in fetched)
    for row in fetched:
        click.echo(f"  {row['name']:<{width}}  {'fetched' if row['path'] else '-':<7}  {row['about']}\n    {row['licence']}\n    from {row['url']}\n"
                   f"    {_there(row)}\n    at {row['place']}\n    for {row['setting']}")
    click.echo("from their makers alone, who give them to those who register")
    for row in gated:
        click.echo(f"  {row['name']}: {row['about']}\n    {row['licence']}\n    from {row['url']}\n    {_put(row)}")
    click.echo(f"Cache: {model_cache.cache_dir()}{' (MRS_OFFLINE is set)' if model_cache.offline() else ''}. Fetch one: mrs models get NAME")


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
                     "bytes": found.path.stat().st_size if found else None,
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
