"""Write docs/stages.md from what the plugins say of themselves; a test holds the file to it."""

from pathlib import Path

from mrs import options, plugins, stages

PAGE = Path(__file__).parent.parent / "docs" / "stages.md"

VERBS = {
    "detector": "who is where in every frame",
    "tracker": "who is who over time",
    "lifter": "from a track to a body in 3D, in the camera's frame",
    "smoother": "the whole clip made right, in the world's frame",
    "synthesizer": "another body carries the behaviour on ([behaviour transfer](behaviour.md))",
    "renderer": "pictures of the motion, over a video or of one person by themselves ([appearance](appearance.md))",
    "exporter": "files for other programs",
    "track_exporter": "2D poses in the files of other programs (`mrs export RUN --to NAME`)",
    "importer": "motion from other programs",
    "converter": "files of other programs made into files that mrs reads (`mrs convert NAME INPUT... OUT`)",
}


def page(registry: plugins.Registry) -> str:
    """Return the text of docs/stages.md."""
    lines = ["# Stages and their plugins", "", "Written by `python tools/write_stage_docs.py`. Set an option with",
             "`--set stage.option=value` or in the YAML file of `--config`.", ""]
    for stage in stages.STAGES.values():
        calls = " or ".join(f"`{stage.verb}({', '.join(arguments)})`" for arguments in (stage.arguments, stage.others) if arguments)
        lines += [f"## {stage.name}: {VERBS[stage.name]}", "", f"{calls}, registered by `{stage.hook}`", ""]
        for name in registry.names(stage.name):
            cls = registry.get(stage.name, name).cls
            lines += [f"**{name}**: {stages.summary(cls)}", ""]
            rows = [f"| `{o.name}` | {_default(o.default)} | {o.help} |" for o in options.describe(cls)]
            lines += ["| option | default | |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join(lines).rstrip() + "\n"


def _default(value) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(plugins.load()))
