#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the paper's structure with parts of the method left out and draws how many cases are wrong
after each tenth epoch: a CSV, a table (Markdown, on stdout) and a picture.

    bench/training_variants.py build/release/bin/optinc variants.csv --picture variants.svg

A CSV that is there is drawn and not made again; else three CPU minutes.
"""

import argparse
import csv
import json
import pathlib
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

CASES = 28_561
# name, options; on the group, squared error for 10 epochs, then hinge beyond 0.25, unless they say so
VARIANTS = [
    ("as it is", []),
    ("squared error to the end", ["--squared-epochs", "{epochs}"]),
    ("hinge beyond 0.45", ["--margin", "0.45"]),
    ("project twice an epoch", ["--training", "project", "--learning-rate", "0.001",
                                "--project-interval", "14"]),
    ("project once an epoch", ["--training", "project", "--learning-rate", "0.001",
                               "--project-interval", "28"]),
    ("nothing segmented", ["--segment", "none", "--learning-rate", "0.001"]),
]
# a colour and a mark each, told apart by the colour-blind too
STYLES = [("#d55e00", 7), ("#009e73", 5), ("#56b4e9", 9), ("#000000", 6), ("#e69f00", 4),
          ("#0072b2", 11)]
LINE = re.compile(r"^epoch (\d+) of \d+, accuracy [\d.]+, (\d+) wrong.*, margin (-?[\d.]+),")


def arguments_of(description):
    """A parser with what a script of this kind takes at least."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="optinc")
    parser.add_argument("csv", type=pathlib.Path, help="made unless it is there")
    parser.add_argument("--picture", help="SVG to draw; default none")
    return parser


def rows_of(path, header, make):
    """The rows of the CSV; if it is not there, of those that make() returns, which it then holds."""
    if not path.exists():
        made = make()
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *made])
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def follow(program, options, path):
    """[(epoch, wrong, margin)] of a training with these options, and the JSON of the design."""
    done = subprocess.run(
        [program, "design", "--method", "trained", "--cycles", "1", "--threads", "1", "--progress",
         *options, "-o", path, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    found = [LINE.match(line) for line in done.stderr.splitlines() if line.startswith("epoch")]
    if done.returncode == 2 or not all(found):
        raise SystemExit(done.stderr)
    return ([(int(f[1]), int(f[2]), float(f[3])) for f in found], json.loads(done.stdout))


def train(arguments, options, path):
    options = [o.format(epochs=arguments.epochs) for o in options]
    return follow(arguments.program,
                  ["--servers", "4", "--bits", "8", "--epochs", str(arguments.epochs),
                   "--margin-stop", "9", "--seed", str(arguments.seed), *options], path)


def make(arguments):
    rows = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        trained = pool.map(lambda v: train(arguments, v[1], f"{folder}/{v[0]}"), VARIANTS)
        for (name, _), (points, design) in zip(VARIANTS, trained):
            rows += [(name, arguments.seed, *p, "") for p in points[:-1]]
            rows.append((name, arguments.seed, *points[-1],
                         f"{design['training']['cpu_seconds']:.1f}"))
            assert points[-1][0] == arguments.epochs
            print(f"{name}: best {design['errors']} wrong", flush=True)
    return rows


def picture(path, curves):
    data = "\n".join(f"$v{i} << EOD\n" + "\n".join(f"{e} {max(w, 0.4)}" for e, w in points) + "\nEOD"
                     for i, (_, points) in enumerate(curves))
    plots = ", ".join(f"$v{i} with linespoints linewidth 2 pointsize 0.7 linecolor '{colour}' "
                      f"pointtype {mark} title '{name}'"
                      for i, ((name, _), (colour, mark)) in enumerate(zip(curves, STYLES)))
    script = f"""{data}
set terminal svg size 860,400 font 'sans-serif,12' background 'white'
set output '{path}'
set logscale y
set yrange [0.3:60000]
set ytics ('none' 0.4, '1' 1, '10' 10, '100' 100, '1,000' 1000, '10,000' 10000)
set xlabel 'epoch'
set ylabel 'cases wrong of {CASES:,}'
set grid linecolor '#dddddd'
set key outside right samplen 2
plot {plots}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = arguments_of(__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the trainings; default %(default)s")
    parser.add_argument("--epochs", type=int, default=120, help="of each; default %(default)s")
    parser.add_argument("--jobs", type=int, default=1,
                        help="trainings at a time, a thread each; default %(default)s")
    arguments = parser.parse_args()
    rows = rows_of(arguments.csv, ["variant", "seed", "epoch", "wrong", "margin", "cpu_seconds"],
                   lambda: make(arguments))
    curves, epochs = [], [10, 30, 60, 90, 120]
    print("| variant | " + " | ".join(f"after epoch {e}" for e in epochs) + " | CPU s |")
    print("|" + " --- |" * (len(epochs) + 2))
    for name, _ in VARIANTS:
        own = [row for row in rows if row["variant"] == name]
        wrong = {int(row["epoch"]): int(row["wrong"]) for row in own}
        curves.append((name, list(wrong.items())))
        cells = [f"{wrong[e]:,}" if e in wrong else "" for e in epochs]
        print(f"| {name} | " + " | ".join(cells) + f" | {own[-1]['cpu_seconds']} |")
    if arguments.picture:
        picture(arguments.picture, curves)


if __name__ == "__main__":
    main()
