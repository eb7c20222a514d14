#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decomposition speed beside Strawberry Fields and interferometer, in turn in one run, medians.

    build/venv-photonics/bin/python bench/bench_decompose.py build/release/src/liboptinc_design.so
"""

import argparse
import csv
import datetime
import os
import statistics
import sys
import time
import warnings


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="liboptinc_design.so")
    parser.add_argument("--side", type=int, default=64, help="of the matrix; default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each; default %(default)s")
    parser.add_argument("--csv", help="rows are appended to it; default none")
    return parser.parse_args()


if __name__ == "__main__":
    ARGUMENTS = parse()  # before what not every Python has, so that --help needs nothing else

warnings.filterwarnings("ignore")
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "optics"))

import interferometer
from scipy.stats import unitary_group
from strawberryfields import decompositions as sf

from library import CLEMENTS, PHYSICAL, RECTANGULAR, Library


def clocked(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main(options):
    library, side, rounds = Library(options.library), options.side, options.rounds
    u = unitary_group.rvs(side, random_state=1)
    sides = {
        "optinc": lambda: library.destroy(library.decompose_raw(u, RECTANGULAR, CLEMENTS)),
        "strawberryfields": lambda: sf.rectangular_phase_end(u),
        "interferometer": lambda: interferometer.square_decomposition(u),
    }
    times = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            times[name].append(clocked(call))
    medians = {name: statistics.median(t) for name, t in times.items()}
    for name, t in medians.items():
        print(f"side {side}: {name} {t:.6f} s, {t / medians['optinc']:.1f} times optinc's")
    if options.csv:
        with open("/proc/cpuinfo", encoding="utf-8") as cpu:
            model = next((line.split(":")[1].strip() for line in cpu if "model name" in line), "?")
        with open(options.csv, "a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            for name in ("strawberryfields", "interferometer"):
                rows.writerow([datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"),
                               "decompose", f"{model} x{os.cpu_count()}",
                               f"unitary of side {side}", f"{medians['optinc']:.6g}", name,
                               f"{medians[name]:.6g}",
                               f"{medians['optinc'] / medians[name]:.6f}", "s"])
    for large in (128, 256):
        v = unitary_group.rvs(large, random_state=1)
        own = [clocked(lambda: library.destroy(library.decompose_raw(v, RECTANGULAR, PHYSICAL)))
               for _ in range(rounds)]
        print(f"side {large}: optinc {statistics.median(own):.6f} s")


if __name__ == "__main__":
    main(ARGUMENTS)
