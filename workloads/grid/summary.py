#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Differences to the ring with their standard errors over seeds, as a table in Markdown.

    python workloads/grid/summary.py [RESULTS_DIR]

A configuration's run and the ring's with the same seed start from the same weights and see the same
samples in the same order, so differences are taken seed by seed; the standard error is that of
their mean, s / sqrt(n) with n - 1 degrees of freedom. "within": the difference is smaller than
that. "error" is the averaged gradient's error beside the exact mean of what the servers had to
send, as a share of that mean, root mean squares of both.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workloads.common.errors import UserError  # noqa: E402
from workloads.grid import configs, results  # noqa: E402

RESULTS = Path(__file__).resolve().parents[1] / "results"
Row = dict[str, str]


@dataclass(frozen=True)
class Comparison:
    """A configuration beside the ring, over the seeds that both have."""

    seeds: int
    mean: float
    ring: float
    difference: float
    error: float  # standard error of the difference; NaN with one seed
    ring_deviation: float  # of the ring's own values from seed to seed

    @property
    def within(self) -> Optional[bool]:
        """Whether the difference is within one standard error; None with one seed."""
        return None if math.isnan(self.error) else abs(self.difference) <= self.error


def values(rows: Sequence[Row], workload: str, config: str, servers: int,
           column: str) -> dict[int, float]:
    """By seed."""
    return {int(row["seed"]): float(row[column]) for row in rows
            if (row["workload"], row["config"], row["servers"]) == (workload, config, str(servers))
            and row[column] != ""}


def comparison(rows: Sequence[Row], workload: str, config: str, servers: int,
               column: str) -> Optional[Comparison]:
    """None if no seed has both runs."""
    mine = values(rows, workload, config, servers, column)
    ring = values(rows, workload, "ring", servers, column)
    seeds = sorted(mine.keys() & ring.keys())
    if not seeds:
        return None
    differences = [mine[seed] - ring[seed] for seed in seeds]
    several = len(seeds) > 1
    return Comparison(
        seeds=len(seeds), mean=fmean(mine[seed] for seed in seeds),
        ring=fmean(ring[seed] for seed in seeds), difference=fmean(differences),
        error=stdev(differences) / math.sqrt(len(seeds)) if several else math.nan,
        ring_deviation=stdev(ring[seed] for seed in seeds) if several else math.nan)


def _figure(rows: Sequence[Row], workload: str, config: str, servers: int, column: str) -> str:
    found = list(values(rows, workload, config, servers, column).values())
    return f"{1e3 * median(found):.2f}" if found else "-"


def load(folder: Path) -> list[Row]:
    """runs.csv, each row with its curve's mean as "mean_train_loss"."""
    rows = results.read(folder / "runs.csv", results.RUNS)
    points: dict[configs.Task, list[float]] = {}
    for point in results.read(folder / "curves.csv", results.CURVES):
        points.setdefault(results.task_of(point), []).append(float(point["train_loss"]))
    for row in rows:
        curve = points.get(results.task_of(row))
        row["mean_train_loss"] = str(fmean(curve)) if curve else ""
    return rows


def groups(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """(workload, servers) in the order of the configurations' file."""
    found = {(row["workload"], int(row["servers"])) for row in rows}
    return sorted(found, key=lambda g: (list(configs.WORKLOADS).index(g[0]), g[1]))


def metrics(workload: str) -> tuple[tuple[str, str, float], ...]:
    """(column, title, factor) of what a workload is judged by."""
    loss = (("valid_loss", "validation loss", 1.0),
            ("mean_train_loss", "training loss, mean of the run", 1.0))
    if configs.WORKLOADS[workload].module == "resnet50":
        return (("valid_top1", "top-1, %", 100.0), *loss)
    return loss


def _cell(rows: Sequence[Row], workload: str, config: str, servers: int, column: str,
          factor: float) -> list[str]:
    found = comparison(rows, workload, config, servers, column)
    if found is None:
        return ["-", "-"]
    digits = 2 if factor == 100.0 else 4
    mean = f"{factor * found.mean:.{digits}f}"
    if config == "ring":
        spread = ("" if math.isnan(found.ring_deviation)
                  else f" (s = {factor * found.ring_deviation:.{digits}f})")
        return [mean + spread, ""]
    better = (found.difference > 0) == (column == "valid_top1")
    mark = "" if found.within is None else (" within" if found.within else
                                            (" better" if better else " worse"))
    error = "" if math.isnan(found.error) else f" +- {factor * found.error:.{digits}f}"
    return [mean, f"{factor * found.difference:+.{digits}f}{error}{mark}"]


def table(rows: Sequence[Row], workload: str, servers: int) -> str:
    """One group's table."""
    judged = metrics(workload)
    head = ["configuration", "seeds"]
    for _, title, _ in judged:
        head += [title, "less the ring's"]
    head += ["error", "bytes a step", "step, ms", "quantise", "switch", "dequantise"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    for config in configs.CONFIGS:
        found = comparison(rows, workload, config.name, servers, judged[0][0])
        if found is None:
            continue
        cells = [config.label, str(found.seeds)]
        for column, _, factor in judged:
            cells += _cell(rows, workload, config.name, servers, column, factor)
        error = values(rows, workload, config.name, servers, "relative_error")
        cells.append(f"{100 * fmean(error.values()):.2g} %" if error else "-")
        sent = values(rows, workload, config.name, servers, "bytes_per_step")
        cells.append(f"{median(sent.values()):,.0f}")
        cells += [_figure(rows, workload, config.name, servers, column) for column in
                  ("step_seconds", "seconds_quantise", "seconds_switch", "seconds_dequantise")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    try:
        rows = load(Path(arguments[0]) if arguments else RESULTS)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for workload, servers in groups(rows):
        print(f"## {workload}, {servers} servers\n\n{table(rows, workload, servers)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
