"""`mrs convert NAME INPUT... OUT`: turn files of other programs into files that mrs reads."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("convert")
@click.argument("name")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--set", "sets", multiple=True, metavar="OPTION=VALUE", help="Option of the converter (repeatable).")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(name: str, inputs: tuple[str, ...], out: Path, sets: tuple[str, ...], extra: tuple[str, ...]):
    """Turn a file of another program into one that mrs reads.

    INPUT... become OUT by the converter NAME; `mrs plugins` lists them.

    For example: mrs convert mmpose-onnx CONFIG CHECKPOINT rtmpose.onnx
    """
    from mrs import plugins
    from mrs.errors import UsageError

    values = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"Expected --set OPTION=VALUE, but got '{text}'. Type: mrs plugins show {name}")
        values[key.removeprefix("converter.")] = value
    converter = plugins.load(extra).make("converter", name, values)
    for note in converter.convert(inputs, out) or ():
        click.echo(f"Note: {note}", err=True)
    click.echo(out)
