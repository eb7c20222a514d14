#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decomposition speed beside Strawberry Fields and interferometer, in turn in one run, medians.
bench_decompose.py LIBRARY [SIDE [ROUNDS [CSV]]]: rows are appended to CSV."""

import csv
import datetime

import os
import statistics
import sys
import time
import warnings

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


def main():
    library = Library(sys.argv[1])
    side = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
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
    if len(sys.argv) > 4:
        with open("/proc/cpuinfo", encoding="utf-8") as cpu:
            model = next((line.split(":")[1].strip() for line in cpu if "model name" in line), "?")
        with open(sys.argv[4], "a", newline="", encoding="utf-8") as file:
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
    main()
