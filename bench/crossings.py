#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What crossings do to the values of constructed switches of 4 servers by direct mapping: a table
(Markdown).

    build/venv-photonics/bin/python bench/crossings.py build/release/bin/optinc

Every circuit is read back from its floor plan, with the loss of the crossings on every waveguide and no
other; the gain of each row is fitted to what is left, and all digit sums go through the layers. The
table has the largest relative change of a weight, and the cases that come out wrong, where the mapping
does not know of the loss and where it does (a device file that says so)."""

import argparse
import collections
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="optinc")
    parser.add_argument("--trained", nargs="+", metavar="FILE", default=[],
                        help="in place of these, segmented designs of 4 servers, with ReLU")
    parser.add_argument("--bits", type=int, default=8, choices=[2, 4, 6, 8],
                        help="of a code; default %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    ARGUMENTS = parse()  # before what not every Python has, so that --help needs nothing else

import gdstk
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/optics"))
from layout_check import Nets, Plan, crossings_on, matrix_of

PORTS = 4
LOSSES_DB = [0.02, 0.04, 0.08, 0.16]
DESIGNS = [("0.5", "optical"), ("0.1", "optical"), ("0.5", "electronic"), ("0.1", "electronic")]


class Circuit:
    """One layer as its floor plan has it: Re(diag(gain e^(i output)) S)."""

    def __init__(self, cell, circuit):
        self.plan = Plan(cell)
        self.nets = Nets(self.plan)
        self.shape = len(circuit["gain"]), len(circuit["input_mode"])
        self.turn = np.array(circuit["gain"]) * np.exp(1j * np.array(circuit["output_rad"]))
        self.crossings = crossings_on(self.plan, self.nets)

    def matrix(self, loss_db):
        kept = collections.defaultdict(lambda: 1.0, {
            net: 10 ** (-count * loss_db / 20) for net, count in self.crossings.items()})
        return (self.turn[:, None] * matrix_of(self.plan, self.nets, *self.shape, kept)).real

    def change(self, ideal, loss_db, fit=True):
        """Entry by entry, with loss over what it should be, each row's gain fitted."""
        lossy = self.matrix(loss_db)
        if fit:
            lossy *= ((ideal * lossy).sum(1) / (lossy * lossy).sum(1))[:, None]
        return np.divide(lossy, ideal, out=np.ones_like(ideal), where=abs(ideal) > 1e-9)


def run(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def wrong_cases(layers, changes, bits, most=1):
    """Hidden layers that are clipped at `most`, and a linear one, as `optinc design` makes them."""
    sums = np.array(list(itertools.product(range(3 * PORTS + 1), repeat=bits // 2)))
    weight = 4 ** np.arange(bits // 2)
    result = ((sums @ weight) + PORTS // 2) // PORTS
    y = sums / PORTS
    for index, ((w, b), change) in enumerate(zip(layers, changes)):
        if change.shape[1] > w.shape[1]:  # the bias is light, too
            b = b * change[:, -1]
        y = y @ (w * change[:, :w.shape[1]]).T + b
        if index + 1 < len(layers):
            y = np.clip(y, 0, most)
    digits = np.clip(np.rint(y), 0, 3).astype(int)
    return (digits @ weight != result).sum(), len(sums)


def layers_of(path):
    """[(weight, bias)] of a design file: a length, a header in JSON, tensors (docs/formats.md)."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])

    def tensor(name):
        low, high = header[name]["data_offsets"]
        return np.frombuffer(data[start + low:start + high]).reshape(header[name]["shape"])

    count = sum(name.endswith(".weight") for name in header)
    return [[tensor(f"levels.0.layers.{i}.{name}") for name in ("weight", "bias")]
            for i in range(count)]


def device_file(folder, loss_db):
    """Ideal components, but for crossings."""
    text = (pathlib.Path(__file__).resolve().parents[1] / "devices/ideal.yaml").read_text()
    changed = re.sub(r"(crossing_loss_db:\n +value: )0\n", rf"\g<1>{loss_db}\n", text)
    assert changed != text or loss_db == 0
    (folder / "device.yaml").write_text(changed)
    return folder / "device.yaml"


def make(arguments, folder, gap, bias, known_db):
    """The layers of a design, and what their floor plan is."""
    design = folder / "d.safetensors"
    run(arguments.program, "design", "--servers", PORTS, "--bits", arguments.bits, "--method",
        "constructed", "--gap", gap, "-o", design)
    return read_back(arguments.program, folder, design, known_db, "--mapping", "direct", "--bias",
                     bias)


def read_back(program, folder, design, known_db, *options):
    plan, circuits = folder / "d.gds", folder / "d.json"
    for form, path in (("gds", plan), ("json", circuits)):
        run(program, "export", design, *options, "--format", form, "--device",
            device_file(folder, known_db), "-o", path)
    layers = layers_of(design)
    cells = {cell.name: cell for cell in gdstk.read_gds(str(plan)).cells}
    return layers, [Circuit(cells[f"L{i}_CIRCUIT"], json.loads((folder / f"d.layer{i}.json").read_text()))
                    for i in range(1, len(layers) + 1)]


def trained(arguments):
    print("| design | dB a crossing | known | largest change, of a matrix's largest weight | wrong "
          "cases | crossings |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for path in arguments.trained:
            layers, unknown = read_back(arguments.program, folder, path, 0)
            bits = 2 * layers[-1][0].shape[0]
            ideal = [plan.matrix(0) for plan in unknown]
            for loss_db, known in itertools.product(LOSSES_DB, ["no", "yes"]):
                plans = unknown
                if known == "yes":
                    plans = read_back(arguments.program, folder, path, loss_db)[1]
                changes = [plan.change(of, loss_db, known == "no")
                           for plan, of in zip(plans, ideal)]
                wrong, cases = wrong_cases(layers, changes, bits, np.inf)
                worst = max((abs(change - 1) * abs(of)).max() / abs(of).max()
                            for change, of in zip(changes, ideal))
                assert known == "no" or worst < 1e-9, worst
                crossed = sum(kind in ("CROSSING", "PADDING")
                              for plan in plans for kind, *_ in plan.plan.leaves)
                print(f"| {path} | {loss_db} | {known} | {100 * worst:.2g} % | "
                      f"{f'{wrong:,} of {cases:,}' if wrong else 'none'} | {crossed:,} |", flush=True)


def main(arguments):
    if arguments.trained:
        trained(arguments)
        return
    print("| g | bias | dB a crossing | known | largest change of a weight | wrong cases |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for (gap, bias), known in itertools.product(DESIGNS, ["no", "yes"]):
            for loss_db in [0, *LOSSES_DB]:
                if known == "yes" or loss_db == 0:
                    layers, plans = make(arguments, pathlib.Path(folder), gap, bias, loss_db)
                if loss_db == 0:
                    ideal = [plan.matrix(0) for plan in plans]
                changes = [plan.change(of, loss_db) for plan, of in zip(plans, ideal)]
                wrong, cases = wrong_cases(layers, changes, arguments.bits)
                worst = max(abs(change - 1).max() for change in changes)
                if loss_db == 0 or known == "yes":
                    assert wrong == 0 and worst < 1e-9, (wrong, worst)
                if loss_db:
                    print(f"| {gap} | {bias} | {loss_db} | {known} | {100 * worst:.1f} % | "
                          f"{f'{wrong:,} of {cases:,}' if wrong else 'none'} |", flush=True)


if __name__ == "__main__":
    main(ARGUMENTS)
