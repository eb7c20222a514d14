#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The grid's pictures, by gnuplot: curves with bands over seeds, difference to the ring against
bits, against injected errors and for every configuration.

    python workloads/grid/figures.py [RESULTS_DIR]     leaves RESULTS_DIR/*.svg
"""

import math
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Iterable, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workloads.common.errors import UserError  # noqa: E402
from workloads.grid import configs, results, summary  # noqa: E402

Row = dict[str, str]
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_ERRORS = (("b8-mended", 0.0), ("b8-error-1e-3", 1e-3), ("b8-error-1e-2", 1e-2),
           ("b8-error-1e-1", 1e-1))
_NO_ERRORS_AT = 1e-4  # where a rate of 0 stands on a logarithmic axis
_SHOWN = 0.05
_CURVES = ("b8-mended", "b8-ef", "b4-mended")


def gnuplot(path: Path, size: str, script: str) -> None:
    head = (f"set terminal svg size {size} font 'sans-serif,13' background 'white'\n"
            f"set output '{path}'\nset grid lc '#dddddd'\nset style fill transparent solid 0.25\n")
    try:
        subprocess.run(["gnuplot"], input=head + script, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"{path}: gnuplot failed: {error}") from error


def _block(name: str, lines: Iterable[Sequence[object]]) -> str:
    return f"${name} << EOD\n" + "\n".join(" ".join(map(str, row)) for row in lines) + "\nEOD\n"


def _by_step(curves: Sequence[Row], workload: str, config: str) -> dict[int, dict[int, float]]:
    """seed -> step -> training loss, with 4 servers."""
    found: dict[int, dict[int, float]] = {}
    for row in curves:
        if (row["workload"], row["config"], row["servers"]) == (workload, config, "4"):
            found.setdefault(int(row["seed"]), {})[int(row["step"])] = float(row["train_loss"])
    return found


def _band(seeds: Sequence[dict[int, float]], error: bool) -> list[tuple[int, float, float, float]]:
    """step, mean, mean - d, mean + d: d the deviation over seeds, or the mean's standard error."""
    lines = []
    for step in sorted(set.intersection(*(set(seed) for seed in seeds))):
        at = [seed[step] for seed in seeds]
        spread = stdev(at) / (math.sqrt(len(at)) if error else 1.0) if len(at) > 1 else 0.0
        lines.append((step, fmean(at), fmean(at) - spread, fmean(at) + spread))
    return lines


def curves(rows: Sequence[Row], workload: str, path: Path) -> None:
    """Training loss with its deviation over seeds, and the paired difference to the ring with its
    standard error."""
    ring = _by_step(rows, workload, "ring")
    script, losses, differences = "", [], []
    for number, name in enumerate(("ring", *_CURVES)):
        mine = _by_step(rows, workload, name)
        seeds = sorted(mine.keys() & ring.keys())
        if not seeds:
            continue
        label, colour = configs.config(name).label, _COLOURS[number]
        script += _block(f"l{number}", _band([mine[seed] for seed in seeds], False))
        losses.append(f"$l{number} using 1:3:4 with filledcurves lc '{colour}' notitle, "
                      f"$l{number} using 1:2 with lines lw 2 lc '{colour}' "
                      f"title '{label} ({len(seeds)} seeds)'")
        if name != "ring":
            paired = [{step: mine[seed][step] - ring[seed][step] for step in mine[seed]}
                      for seed in seeds]
            script += _block(f"d{number}", _band(paired, True))
            differences.append(f"$d{number} using 1:3:4 with filledcurves lc '{colour}' notitle, "
                               f"$d{number} using 1:2 with lines lw 2 lc '{colour}' notitle")
    if not differences:
        return
    gnuplot(path, "900,400", script + f"""set multiplot layout 1,2
set xlabel 'step'
set ylabel 'training loss'
set key top right
plot {', '.join(losses)}
set ylabel 'training loss less the ring''s'
plot 0 lc '#0072b2' notitle, {', '.join(differences)}
""")


def bits(rows: Sequence[Row], workload: str, path: Path) -> None:
    """Difference of the validation loss against the bits of a code, with and without feedback."""
    script, plots = "", []
    for number, (suffix, label, shift) in enumerate((("-mended", "mended", -0.2),
                                                     ("-ef", "error feedback", 0.0),
                                                     ("", "no error feedback", 0.2))):
        lines = []
        for count in (4, 8, 16):
            found = summary.comparison(rows, workload, f"b{count}{suffix}", 4, "valid_loss")
            if found is not None and found.seeds > 1:
                lines.append((math.log2(count) - 2 + shift, found.difference, found.error))
        if lines:
            script += _block(f"b{number}", lines)
            plots.append(f"$b{number} with yerrorbars pt 7 lw 2 lc '{_COLOURS[number + 1]}' "
                         f"title '{label}'")
    if plots:
        gnuplot(path, "620,380", script + f"""set xlabel 'bits of a code'
set ylabel 'validation loss less the ring''s'
set xtics ('4' 0, '8' 1, '16' 2)
set xrange [-0.5:2.5]
set yrange [*:*] noextend
set offsets graph 0, 0, 0.02, 0.02
set key top right
plot 0 lc '{_COLOURS[0]}' title 'float ring', {', '.join(plots)}
""")


def errors(rows: Sequence[Row], workload: str, path: Path) -> None:
    """Difference of the validation loss against the share of cases that the switch gets wrong."""
    lines = []
    for name, rate in _ERRORS:
        found = summary.comparison(rows, workload, name, 4, "valid_loss")
        if found is not None and found.seeds > 1:
            lines.append((rate or _NO_ERRORS_AT, found.difference, found.error))
    if len(lines) > 1:
        gnuplot(path, "620,380", _block("e", lines) + f"""set logscale x
set xlabel 'share of the switch''s cases that are wrong by one level of one digit'
set ylabel 'validation loss less the ring''s'
set xtics ('none' {_NO_ERRORS_AT}, '0.1 %%' 1e-3, '1 %%' 1e-2, '10 %%' 1e-1)
set xrange [5e-5:0.2]
set key top left
plot 0 lc '{_COLOURS[0]}' title 'float ring', \
  $e with yerrorbars pt 7 lw 2 lc '{_COLOURS[1]}' title '8 bits, mended'
""")


def differences(rows: Sequence[Row], workload: str, path: Path) -> None:
    """Every configuration's difference to the ring with 4 servers, with its standard error, but for
    those that would leave no room for the others."""
    lines, names = [], []
    for config in reversed(configs.CONFIGS):
        found = summary.comparison(rows, workload, config.name, 4, "valid_loss")
        if config.name == "ring" or found is None or found.seeds < 2:
            continue
        if abs(found.difference) > _SHOWN:
            continue
        lines.append((found.difference, len(names), found.error))
        label = config.label.replace("%", "%%")  # of a tick it is a format
        names.append(f"'{label} ({found.seeds})' {len(names)}")
    if lines:
        gnuplot(path, f"860,{120 + 24 * len(names)}", _block("a", lines) + f"""
set ytics ({', '.join(names)})
set yrange [-0.7:{len(names) - 0.3}]
set lmargin {0.75 * max(map(len, names)):.0f}
set rmargin 3
set xlabel 'validation loss less the ring''s (seeds in brackets)'
set arrow from 0, graph 0 to 0, graph 1 nohead lc '{_COLOURS[0]}' lw 2
plot $a using 1:2:3 with xerrorbars pt 7 lw 2 lc '{_COLOURS[1]}' notitle
""")


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    folder = Path(arguments[0]) if arguments else summary.RESULTS
    try:
        rows = results.read(folder / "runs.csv", results.RUNS)
        points = results.read(folder / "curves.csv", results.CURVES)
        for workload in ("llama", "llama-fast", "resnet50"):
            curves(points, workload, folder / f"curves-{workload}.svg")
        for picture in (bits, errors, differences):
            picture(rows, "llama", folder / f"{picture.__name__}-llama.svg")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
