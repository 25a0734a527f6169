"""The same cluster as a Slurm job: `ray symmetric-run` starts Ray on every node of the job, and what serves on the first.

Each node's GPUs are looked at first: one unfit node ends the job, since all of them were asked for.
"""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.environment import PROVIDER_KEYS, ray_environment
from cluster.nodes.inventory import Node
from cluster.nodes.resources import label_text, offered_by
from cluster.nodes.units import RAY_METRICS_PORT, RAY_PORT, check_command
from router.bundle import Bundle

_GIB_FOR_THE_SYSTEM: Final = 4


def slurm_files(bundle: Bundle, nodes: Sequence[Node]) -> Mapping[str, str]:
    """Return a job script for each sort of machine: the nodes of a job are alike, since `ray start` says the same on each of them.

    Each job is a cluster of its own.
    """
    named = {lane.hosted.api_key_env for lane in bundle.lanes.values() if lane.hosted is not None}
    withheld = sorted(PROVIDER_KEYS | named)
    alike = Counter(
        node.model_copy(update={"name": "any", "address": None, "head": False, "may_reach_out": False})
        for node in nodes
        if node.private
    )
    files: dict[str, str] = {}
    for node, count in alike.items():
        name = f"{node.gpu or 'cpu'}-{node.site}".lower()
        taken = sum(path.startswith(f"slurm/lane-{name}") for path in files)
        files[f"slurm/lane-{name}{f'-{taken + 1}' if taken else ''}.sbatch"] = _script(name, node, count, withheld)
    return files


def _script(name: str, node: Node, count: int, withheld: Sequence[str]) -> str:
    options = {
        "job-name": f"lane-{name}",
        "nodes": count,
        "ntasks-per-node": 1,
        "cpus-per-task": node.cpus,
        "mem": f"{max(1, int(node.memory_gib) - _GIB_FOR_THE_SYSTEM)}G",
        **({"gres": f"gpu:{node.gpu}:{node.gpu_count}"} if node.gpu else {}),
        "constraint": node.site,
        "time": "UNLIMITED",
        "signal": "B:TERM@150",
        "output": "lane-%j.log",
    }
    head = "\n".join(f"#SBATCH --{option}={value}" for option, value in options.items())
    variables = "\n".join(
        f"export {name}={value}" for name, value in sorted(ray_environment({}, provider_keys=()).items())
    )
    offered = json.dumps(offered_by(node), separators=(",", ":"))
    return f"""\
#!/bin/bash
{head}
set -euo pipefail

# sbatch hands on what its caller has, and a provider's key has no business on a node.
unset {" ".join(withheld)}
{variables}
export RAY_AUTH_TOKEN_PATH="${{RAY_AUTH_TOKEN_PATH:-$HOME/.lane/ray.token}}"
test -r "$RAY_AUTH_TOKEN_PATH" || {{ echo "no Ray token at $RAY_AUTH_TOKEN_PATH: openssl rand -hex 32 makes one" >&2; exit 1; }}

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$first" hostname --ip-address | awk '{{print $1}}'):{RAY_PORT}
export LANE_RAY_ADDRESS="$address"

# A node that is unfit offers nothing: leave it out (scontrol update nodename=NODE state=drain reason=GPU), then sbatch again.
srun --label {shlex.join(check_command(node))}

exec srun --kill-on-bad-exit=1 ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \\
  --num-cpus={node.cpus} --num-gpus={node.gpu_count} --resources='{offered}' \\
  --labels={label_text(node)} \\
  --metrics-export-port={RAY_METRICS_PORT} --disable-usage-stats \\
  -- lane up --foreground --no-door
"""
