#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exported circuits, read back by tools that are not ours: SAX evaluates the netlist, scikit-rf reads
the Touchstone file, and a few lines of numpy the JSON; each gives the matrix that was exported, to
1e-9. export_check.py LIBRARY"""

import json
import pathlib
import sys
import tempfile
import warnings
import xml.etree.ElementTree

warnings.filterwarnings("ignore")

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
import sax
import skrf
import yaml
from scipy.stats import ortho_group

from library import (DIRECT, JSON, PHYSICAL, SAX, SEGMENTED, SVD, SVG, SYMMETRIC, TOUCHSTONE,
                     Library)

LOSS_DB = 0.8
COUPLER = jnp.array([[1, 1j], [1j, 1]]) / jnp.sqrt(2)


def two_by_two(m):
    return sax.reciprocal({(f"in{j}", f"out{i}"): m[i, j] for i in range(2) for j in range(2)})


def mzi(in_rad=0.0, arm_a_rad=0.0, arm_b_rad=0.0, loss_db=0.0):
    arms = jnp.diag(jnp.exp(1j * jnp.array([arm_a_rad, arm_b_rad])))
    first = jnp.diag(jnp.exp(1j * jnp.array([in_rad, 0.0])))
    return two_by_two(10 ** (-loss_db / 20) * COUPLER @ arms @ COUPLER @ first)


def splitter(angle_rad=0.0, loss_db=0.0):
    c, s = jnp.cos(angle_rad), jnp.sin(angle_rad)
    return two_by_two(10 ** (-loss_db / 20) * jnp.array([[c, -s], [s, c]]))


def dummy(loss_db=0.0):
    return sax.reciprocal({("in0", "out0"): 10 ** (-loss_db / 20)})


def shifter(phase_rad=0.0):
    return sax.reciprocal({("in0", "out0"): jnp.exp(1j * phase_rad)})


def from_sax(path, rows, cols):
    netlist = yaml.safe_load(path.read_text())
    models = {"optinc_mzi": mzi, "optinc_splitter": splitter, "optinc_shifter": shifter,
              "optinc_dummy": dummy}
    model, _ = sax.circuit(netlist, models)
    s = sax.sdict(model())
    return np.array([[complex(s.get((f"in{j}", f"out{i}"), 0)) for j in range(cols)]
                     for i in range(rows)])


def from_touchstone(path, rows, cols):
    s = skrf.Network(str(path)).s[0]
    assert np.abs(s - s.T).max() == 0, "not reciprocal"
    assert np.abs(s[:cols, :cols]).max() == 0, "reflects"
    return s[cols:, :cols]


def from_json(top, rows, cols):
    field = np.zeros((top["modes"], cols), complex)
    field[top["input_mode"], range(cols)] = 1
    for e in top["elements"]:
        pair = [e["mode_a"], e["mode_b"]]
        if e["kind"] == "splitter":
            c, s = np.cos(e["angle_rad"]), np.sin(e["angle_rad"])
            m = np.array([[c, -s], [s, c]])
        else:
            arms = np.diag(np.exp(1j * np.array([e["arm_a_rad"], e["arm_b_rad"]])))
            m = np.asarray(COUPLER) @ arms @ np.asarray(COUPLER)
            m = m @ np.diag([np.exp(1j * e["in_rad"]), 1])
        m = m * 10 ** (-top[e["kind"] + "_loss_db"] / 20)
        dummies = [e.get("dummy_loss_a_db", 0), e.get("dummy_loss_b_db", 0)]
        field[pair] = m @ (10 ** (-np.array(dummies) / 20)[:, None] * field[pair])
    turn = np.exp(1j * np.array(top["output_rad"]))
    turn *= 10 ** (-np.array(top.get("output_dummy_loss_db", 0)) / 20)
    return turn[:, None] * field[top["output_mode"]]


def cases():
    rng = np.random.default_rng(1)
    yield "svd", rng.normal(size=(4, 6)), dict(mapping=SVD)
    yield "svd, symmetric cells", rng.normal(size=(5, 3)), dict(mapping=SVD, form=SYMMETRIC)
    yield "one by one", np.array([[-2.5]]), dict(mapping=SVD)
    blocks = np.vstack([rng.normal(size=(4, 1)) * ortho_group.rvs(4, random_state=i)
                        for i in range(3)])
    yield "segmented", blocks, dict(mapping=SEGMENTED, side=4)
    yield "svd, lossy, with dummies", rng.normal(size=(4, 6)), dict(mapping=SVD, balance=True)
    yield "segmented, lossy, with dummies", blocks, dict(mapping=SEGMENTED, side=4, balance=True)
    direct = np.zeros((5, 6))
    direct[:3, :3], direct[:3, 5] = [2, 2, -1], [1, 2, -3]
    direct[3, :4] = [0, 0, 0, 1]
    yield "direct", direct, dict(mapping=DIRECT, bias_last=True)


def main():
    library = Library(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, matrix, options in cases():
            rows, cols = matrix.shape
            device = None
            if options.get("balance"):
                device = library.so.optinc_device_ideal()
                device.mzi_loss_db, device.splitter_loss_db = LOSS_DB, LOSS_DB / 4
            circuit = library.circuit(matrix, **options)
            paths = {SAX: folder / "c.yaml", TOUCHSTONE: folder / f"c.s{rows + cols}p",
                     JSON: folder / "c.json", SVG: folder / "c.svg"}
            for form, path in paths.items():
                library.export(circuit, form, path, device)
            library.destroy_circuit(circuit)
            xml.etree.ElementTree.parse(paths[SVG])
            top = json.loads(paths[JSON].read_text())
            gain = np.array(top["gain"])[:, None]
            found = {"sax": from_sax(paths[SAX], rows, cols),
                     "scikit-rf": from_touchstone(paths[TOUCHSTONE], rows, cols),
                     "json": from_json(top, rows, cols)}
            for tool, s in found.items():
                if device:  # the same on all ways: so many MZIs and so many splitters
                    lost = np.sum(s.real * matrix / gain) / np.sum((matrix / gain) ** 2)
                    quarters = -80 * np.log10(lost) / LOSS_DB
                    assert quarters > 1 and abs(quarters - round(quarters)) < 1e-9, quarters
                    s = s / lost
                worst = np.abs(gain * s - matrix).max() / max(1, np.abs(matrix).max())
                print(f"{name}, {tool}: max|difference| {worst:.3g}")
                if not worst <= 1e-9:
                    sys.exit(1)
            for path in paths.values():
                path.unlink()


if __name__ == "__main__":
    main()
