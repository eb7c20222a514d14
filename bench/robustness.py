#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares designs for N servers and B bits at the same faults: one table (Markdown, on stdout) and
one picture.

    bench/robustness.py build/release/bin/optinc --picture robustness.svg --rates robustness.csv

Training takes minutes: --folder keeps the designs, and one that is there is not made again. --only
takes the designs whose names hold TEXT. --rates keeps what the picture shows; from a file that is
there the picture is drawn and nothing else is done.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import tempfile

PHASES = [0.005, 0.01, 0.02]
SPLITTERS = [0.005, 0.01, 0.02]
PICTURE = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.02, 0.04]
SMALL = ["--structure", "4-24-24-24-24-4", "--epochs", "600", "--batch", "256", "--squared-epochs",
         "20", "--seed", "2"]
NOISE = ["--unit-noise", "0.005", "--cycles", "1"]
RELU = ["--activation", "relu", "--gap", "0.5"]
# name, how it is made (constructed where no structure is given), hardware
DESIGNS = [
    ("ReLU, g 0.5, SVD", RELU, []),
    ("ReLU, g 0.5, direct", RELU, ["--mapping", "direct"]),
    ("saturating, g 0.5, SVD", ["--gap", "0.5"], []),
    ("saturating, g 0.5, direct", ["--gap", "0.5"], ["--mapping", "direct"]),
    ("saturating, g 0.1, SVD", ["--gap", "0.1"], []),
    ("saturating, g 0.1, direct", ["--gap", "0.1"], ["--mapping", "direct"]),
    ("saturating, g 0.1, direct, electronic bias", ["--gap", "0.1"],
     ["--mapping", "direct", "--bias", "electronic"]),
    ("trained, 4-24-24-24-24-4", ["--method", "trained", *SMALL], []),
    ("trained with noise, 4-24-24-24-24-4", ["--method", "trained", *SMALL, *NOISE], []),
    ("trained, 4-64-128-256-128-64-4", ["--method", "trained", "--seed", "1"], []),
    ("trained with noise, 4-64-128-256-128-64-4",
     ["--method", "trained", "--seed", "1", "--epochs", "100", *NOISE], []),
]
CALIBRATIONS = ("none", "corrected")
# part of the name, colour, mark (the one before it is its hollow form)
STYLES = [("ReLU", "#cc79a7", 5), ("g 0.5", "#e69f00", 7), ("electronic", "#009e73", 11),
          ("g 0.1", "#0072b2", 9), ("4-24", "#56b4e9", 13), ("4-64", "#000000", 15)]


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments), "--json"], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def rate(arguments, design, hardware, faults):
    found = run(arguments.program, "simulate", design, *hardware, *faults, "--trials",
                arguments.trials, "--codes", arguments.codes)
    return found["code_error_rate"], found["codes"]


def cell(found):
    errors, codes = found
    return f"{errors:.2g}" if errors else f"< {3.7 / codes:.0e}"


def style(name):
    """A colour for what the units and the mapping are (Okabe and Ito's, for the colour-blind too), a
    dashed line and a hollow mark for SVD and for training without noise."""
    colour, mark = next((c, m) for text, c, m in STYLES if text in name)
    other = "SVD" in name or name.startswith("trained,")
    return (f"linewidth 1.5 pointsize 0.7 linecolor '{colour}' dashtype {2 if other else 1} "
            f"pointtype {mark - 1 if other else mark}")


def picture(path, curves):
    """curves: (name, uncalibrated, corrected), each a list of (sigma, rate)."""
    # where a rate of 0 stands on the logarithmic axis
    none = min(y for _, *both in curves for points in both for _, y in points if y) / 4
    data = "\n".join(
        f"${kind}{i} << EOD\n" + "\n".join(f"{x} {y or none}" for x, y in points) + "\nEOD"
        for i, (_, *both) in enumerate(curves) for kind, points in zip(("before", "after"), both))

    def plots(kind, titles):
        return ", ".join(
            f"${kind}{i} with linespoints {style(name)} "
            + (f"title '{name}'" if titles else "notitle") for i, (name, *_) in enumerate(curves))

    script = f"""{data}
set terminal svg size 1180,470 font 'sans-serif,12' background 'white'
set output '{path}'
set multiplot
set logscale xy
set xtics ('0.0001' 1e-4, '0.001' 1e-3, '0.01' 1e-2, '0.1' 0.1)
set ytics ('none seen' {none}, '10^{{-5}}' 1e-5, '10^{{-4}}' 1e-4, '10^{{-3}}' 1e-3, '0.01' 0.01, \
  '0.1' 0.1, '1' 1)
set xrange [8e-5:0.05]
set yrange [{none / 2}:1.5]
set xlabel 'phase sigma = splitter sigma, rad'
set ylabel 'code error rate'
set grid linecolor '#dddddd'
set size 0.345,1
set origin 0,0
set title 'uncalibrated'
plot {plots("before", False)}
set size 0.655,1
set origin 0.345,0
set title 'corrected'
unset ylabel
set key outside right samplen 3.5
plot {plots("after", True)}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def write_rates(path, curves):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["design", "calibration", "sigma_rad", "code_error_rate"])
        for name, *both in curves:
            for calibration, points in zip(CALIBRATIONS, both):
                writer.writerows((name, calibration, *point) for point in points)


def read_rates(path):
    curves = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            points = curves.setdefault(row["design"], {kind: [] for kind in CALIBRATIONS})
            points[row["calibration"]].append((float(row["sigma_rad"]),
                                               float(row["code_error_rate"])))
    return [(name, *both.values()) for name, both in curves.items()]


def make(arguments, folder, made):
    path = folder / ("-".join(made).replace("--", "") + ".safetensors")
    if not path.exists():
        method = [] if "--method" in made else ["--method", "constructed"]
        run(arguments.program, "design", "--servers", 4, "--bits", 8, *method, *made, "-o", path)
    return path


def row(arguments, path, hardware, calibration):
    """The cells of one line of the table."""
    faults = ([["--phase-sigma", s] for s in PHASES] +
              [["--splitter-sigma", s] for s in SPLITTERS] +
              [["--phase-sigma", 0.01, "--splitter-sigma", 0.01, "--dac-bits", 8]])
    # searching helps where there are steps to search
    return [cell(rate(arguments, path, hardware + calibration, f))
            if "--search" not in calibration or "--dac-bits" in f else "as corrected"
            for f in faults]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="optinc")
    parser.add_argument("--trials", type=int, default=30, help="chips a fault; default %(default)s")
    parser.add_argument("--codes", type=int, default=4096, help="codes a chip; default %(default)s")
    parser.add_argument("--picture", help="SVG to draw; default none")
    parser.add_argument("--rates", type=pathlib.Path,
                        help="CSV of what the picture shows, kept; default none")
    parser.add_argument("--folder", type=pathlib.Path,
                        help="of trained designs, kept; default a temporary one")
    parser.add_argument("--only", default="", help="designs whose names hold this text; default all")
    arguments = parser.parse_args()
    if arguments.rates and not arguments.picture:
        parser.error("--rates: --picture was expected with it")
    if arguments.rates and arguments.rates.exists():
        picture(arguments.picture, read_rates(arguments.rates))
        return
    heads = ([f"phase {s}" for s in PHASES] + [f"splitter {s}" for s in SPLITTERS] +
             ["both 0.01, 8-bit DACs"])
    device = pathlib.Path(__file__).parents[1] / "devices/published-conservative.yaml"
    print("| design | calibration | MZIs | depth | longest way | margin | " + " | ".join(heads) +
          " |")
    print("|" + " --- |" * (6 + len(heads)))
    curves = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        for name, made, hardware in DESIGNS:
            if arguments.only not in name:
                continue
            path = make(arguments, folder, made)
            margin = run(arguments.program, "verify", path)["margin_min"]
            built = run(arguments.program, "inspect", path, *hardware, "--device", device)
            for calibration, flags in [("none", []), ("corrected", ["--calibrate", "local"]),
                                       ("searched", ["--calibrate", "local", "--search"])]:
                if calibration == "searched" and "direct" not in hardware:
                    continue  # meshes are larger, and their bar states stay out of reach
                print(f"| {name} | {calibration} | {built['mzis_built']:,} | "
                      f"{built['depth_built']} | {built['loss_db_max']:.1f} dB | {margin:.3g} | " +
                      " | ".join(row(arguments, path, hardware, flags)) + " |", flush=True)
            if arguments.picture:
                curves.append((name, *([
                    (s, rate(arguments, path, hardware + flags,
                             ["--phase-sigma", s, "--splitter-sigma", s])[0])
                    for s in PICTURE] for flags in ([], ["--calibrate", "local"]))))
    if arguments.picture:
        picture(arguments.picture, curves)
    if arguments.rates:
        write_rates(arguments.rates, curves)


if __name__ == "__main__":
    main()
