#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks meshes against three independent tools: Strawberry Fields (the same phases for a Haar
matrix, and its cells' matrices), Perceval (its circuit of couplers and shifters gives the matrix)
and interferometer (its calculated transformation). cross_check.py LIBRARY"""

import sys
import warnings

warnings.filterwarnings("ignore")

import interferometer
import numpy as np
import perceval
from strawberryfields import decompositions as sf

from library import (CLEMENTS, PHYSICAL, RECTANGULAR, SYMMETRIC, TRIANGULAR, Library, matrices)

SIDES = (1, 2, 4, 7, 8, 20, 64)


def perceval_matrix(side, cells, before, after):
    circuit = perceval.Circuit(side)
    for mode, _, theta, phi, _ in cells:
        circuit.add(mode, perceval.PS(float(phi)))
        circuit.add((mode, mode + 1), perceval.BS())
        circuit.add(mode, perceval.PS(float(theta)))
        circuit.add((mode, mode + 1), perceval.BS())
    for mode in range(side):
        circuit.add(mode, perceval.PS(float(after[mode])))
    return np.array(circuit.compute_unitary()) @ np.diag(np.exp(1j * before))


def interferometer_matrix(side, cells, before, after):
    device = interferometer.Interferometer()
    for mode, _, theta, phi, _ in cells:
        device.add_BS(interferometer.Beamsplitter(mode + 1, mode + 2, theta, phi))
    for mode in range(side):
        device.add_phase(mode + 1, after[mode])
    return device.calculate_transformation() @ np.diag(np.exp(1j * before))


def strawberry_matrix(side, cells, before, after):
    u = np.diag(np.exp(1j * before)).astype(complex)
    for mode, _, theta, phi, edge in cells:
        u = sf.M(mode, phi, theta, side) @ sf.P(mode, edge, side) @ u
    return np.diag(np.exp(1j * after)) @ u


def check(what, side, worst, tolerance):
    if not worst <= tolerance:
        sys.exit(f"{what}, side {side}: max|difference| {worst:.3g} > {tolerance:.3g}")
    return worst


def same_phases(library, side, u):
    """Strawberry Fields' rectangle has the same cells, so a generic matrix has the same phases."""
    cells, _, after = library.decompose(u, RECTANGULAR, CLEMENTS)
    theirs, diagonal, _ = sf.rectangular_phase_end(u)
    columns = np.zeros(side, int)
    by_place = {}
    for m, _, theta, phi, _ in theirs:
        column = max(columns[m], columns[m + 1])
        columns[m] = columns[m + 1] = column + 1
        by_place[m, column] = theta, phi
    worst = np.abs(diagonal - np.exp(1j * after)).max()
    for mode, column, theta, phi, _ in cells:
        t, p = by_place[mode, column]
        worst = max(worst, abs(theta - t), abs(np.exp(1j * phi) - np.exp(1j * p)))
    return worst


def main():
    library = Library(sys.argv[1])
    worst = {}
    for side in SIDES:
        for name, u in matrices(side):
            for layout in (RECTANGULAR, TRIANGULAR):
                trials = {
                    "perceval": (PHYSICAL, perceval_matrix),
                    "interferometer": (CLEMENTS, interferometer_matrix),
                    "strawberryfields": (SYMMETRIC, strawberry_matrix),
                }
                if side == 64:  # the dense products of these two are slow
                    del trials["strawberryfields"], trials["perceval"]
                if side == 1:
                    del trials["interferometer"]
                for tool, (form, rebuild) in trials.items():
                    error = np.abs(rebuild(side, *library.decompose(u, layout, form)) - u).max()
                    check(f"{tool} {name}", side, error, 1e-12 * side)
                    worst[tool] = max(worst.get(tool, 0), error / side)
            if name == "haar":
                error = same_phases(library, side, u)
                check("phases beside Strawberry Fields", side, error, 1e-9 * side)
                worst["same phases"] = max(worst.get("same phases", 0), error / side)
    for tool, error in worst.items():
        print(f"{tool}: max|difference| / side {error:.3g}")


if __name__ == "__main__":
    main()
