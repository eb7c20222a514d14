#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Matrix error of meshes of random unitary matrices against the couplers' error, before and after
calibration, beside theory: a table (Markdown).

    build/venv-photonics/bin/python bench/calibration.py build/release/src/liboptinc_design.so --chips 12

Error: root of the mean of |S - U|^2 / N over chips. Theory: sqrt(2 (N - 1)) sigma before;
sqrt(2/3 (N^2 - 1) + 4 (N - 1) / N) sigma^2 after, by local correction."""

import argparse
import ctypes
import math
import pathlib
import re

def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="liboptinc_design.so")
    parser.add_argument("--chips", type=int, default=40,
                        help="at side 64, more at lower sides; default %(default)s")
    parser.add_argument("--sides", type=int, nargs="+", default=[4, 8, 16, 32, 64],
                        help="of the meshes; default 4 8 16 32 64")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.01, 0.02], metavar="RAD",
                        help="errors of the couplers' angles; default 0.01 0.02")
    parser.add_argument("--triangular", action="store_true", help="meshes of Reck, not of Clements")
    return parser.parse_args()


if __name__ == "__main__":
    ARGUMENTS = parse()  # before what not every Python has, so that --help needs nothing else

import numpy as np
from scipy.stats import unitary_group

HEADER = pathlib.Path(__file__).parents[1] / "include/optinc/optics.h"


class Options(ctypes.Structure):
    _fields_ = [("mapping", ctypes.c_int), ("layout", ctypes.c_int), ("form", ctypes.c_int),
                ("segment_side", ctypes.c_uint32), ("bias_last", ctypes.c_bool),
                ("loss_db", ctypes.c_double)]


class Chip(ctypes.Structure):
    _fields_ = [("seed", ctypes.c_uint64), ("chip", ctypes.c_uint32), ("layer", ctypes.c_uint32),
                ("drift_time_s", ctypes.c_double), ("correct_errors", ctypes.c_bool),
                ("search_steps", ctypes.c_bool), ("self_configure", ctypes.c_bool)]


class Device(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double)
                for name in re.findall(r"^    X\((\w+),", HEADER.read_text(), re.MULTILINE)]


def errors(library, side, layout, sigmas, chips):
    """[sigma][none, local, self]"""
    device = library.optinc_device_ideal()
    sums = np.zeros((len(sigmas), 3))
    for number in range(chips):
        matrix = np.ascontiguousarray(unitary_group.rvs(side, random_state=number * 1000 + side))
        circuit = ctypes.c_void_p()
        status = library.optinc_circuit_create_unitary(
            ctypes.c_uint32(side), matrix.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(Options(layout=layout)), None, ctypes.byref(circuit))
        assert status == 0, status
        for i, sigma in enumerate(sigmas):
            device.splitter_sigma_rad = sigma
            for k in range(3):
                chip = Chip(1, number, 0, 0, k == 1, False, k == 2)
                found = np.full((side, side), np.nan, complex)
                status = library.optinc_circuit_compile(
                    circuit, ctypes.byref(device), ctypes.byref(chip),
                    found.ctypes.data_as(ctypes.c_void_p))
                assert status == 0, status
                sums[i, k] += (np.abs(found - matrix) ** 2).sum() / side
        library.optinc_circuit_destroy(ctypes.byref(circuit))
    return np.sqrt(sums / chips)


def main(arguments):
    library = ctypes.CDLL(arguments.library)
    library.optinc_device_ideal.restype = Device
    print("| side | sigma | chips | none | theory | local | theory | self |")
    print("|" + " --- |" * 8)
    for side in arguments.sides:
        chips = max(arguments.chips, arguments.chips * (64 // side) ** 2)
        found = errors(library, side, int(arguments.triangular), arguments.sigmas, chips)
        for sigma, (none, local, own) in zip(arguments.sigmas, found):
            before = math.sqrt(2 * (side - 1)) * sigma
            after = math.sqrt(2 / 3 * (side**2 - 1) + 4 * (side - 1) / side) * sigma**2
            print(f"| {side} | {sigma} | {chips} | {none:.3g} | {before:.3g} | {local:.3g} | "
                  f"{after:.3g} | {own:.3g} |", flush=True)


if __name__ == "__main__":
    main(ARGUMENTS)
