#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares designs for N servers and B bits at the same faults: one table (Markdown, on stdout) and
one picture. robustness.py PROGRAM [--trials N] [--codes N] [--picture FILE.svg]"""

import argparse
import json
import pathlib
import subprocess
import tempfile

PHASES = [0.005, 0.01, 0.02]
SPLITTERS = [0.005, 0.01, 0.02]
PICTURE = [0.001, 0.003, 0.01, 0.02, 0.04]
DESIGNS = [
    ("ReLU, g 0.5, SVD", ["--activation", "relu", "--gap", "0.5"], []),
    ("ReLU, g 0.5, direct", ["--activation", "relu", "--gap", "0.5"], ["--mapping", "direct"]),
    ("saturating, g 0.5, SVD", ["--gap", "0.5"], []),
    ("saturating, g 0.5, direct", ["--gap", "0.5"], ["--mapping", "direct"]),
    ("saturating, g 0.1, SVD", ["--gap", "0.1"], []),
    ("saturating, g 0.1, direct", ["--gap", "0.1"], ["--mapping", "direct"]),
    ("saturating, g 0.1, direct, electronic bias", ["--gap", "0.1"],
     ["--mapping", "direct", "--bias", "electronic"]),
]


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


def picture(path, curves):
    data = "\n".join(
        f"$d{i} << EOD\n" + "\n".join(f"{x} {max(y, 1e-7)}" for x, y in points) + "\nEOD"
        for i, (_, points) in enumerate(curves))
    plots = ", ".join(f"$d{i} with linespoints title '{name}'"
                      for i, (name, _) in enumerate(curves))
    script = f"""{data}
set terminal svg size 860,480 font 'sans-serif,12' background 'white'
set output '{path}'
set logscale xy
set format y '10^{{%T}}'
set yrange [5e-8:1.5]
set xlabel 'phase sigma = splitter sigma (rad), 8-bit DACs'
set ylabel 'code error rate (1e-7: none seen)'
set key outside right
plot {plots}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--codes", type=int, default=4096)
    parser.add_argument("--picture")
    arguments = parser.parse_args()
    heads = ([f"phase {s}" for s in PHASES] + [f"splitter {s}" for s in SPLITTERS] +
             ["both 0.01, 8-bit DACs"])
    faults = ([["--phase-sigma", s] for s in PHASES] +
              [["--splitter-sigma", s] for s in SPLITTERS] +
              [["--phase-sigma", 0.01, "--splitter-sigma", 0.01, "--dac-bits", 8]])
    print("| design | calibration | MZIs | longest way | margin | " + " | ".join(heads) + " |")
    print("|" + " --- |" * (5 + len(heads)))
    curves = []
    with tempfile.TemporaryDirectory() as folder:
        for name, made, hardware in DESIGNS:
            path = pathlib.Path(folder) / "d.safetensors"
            run(arguments.program, "design", "--servers", 4, "--bits", 8, "--method",
                "constructed", *made, "-o", path)
            margin = run(arguments.program, "verify", path)["margin_min"]
            built = run(arguments.program, "inspect", path, *hardware, "--device",
                        pathlib.Path(__file__).parents[1] / "devices/published-conservative.yaml")
            for calibration, flags in [("none", []), ("corrected", ["--correct"]),
                                       ("searched", ["--correct", "--search"])]:
                if calibration == "searched" and "direct" not in hardware:
                    continue  # meshes are larger, and their bar states stay out of reach
                # searching helps where there are steps to search
                cells = [cell(rate(arguments, path, hardware + flags, f))
                         if calibration != "searched" or "--dac-bits" in f else "as corrected"
                         for f in faults]
                print(f"| {name} | {calibration} | {built['mzis_built']} | "
                      f"{built['loss_db_max']:.1f} dB | {margin:.3g} | " + " | ".join(cells) + " |",
                      flush=True)
                if arguments.picture:
                    curves.append((f"{name}, {calibration}", [
                        (s, rate(arguments, path, hardware + flags,
                                 ["--phase-sigma", s, "--splitter-sigma", s, "--dac-bits", 8])[0])
                        for s in PICTURE]))
    if arguments.picture:
        picture(arguments.picture, curves)


if __name__ == "__main__":
    main()
