#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains two switches with and without carries as further targets and draws the share of cases that
is wrong after each tenth epoch: a CSV and a picture.

    bench/training_carries.py build/release/bin/optinc carries.csv --picture carries.svg

A CSV that is there is drawn and not made again; else three CPU minutes.
"""

import subprocess
import tempfile

from training_variants import arguments_of, follow, rows_of

BITS16 = ["--servers", "4", "--bits", "16", "--structure", "8" + 8 * "-64" + "-8", "--batch", "512",
          "--squared-epochs", "100", "--epochs", "500", "--learning-rate", "0.01", "--epoch-cases",
          "32768"]
SERVERS8 = ["--servers", "8", "--bits", "6", "--structure", "3" + 14 * "-48" + "-3", "--batch",
            "256", "--squared-epochs", "40", "--epochs", "250", "--learning-rate", "0.007"]
# panel, curve, options
CURVES = [
    ("N=4, B=16, 8-64x8-8", "carries", [*BITS16, "--supervision", "carries"]),
    ("N=4, B=16, 8-64x8-8", "outputs", BITS16),
    ("N=8, B=6, 3-48x14-3", "carries", [*SERVERS8, "--supervision", "carries"]),
    ("N=8, B=6, 3-48x14-3", "outputs, start at the axes", [*SERVERS8, "--start", "axes"]),
]
CASES = {"N=4, B=16, 8-64x8-8": (32_768, "epochs of 32,768 random cases"),
         "N=8, B=6, 3-48x14-3": (15_625, "epochs of all 15,625 cases")}
STYLES = {"carries": ("#d55e00", 7), "outputs": ("#0072b2", 5),
          "outputs, start at the axes": ("#0072b2", 5)}
NONE = 1e-3  # where 0 % stands on a logarithmic axis


def make(program):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for panel, name, options in CURVES:
            points, design = follow(program, options, f"{folder}/design")
            rows += [(panel, name, epoch, wrong) for epoch, wrong, _ in points]
            print(f"{panel}, {name}: {design['errors']} wrong of {design['cases']}, "
                  f"{design['training']['cpu_seconds']:.1f} CPU s", flush=True)
    return rows


def picture(path, rows):
    data, panels = "", []
    for panel, (cases, label) in CASES.items():
        plots = []
        for name in dict.fromkeys(row["curve"] for row in rows if row["panel"] == panel):
            block, (colour, mark) = f"$c{len(panels)}_{len(plots)}", STYLES[name]
            points = [(row["epoch"], 100 * int(row["wrong"]) / cases) for row in rows
                      if (row["panel"], row["curve"]) == (panel, name)]
            data += f"{block} << EOD\n" + "\n".join(
                f"{epoch} {max(share, NONE)}" for epoch, share in points) + "\nEOD\n"
            plots.append(f"{block} with linespoints linewidth 2 pointsize 0.4 linecolor '{colour}' "
                         f"pointtype {mark} title '{name}'")
        panels.append(f"set title '{panel}'\nset xlabel '{label}'\nplot " + ", ".join(plots))
    script = f"""{data}
set terminal svg size 860,400 font 'sans-serif,12' background 'white'
set output '{path}'
set multiplot layout 1,2
set logscale y
set yrange [{NONE / 1.5}:200]
set ytics ('none' {NONE}, '0.01' 0.01, '0.1' 0.1, '1' 1, '10' 10, '100' 100)
set ylabel 'cases wrong, %'
set grid linecolor '#dddddd'
set key bottom left samplen 2
{chr(10).join(panels)}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    arguments = arguments_of(__doc__).parse_args()
    rows = rows_of(arguments.csv, ["panel", "curve", "epoch", "wrong"],
                   lambda: make(arguments.program))
    if arguments.picture:
        picture(arguments.picture, rows)


if __name__ == "__main__":
    main()
