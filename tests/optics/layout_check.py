#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Floor plans read back by tools that are not ours. gdstk reads the GDSII file; where ports and
waveguides touch gives a netlist, which must be the SAX netlist of the same circuit, wire for wire; the
placed MZIs with their phases then give the matrix, to 1e-9. KLayout finds no overlapping footprint, no
waveguides that overlap but in crossing cells, and none closer than a coupler's gap.
layout_check.py LIBRARY"""

import collections
import json
import pathlib
import sys
import tempfile

import gdstk
import klayout.db
import numpy as np
import yaml
from scipy.stats import ortho_group

from library import (DIRECT, JSON, SAX, SEGMENTED, SVD, SYMMETRIC, TRIANGULAR, Library)

WAVEGUIDE, PORT, PHASES, FLOOR_PLAN, FOOTPRINT = (1, 0), (1, 10), (66, 1), (64, 0), (68, 0)
LEAVES = {"MZI", "SPLITTER", "CROSSING", "PADDING", "ABSORBER"}


class Turn:
    """Where a cell lies: mirrored at x, then turned by 180 degrees, then moved."""

    def __init__(self, x=0, y=0, sx=1, sy=1):
        self.x, self.y, self.sx, self.sy = x, y, sx, sy

    def at(self, point):
        return (round(1000 * point[0]) * self.sx + self.x, round(1000 * point[1]) * self.sy + self.y)

    def inside(self, ref):
        turned = -1 if abs(abs(ref.rotation) - np.pi) < 1e-9 else 1
        assert turned == -1 or ref.rotation == 0, ref.rotation
        x, y = self.at(ref.origin)
        return Turn(x, y, self.sx * turned, self.sy * turned * (-1 if ref.x_reflection else 1))


def ports_of(cell):
    return {label.text: label.origin for label in cell.labels
            if (label.layer, label.texttype) == PORT}


class Plan:
    """All that a circuit's cell holds, as if it were flat, in nm."""

    def __init__(self, cell):
        self.leaves, self.wires, self.labels = [], [], []
        self.visit(cell, Turn())
        self.edge = {name: Turn().at(at) for name, at in ports_of(cell).items()}

    def visit(self, cell, turn):
        for path in cell.paths:
            assert path.layers == (WAVEGUIDE[0],), path.layers
            spine = path.spine()
            self.wires.append((turn.at(spine[0]), turn.at(spine[-1])))
        self.labels += [label.text for label in cell.labels
                        if (label.layer, label.texttype) == PHASES]
        for ref in cell.references:
            inner = turn.inside(ref)
            if ref.cell.name not in LEAVES:
                self.visit(ref.cell, inner)
                continue
            name, phases = (value.rstrip("\0") if value else None  # gdstk keeps the end
                            for value in map(ref.get_gds_property, (1, 2)))
            ports = {port: inner.at(at) for port, at in ports_of(ref.cell).items()}
            self.leaves.append((ref.cell.name, name, phases, ports, inner.x))


class Nets:
    """Points that touch, joined by waveguides and by crossings, straight through."""

    def __init__(self, plan):
        self.parent = {}
        touching = collections.Counter()
        for kind, _, _, ports, _ in plan.leaves:
            touching.update(ports.values())
            if kind == "CROSSING":
                self.join(ports["w"], ports["e"])
                self.join(ports["s"], ports["n"])
            elif kind == "PADDING":
                self.join(ports["w"], ports["e"])
        for ends in plan.wires:
            touching.update(ends)
            self.join(*ends)
        touching.update(plan.edge.values())
        loose = [point for point, count in touching.items() if count != 2]
        assert not loose, f"not exactly two things at {loose[:5]}"

    def find(self, point):
        self.parent.setdefault(point, point)
        while self.parent[point] != point:
            self.parent[point] = self.parent[self.parent[point]]
            point = self.parent[point]
        return point

    def join(self, a, b):
        self.parent[self.find(a)] = self.find(b)


def netlist(plan, nets):
    """{driver: reader} with the SAX netlist's names; inputs are in0 .., outputs o0,in0 .."""
    drivers, readers = {}, {}
    for port, at in plan.edge.items():
        (drivers if port.startswith("in") else readers)[nets.find(at)] = \
            port if port.startswith("in") else f"o{port[3:]},in0"
    for kind, name, _, ports, _ in plan.leaves:
        if kind in ("MZI", "SPLITTER"):
            for port, at in ports.items():
                side = readers if port.startswith("in") else drivers
                assert nets.find(at) not in side, f"{name},{port}: two on one waveguide"
                side[nets.find(at)] = f"{name},{port}"
    return {driver: readers[net] for net, driver in drivers.items() if net in readers}


def sax_netlist(path):
    top = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    wires = dict(top.get("connections") or {})
    wires.update({port: end for port, end in top["ports"].items() if port.startswith("in")})
    return wires


def values(phases):
    return {key: float(value) for key, value in (pair.split("=") for pair in phases.split())}


def matrix_of(plan, nets, rows, cols, kept=None):
    """Fields through the placed elements, from left to right; kept: amplitude left by each net."""
    kept = kept if kept is not None else collections.defaultdict(lambda: 1.0)
    field = collections.defaultdict(lambda: np.zeros(cols, complex))
    for j in range(cols):
        net = nets.find(plan.edge[f"in{j}"])
        field[net] = np.eye(cols, dtype=complex)[j] * kept[net]
    coupler = np.array([[1, 1j], [1j, 1]]) / np.sqrt(2)
    for kind, _, phases, ports, _ in sorted(plan.leaves, key=lambda leaf: leaf[4]):
        if kind not in ("MZI", "SPLITTER"):
            continue
        v = values(phases)
        if kind == "SPLITTER":
            c, s = np.cos(v["angle_rad"]), np.sin(v["angle_rad"])
            m = np.array([[c, -s], [s, c]])
        else:
            m = coupler @ np.diag(np.exp(1j * np.array([v["arm_a_rad"], v["arm_b_rad"]])))
            m = m @ coupler @ np.diag([np.exp(1j * v["in_rad"]), 1])
        both = m @ [field[nets.find(ports["in0"])], field[nets.find(ports["in1"])]]
        for port, value in zip(("out0", "out1"), both):
            net = nets.find(ports[port])
            field[net] = value * kept[net]
    return np.array([field[nets.find(plan.edge[f"out{r}"])] for r in range(rows)])


def crossings_on(plan, nets):
    """{net: crossings}; those whose other waveguide is idle count as all do."""
    on = collections.Counter()
    for kind, _, _, ports, _ in plan.leaves:
        if kind in ("CROSSING", "PADDING"):
            on.update(nets.find(ports[port]) for port in ("w", "n") if port in ports)
    return on


def worst_ways(plan, nets, rows, cols):
    """The most crossings on a way to each output, from left to right."""
    on = crossings_on(plan, nets)
    most = {}  # dark waveguides are not in it
    for j in range(cols):
        net = nets.find(plan.edge[f"in{j}"])
        most[net] = on[net]
    for kind, _, _, ports, _ in sorted(plan.leaves, key=lambda leaf: leaf[4]):
        if kind in ("MZI", "SPLITTER"):
            before = max(most.get(nets.find(ports[port]), 0) for port in ("in0", "in1"))
            for port in ("out0", "out1"):
                net = nets.find(ports[port])
                most[net] = before + on[net]
    return [most.get(nets.find(plan.edge[f"out{r}"]), 0) for r in range(rows)]


def region(layout, cell, layer):
    found = klayout.db.Region(cell.begin_shapes_rec(layout.layer(*layer)))
    found.merged_semantics = False
    return found


def area(found):
    return sum(polygon.area() for polygon in found.each())


def check_shapes(path, crossings, mzis, mzi_um):
    """KLayout's own geometry of the whole chip, in nm."""
    layout = klayout.db.Layout()
    layout.read(str(path))
    top = layout.top_cell()
    boxes = region(layout, top, FOOTPRINT)
    assert area(boxes) == boxes.merged().area(), "footprints overlap"
    box = region(layout, layout.cell("MZI"), FOOTPRINT).bbox()
    assert (box.width(), box.height()) == (1000 * mzi_um[0], 1000 * mzi_um[1]), box
    inside = region(layout, layout.cell("MZI"), WAVEGUIDE) | region(layout, layout.cell("MZI"), (49, 0))
    assert (inside - klayout.db.Region(box)).is_empty(), "an MZI leaves its footprint"
    guides = region(layout, top, WAVEGUIDE)
    double = area(guides) - guides.merged().area()
    if crossings:
        one = region(layout, layout.cell("CROSSING"), WAVEGUIDE)
        double -= crossings * (area(one) - one.merged().area())
    assert abs(double) < 100 * len(list(guides.each())), f"waveguides overlap by {double} nm2"
    near = guides.merged().space_check(199)
    assert near.is_empty(), f"{near.count()} places where waveguides are too close"
    cells = [inst for name in ("MZI",) for inst in layout.cell(name).each_parent_inst()]
    assert len(cells) == mzis, (len(cells), mzis)


def check_circuit(cell, json_path, sax_path, matrix):
    plan = Plan(cell)
    nets = Nets(plan)
    top = json.loads(json_path.read_text())
    placed = {name: (kind, phases) for kind, name, phases, _, _ in plan.leaves if name}
    assert len(placed) == len(top["elements"]), len(placed)
    labels = collections.defaultdict(list)
    for text in plan.labels:
        labels[text.split()[0]] += text.split()[1:]
    assert set(labels) == set(placed)
    for k, e in enumerate(top["elements"]):
        kind, phases = placed[f"e{k}"]
        names = [key for key in e if key.endswith("_rad")]
        assert kind == {"mzi": "MZI", "splitter": "SPLITTER"}[e["kind"]]
        assert values(phases) == {key: e[key] for key in names}, (k, phases, e)
        for key in names:
            assert e[key] == 0 or f"{e[key]:.4f}" in labels[f"e{k}"], (labels[f"e{k}"], e)
    found, expected = netlist(plan, nets), sax_netlist(sax_path)
    assert found == expected, (set(found.items()) ^ set(expected.items()))
    s = np.exp(1j * np.array(top["output_rad"]))[:, None] * matrix_of(plan, nets, *matrix.shape)
    worst = np.abs(np.array(top["gain"])[:, None] * s - matrix).max()
    assert worst <= 1e-9 * max(1, np.abs(matrix).max()), worst
    crossings = sum(kind == "CROSSING" for kind, *_ in plan.leaves)
    return len(expected), crossings, worst_ways(plan, nets, *matrix.shape), worst


def check_losses(library, layers, path):
    """Crossings that lose light: what a circuit is compiled to is what its plan does, and trees, and
    padding with attenuators, make up for it. Returns the largest change of an entry without that."""
    change = 0
    for loss_db, known_db in ((0.16, 0), (0.16, 0.16), (3, 3)):
        device, known = library.lossy_crossings(loss_db), library.lossy_crossings(known_db)
        circuits = [library.circuit(matrix, crossed_by=known, **options)
                    for matrix, options in layers]
        _, total = library.layout(circuits, path)
        check_shapes(path, total.crossing_count, total.mzi_count, (180, 100))
        read = {cell.name: cell for cell in gdstk.read_gds(str(path)).cells}
        placed = 0
        for number, (circuit, (matrix, options)) in enumerate(zip(circuits, layers), 1):
            plan = Plan(read[f"L{number}_CIRCUIT"])
            nets, json_path = Nets(plan), path.with_suffix(".json")
            library.export(circuit, JSON, json_path)
            top = json.loads(json_path.read_text())
            placed += sum(kind in ("CROSSING", "PADDING") for kind, *_ in plan.leaves)
            kept = collections.defaultdict(lambda: 1.0, {
                net: 10 ** (-count * loss_db / 20)
                for net, count in crossings_on(plan, nets).items()})
            turn = np.exp(1j * np.array(top["output_rad"]))[:, None]
            s = turn * matrix_of(plan, nets, *matrix.shape, kept)
            found = library.compile(circuit, device, matrix.shape)
            assert np.abs(found - s).max() <= 1e-12, np.abs(found - s).max()
            off = np.abs(np.array(top["gain"])[:, None] * found - matrix).max()
            if known_db:
                assert off <= 1e-12 * np.abs(matrix).max(), off
            change = max(change, 0 if known_db else off / np.abs(matrix).max())
            library.destroy_circuit(circuit)
        assert placed == total.crossing_count, (placed, total.crossing_count)
    return change


def cases():
    rng = np.random.default_rng(1)
    blocks = np.vstack([rng.normal(size=(4, 1)) * ortho_group.rvs(4, random_state=i)
                        for i in range(6)])
    trees = np.zeros((9, 8))
    trees[:6, :3], trees[:6, 7] = [2, 2, -1], [1, 2, -3, 0, 1, 2]
    trees[6, 3:5], trees[7, :6] = [1, -1], [0, 1, 1, 0, 1, 1]
    yield "svd", [(rng.normal(size=(4, 6)), dict(mapping=SVD)),
                  (rng.normal(size=(5, 4)), dict(mapping=SVD))]
    yield "svd, 14 modes", [(rng.normal(size=(14, 14)), dict(mapping=SVD))]
    yield "svd, symmetric and triangular", [
        (rng.normal(size=(5, 3)), dict(mapping=SVD, form=SYMMETRIC)),
        (rng.normal(size=(6, 6)), dict(mapping=SVD, layout=TRIANGULAR))]
    yield "one by one", [(np.array([[-2.5]]), dict(mapping=SVD))]
    yield "segmented", [
        (blocks, dict(mapping=SEGMENTED, side=4)),
        (np.hstack([blocks[:8], blocks[8:16], blocks[16:]]), dict(mapping=SEGMENTED, side=4)),
        (np.hstack([blocks[:12], blocks[12:]]) * (np.arange(12) != 5)[:, None],
         dict(mapping=SEGMENTED, side=4, layout=TRIANGULAR, form=SYMMETRIC)),
        (rng.normal(size=(3, 5)), dict(mapping=SEGMENTED, side=1))]
    yield "direct", [(trees, dict(mapping=DIRECT, bias_last=True)),
                     (rng.normal(size=(6, 5)) * (rng.random((6, 5)) < 0.5), dict(mapping=DIRECT))]


def main():
    library = Library(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, layers in cases():
            circuits = [library.circuit(matrix, **options) for matrix, options in layers]
            path = folder / "plan.gds"
            infos, total = library.layout(circuits, path)
            read = {cell.name: cell for cell in gdstk.read_gds(str(path)).cells}
            for number, (circuit, (matrix, _), info) in enumerate(zip(circuits, layers, infos), 1):
                paths = folder / "c.json", folder / "c.yaml"
                for form, to in zip((JSON, SAX), paths):
                    library.export(circuit, form, to)
                cell = read[f"L{number}_CIRCUIT"]
                wires, crossings, ways, worst = check_circuit(cell, *paths, matrix)
                assert crossings == info.crossing_count, (crossings, info.crossing_count)
                assert max(ways) == info.path_crossings_max, (ways, info.path_crossings_max)
                counted = library.crossings(circuit, len(matrix))
                assert counted == (crossings, max(ways), ways), (counted, ways)
                (x0, y0), (x1, y1) = [p.bounding_box() for p in cell.polygons
                                      if (p.layer, p.datatype) == FLOOR_PLAN][0]
                assert abs((x1 - x0) * (y1 - y0) / 1e6 - info.circuit_area_mm2) < 1e-9
                print(f"{name}, layer {number}: {wires} connections as in the netlist, "
                      f"{crossings} crossings, up to {max(ways)} on a way, max|difference| {worst:.3g}")
            for circuit in circuits:
                library.destroy_circuit(circuit)
            assert abs(total.mzi_area_mm2 - total.mzi_count * 0.018) < 1e-12
            check_shapes(path, total.crossing_count, total.mzi_count, (180, 100))
            change = check_losses(library, layers, path)
            assert (change > 1e-3) == (total.crossing_count > 0), change
            print(f"{name}: crossings of 0.16 dB change an entry by {change:.3g} of the largest, "
                  "as compiled")


if __name__ == "__main__":
    main()
