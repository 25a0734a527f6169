"""One file to hand on: the run's pictures, its table, the machine and the settings. No script, nothing fetched from anywhere."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from benchmarks.throughput.report import Report
from benchmarks.throughput.tables import HEADINGS, cells, knee_point, title_of

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 74rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p.sub { color: #555; margin-top: .2rem; }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #e3e3e3; white-space: nowrap; }
th { color: #555; font-weight: 600; border-bottom: 2px solid #bbb; white-space: normal; vertical-align: bottom; }
table.facts th, table.facts td { text-align: left; white-space: normal; vertical-align: top; border-bottom: 1px solid #e3e3e3; }
tr.knee td { background: #e5f4ee; font-weight: 600; }
td:first-child, th:first-child { text-align: left; }
"""


def page(report: Report, pictures: Iterable[str]) -> str:
    """Return the page. `pictures` are SVG elements."""
    profile = report.profile
    knee = (
        f"<p>The knee lies at <strong>{profile.knee_concurrency:.1f} requests at once</strong>: the least that reach 95% of the "
        "plateau's throughput.</p>"
        if profile.knee_concurrency is not None
        else ""
    )
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in report.remarks)
    title = f"{profile.model}: throughput"
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>
<style>{_STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
<p class="sub">{escape(title_of(profile))} · {escape(profile.at)}</p>
{knee}
{"".join(pictures)}
<h2>Level by level</h2>
<p class="sub">Times in milliseconds. TTFT: to the first token; TPOT: each further token, mean over an answer; ITL: between two pieces of
a stream. The first request of each stream is left out.</p>
<div class="wide">{_levels(report)}</div>
{f"<ul>{remarks}</ul>" if remarks else ""}
<h2>What was measured</h2>
{_facts(_machine(report))}
<h2>Engine settings</h2>
{_facts({name: str(value) for name, value in sorted(profile.engine.items())})}
</body>
</html>
"""


def _levels(report: Report) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    marked = knee_point(report.profile)
    rows = "".join(
        f"<tr{' class=knee' if point is marked else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells(point))
        + "</tr>"
        for point in report.profile.points
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _machine(report: Report) -> dict[str, str]:
    profile, machine = report.profile, report.profile.machine
    gpus = ", ".join(machine.gpu_names) or "none"
    return {
        "model": f"{profile.model}, weights {profile.weights_hash[:16]}, computed in {profile.dtype}",
        "processor": f"{machine.processor}, {machine.cores} cores ({', '.join(machine.cpu_flags)})",
        "memory": f"{machine.memory_bytes / 2**30:.1f} GiB",
        "GPUs": gpus + (f", driver {machine.driver}" if machine.driver else ""),
        "system": machine.system,
        "versions": ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        "batch": f"{profile.max_num_seqs} sequences, {profile.max_num_batched_tokens} tokens a step at most",
        "KV cache": f"{profile.kv_capacity_tokens:,} tokens" if profile.kv_capacity_tokens else "what memory was left",
        "load tool": f"{report.load_tool}, seed {profile.seed}",
        "service level": profile.slo or "none given",
    }


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return f'<table class="facts">{rows}</table>'
