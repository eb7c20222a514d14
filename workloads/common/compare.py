#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the end of two or more runs side by side: losses, traffic, time, error against bound.

    python workloads/common/compare.py RUN_DIR_OR_LOG...

The first run is what the others are compared with.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Callable, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workloads.common import runlog  # noqa: E402
from workloads.common.errors import UserError  # noqa: E402
from workloads.common.progress import duration_text  # noqa: E402


_PARTS = ("quantise", "exchange", "switch", "dequantise")


@dataclass(frozen=True)
class Summary:
    """The figures of a finished run."""

    name: str
    first_loss: float
    loss: float
    valid_loss: float
    bytes_per_step: float
    gradient_bytes: int
    seconds: float
    step_seconds: float  # median
    parts: dict[str, float]  # of the all-reduce in a step, medians; empty for the ring
    error_max: Optional[float]
    bound_share: Optional[float]  # the largest of the measured errors' shares of their bounds


def summarise(path: Path) -> Summary:
    """UserError if the run is not finished."""
    log = path / "log.jsonl" if path.is_dir() else path
    records = runlog.read(log)
    steps = [record for record in records if record["type"] == "step"]
    if records[-1].get("outcome") != "finished" or not steps:
        raise UserError(f"{log}: the run is not finished")
    measured = [record for record in steps if "error_max" in record]
    shares = [r["error_max"] / r["error_bound"] for r in measured if r["error_bound"] > 0]
    return Summary(
        name=records[0]["name"], first_loss=steps[0]["loss"], loss=steps[-1]["loss"],
        valid_loss=records[-1]["valid_loss"],
        bytes_per_step=sum(r["bytes_sent"] for r in steps) / len(steps),
        gradient_bytes=records[0]["gradient_bytes"], seconds=records[-1]["seconds"],
        step_seconds=median(r["seconds"] for r in steps),
        parts={part: median(r[f"seconds_{part}"] for r in steps) for part in _PARTS
               if f"seconds_{part}" in steps[0]},
        error_max=max((r["error_max"] for r in measured), default=None),
        bound_share=max(shares, default=None))


def _part_cell(part: str) -> Callable[[Summary], str]:
    return lambda s: f"{1e3 * s.parts[part]:.3f} ms" if part in s.parts else "-"


_ROWS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("training loss, first step", lambda s: f"{s.first_loss:.4f}"),
    ("training loss, last step", lambda s: f"{s.loss:.4f}"),
    ("validation loss at the end", lambda s: f"{s.valid_loss:.4f}"),
    ("bytes a step and server", lambda s: f"{s.bytes_per_step:,.0f}"),
    ("  per byte of gradient", lambda s: f"{s.bytes_per_step / s.gradient_bytes:.4f}"),
    ("time", lambda s: duration_text(s.seconds)),
    ("  median step", lambda s: f"{s.step_seconds:.3f} s"),
    *((f"    {part}", _part_cell(part)) for part in _PARTS),
    ("largest error of a gradient", lambda s: _or_dash(s.error_max, "{:.3e}")),
    ("  as a share of its bound", lambda s: _or_dash(s.bound_share, "{:.3f}")),
)


def _or_dash(value: Optional[float], form: str) -> str:
    return "-" if value is None else form.format(value)


def table(summaries: Sequence[Summary]) -> str:
    rows = [["", *(s.name for s in summaries)]]
    rows += [[title, *(cell(s) for s in summaries)] for title, cell in _ROWS]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for title, *cells in rows:
        columns = [cell.rjust(width) for cell, width in zip(cells, widths[1:])]
        lines.append("  ".join([title.ljust(widths[0]), *columns]))
    first = summaries[0]
    for other in summaries[1:]:
        lines.append(
            f"{other.name} against {first.name}: validation loss "
            f"{other.valid_loss - first.valid_loss:+.4f}, "
            f"{other.bytes_per_step / first.bytes_per_step:.4f} of the bytes")
    return "\n".join(line.rstrip() for line in lines)


def main(arguments: Sequence[Any]) -> int:
    if len(arguments) < 1 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    try:
        print(table([summarise(Path(argument)) for argument in arguments]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
