import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

from cluster.nodes.inventory import read_node
from cluster.render.slurm import slurm_files


def options(script: str) -> dict[str, str]:
    lines = [line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH --")]
    return dict(line.split("=", 1) for line in lines)


def test_each_sort_of_machine_is_a_job_that_asks_for_what_it_has(starter: Any, machines: Any) -> None:
    files = slurm_files(starter, machines)

    assert set(files) == {"slurm/lane-h100-frankfurt.sbatch", "slurm/lane-l40s-munich.sbatch"}
    asked = options(files["slurm/lane-h100-frankfurt.sbatch"])
    assert (asked["nodes"], asked["gres"], asked["constraint"]) == ("2", "gpu:h100:2", "frankfurt")


def test_bash_takes_the_scripts(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        if name.startswith("slurm/"):
            done = subprocess.run(["bash", "-n"], input=text, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr


def test_ray_runs_on_every_node_and_the_lane_on_the_first(starter: Any, machines: Any) -> None:
    for script in slurm_files(starter, machines).values():
        command = script.replace("\\\n", " ").strip().splitlines()[-1]
        assert "ray symmetric-run" in command
        assert command.endswith("-- lane up --foreground --no-door")


def test_every_node_is_looked_at_before_ray_starts_on_any(starter: Any, machines: Any) -> None:
    script = slurm_files(starter, machines)["slurm/lane-h100-frankfurt.sbatch"]
    lines = script.splitlines()
    looked = next(line for line in lines if "lane cluster check" in line)

    asked = read_node(shlex.split(looked)[-1])

    assert (asked.gpu, asked.gpu_count, asked.private) == ("h100", 2, True)
    assert "set -euo pipefail" in lines
    assert lines.index(looked) < next(index for index, line in enumerate(lines) if "symmetric-run" in line)
