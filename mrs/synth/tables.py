"""The evaluation as text: one table a part, in Markdown, with what each column is."""

from __future__ import annotations

from mrs.synth.evaluate import PLAUSIBLE, TRANSFER

PREDICTED = {"APD": "APD", "ADE": "ADE", "FDE": "FDE", "MMADE": "MMADE", "MMFDE": "MMFDE", "CMD": "CMD", "ASD": "ASD", "FSD": "FSD",
             "ADE_joint": "ADE, m a joint", "FDE_joint": "FDE, m a joint"}
RATES = ("source", "target", "real_fake")


def text(found: dict) -> str:
    """Return every table of :func:`mrs.synth.evaluate.evaluate`."""
    ceiling = found["transfer"]["real"]["source"][0]
    held, short = ", ".join(found["labels"]), ", ".join(found["left_out"]) or "none"
    seeds = ", ".join(map(str, found["seeds"]))
    lines = [f"Held-out labels: {held}. Trained on but too short to hold out: {short}.", "",
             (f"Seeds {seeds}; {found['per_label']} pairs a label and seed; real windows are read rightly at {ceiling:.3f} "
              f"(the ceiling), chance is {found['chance']:.3f}. Mean ± half of the 95 % interval."), ""]
    lines += _table("Transfer to a start of another label", found["transfer"], {k: v[0] for k, v in TRANSFER.items()})
    lines += [f"- {title}: {what}" for title, what in TRANSFER.values() if title != "p90"] + [""]
    lines += _table("Is it real?", found["transfer"], {k: v[0] for k, v in PLAUSIBLE.items()})
    lines += [f"- {title}: {what}" for title, what in PLAUSIBLE.values()] + [""]
    frames = sorted({int(k.split("_")[1]) for k in found["leakage"]["bds"] if "_" in k})
    names = {f"{kind}_{f}": f"{kind}, frame {f}" for kind in ("ridge", "mlp") for f in frames} | {"moved": "displacement"}
    lines += _table("Held-out R2 of probes from the code to the posture (low is good) and to the displacement (high is good)",
                    found["leakage"], names)
    lines += _table("Re-enactment from the window's own start, 1.2 s", found["reconstruction"],
                    {k: v for k, v in PREDICTED.items() if k in found["reconstruction"]["bds"]})
    lines += _table("Prediction, 2 s, best of 50 (DLow's protocol: joints about the pelvis; norms over the flattened posture, "
                    "and beside them means over joints)", found["prediction"], PREDICTED)
    if "flow" in found:
        names = {"flow_nats": "flow, nats", "flow_given_start_nats": "given the start", "gaussian_nats": "full-covariance Gaussian",
                 "ks_mean_p": "KS: mean p", "ks_rejected": "KS: share rejected (Bonferroni)"}
        lines += _table("Held-out negative log likelihood of codes, and Kolmogorov-Smirnov tests of the flow's noise", found["flow"], names)
    return "\n".join(lines).rstrip() + "\n"


def _table(title: str, rows: dict, names: dict[str, str]) -> list[str]:
    lines = [f"### {title}", "", "| | " + " | ".join(names.values()) + " |", "|---" * (len(names) + 1) + "|"]
    for way, row in rows.items():
        lines.append(f"| {way} | " + " | ".join(_cell(row.get(name)) for name in names) + " |")
    return [*lines, ""]


def _cell(value) -> str:
    if value is None:
        return "-"
    mean, half = value
    digits = 1 if abs(mean) >= 20 else 2
    return f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if half > 0 else "")


def verdicts(found: dict) -> list[tuple[str, bool, str]]:
    """What had to be reached: (what, whether, the numbers)."""
    ways, bds = found["transfer"], {k: v[0] for k, v in found["transfer"]["bds"].items()}
    ceiling = ways["real"]["source"][0]
    copies = {name: ways[name]["real_fake"][0] for name in ("displacement copy", "inertialised copy")}
    slide = ways["real"]["slide_cm_s"][0]
    probe = max(v[0] for k, v in found["leakage"]["bds"].items() if k != "moved")
    ade = found["prediction"]["bds"]["ADE"][0] / found["prediction"]["zero velocity"]["ADE"][0] if "bds" in found["prediction"] else 9.9
    rows = [("agrees with the source at 80 % of real windows' rate", bds["source"] >= 0.8 * ceiling,
             f"{bds['source']:.3f} of {ceiling:.3f} = {100 * bds['source'] / ceiling:.0f} %"),
            ("agrees with the target in at most 10 %", bds["target"] <= 0.1, f"{100 * bds['target']:.1f} %"),
            ("real/fake accuracy at most 0.80", bds["real_fake"] <= 0.8, f"{bds['real_fake']:.3f}"),
            ("and below the copies'", bds["real_fake"] < min(copies.values()), ", ".join(f"{k} {v:.3f}" for k, v in copies.items())),
            ("feet slide at most 1.3 times as real ones", bds["slide_cm_s"] <= 1.3 * slide, f"{bds['slide_cm_s'] / slide:.2f}"),
            ("mean speed within 15 % of the source's", abs(bds["speed"] - 1) <= 0.15, f"{bds['speed']:.2f}"),
            ("start continuity (jump) within 1.5 median real steps, 90th percentile", bds["jump_p90"] <= 1.5,
             f"{bds['jump_p90']:.2f}; first step {bds['first_p90']:.2f}, of real motion {ways['real']['first_p90'][0]:.2f}"),
            ("posture probe R2 at most 0.5", probe <= 0.5, f"largest of ridge and MLP {probe:.2f}"),
            ("best-of-50 ADE at most 0.75 of zero velocity's", ade <= 0.75, f"{ade:.2f}")]
    if "flow" in found:
        flow = {k: v[0] for k, v in found["flow"]["flow"].items()}
        rows.append(("flow better than the Gaussian, held out", flow["flow_nats"] < flow["gaussian_nats"],
                     f"{flow['flow_nats']:.1f} against {flow['gaussian_nats']:.1f} nats"))
    return rows
