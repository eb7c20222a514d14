# SPDX-License-Identifier: Apache-2.0
"""The library's meshes from Python, for the cross-checks: ctypes over optinc/optics.h."""

import ctypes
import pathlib
import re

import numpy as np

_HEADER = pathlib.Path(__file__).resolve().parents[2] / "include/optinc/optics.h"

RECTANGULAR, TRIANGULAR = 0, 1
SVD, SEGMENTED, DIRECT = range(3)
JSON, SAX, TOUCHSTONE, SVG = range(4)
PHYSICAL, PHYSICAL_OUTPUT, BLOCH, CLEMENTS, SYMMETRIC = range(5)


class Cell(ctypes.Structure):
    _fields_ = [
        ("mode", ctypes.c_uint32),
        ("column", ctypes.c_uint32),
        ("theta", ctypes.c_double),
        ("phi", ctypes.c_double),
        ("edge", ctypes.c_double),
    ]


class Device(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double)
                for name in re.findall(r"^    X\((\w+),", _HEADER.read_text(), re.MULTILINE)]


class CircuitOptions(ctypes.Structure):
    _fields_ = [
        ("mapping", ctypes.c_int),
        ("layout", ctypes.c_int),
        ("form", ctypes.c_int),
        ("segment_side", ctypes.c_uint32),
        ("bias_last", ctypes.c_bool),
        ("balance", ctypes.c_bool),
        ("loss_db", ctypes.c_double),
        ("crossed_by", ctypes.c_void_p),
    ]


class LayoutInfo(ctypes.Structure):
    _fields_ = [
        ("mzi_count", ctypes.c_size_t),
        ("splitter_count", ctypes.c_size_t),
        ("crossing_count", ctypes.c_uint64),
        ("path_crossings_max", ctypes.c_uint32),
        ("mzi_area_mm2", ctypes.c_double),
        ("circuit_area_mm2", ctypes.c_double),
        ("length_mm", ctypes.c_double),
        ("width_mm", ctypes.c_double),
    ]


class Crossings(ctypes.Structure):
    _fields_ = [("count", ctypes.c_uint64), ("path_max", ctypes.c_uint32)]


class LayoutOptions(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("device", ctypes.c_void_p), ("spec", ctypes.c_void_p),
                ("layer_first", ctypes.c_uint32)]


class Library:
    def __init__(self, path):
        self.so = ctypes.CDLL(path)
        self.so.optinc_mesh_cell_count.restype = ctypes.c_size_t
        self.so.optinc_device_ideal.restype = Device
        self.so.optinc_mesh_cells.restype = ctypes.POINTER(Cell)
        for name in ("input", "output"):
            getattr(self.so, f"optinc_mesh_{name}_rad").restype = ctypes.POINTER(ctypes.c_double)

    def decompose_raw(self, matrix, layout, form):
        mesh = ctypes.c_void_p()
        status = self.so.optinc_mesh_decompose(
            ctypes.c_uint32(len(matrix)), matrix.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(layout), ctypes.c_int(form), None, ctypes.byref(mesh))
        if status:
            raise ValueError(f"optinc_mesh_decompose: {status}")
        return mesh

    def destroy(self, mesh):
        self.so.optinc_mesh_destroy(ctypes.byref(mesh))

    def decompose(self, matrix, layout, form):
        """[(mode, column, theta, phi, edge)], input phases, output phases"""
        matrix = np.ascontiguousarray(matrix, dtype=np.complex128)
        mesh = self.decompose_raw(matrix, layout, form)
        side = len(matrix)
        cells = self.so.optinc_mesh_cells(mesh)
        found = [(c.mode, c.column, c.theta, c.phi, c.edge)
                 for c in (cells[i] for i in range(self.so.optinc_mesh_cell_count(mesh)))]
        before = np.array(self.so.optinc_mesh_input_rad(mesh)[:side])
        after = np.array(self.so.optinc_mesh_output_rad(mesh)[:side])
        self.destroy(mesh)
        return found, before, after


    def circuit(self, matrix, mapping, bias_last=False, form=PHYSICAL, side=0,
                balance=False, layout=RECTANGULAR, crossed_by=None):
        """A circuit of a real matrix; destroy_circuit it. crossed_by: a Device, or None."""
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        options = CircuitOptions(mapping, layout, form, side, bias_last, balance, 0.0,
                                 crossed_by and ctypes.addressof(crossed_by))
        circuit = ctypes.c_void_p()
        status = self.so.optinc_circuit_create(
            ctypes.c_uint32(matrix.shape[0]), ctypes.c_uint32(matrix.shape[1]),
            matrix.ctypes.data_as(ctypes.c_void_p), ctypes.byref(options), None,
            ctypes.byref(circuit))
        if status:
            raise ValueError(f"optinc_circuit_create: {status}")
        return circuit

    def lossy_crossings(self, loss_db):
        """A device with no other loss."""
        device = self.so.optinc_device_ideal()
        device.crossing_loss_db = loss_db
        return device

    def compile(self, circuit, device, shape):
        """diag(e^(i output)) S of a circuit of so many rows and columns"""
        matrix = np.full(shape, np.nan, dtype=np.complex128)
        status = self.so.optinc_circuit_compile(circuit, ctypes.byref(device), None,
                                                matrix.ctypes.data_as(ctypes.c_void_p))
        if status:
            raise ValueError(f"optinc_circuit_compile: {status}")
        return matrix

    def export(self, circuit, form, path, device=None):
        """device: a struct of ctypes, or None"""
        pointer = None if device is None else ctypes.byref(device)
        status = self.so.optinc_circuit_export(circuit, pointer, ctypes.c_int(form),
                                               str(path).encode(), None)
        if status:
            raise ValueError(f"optinc_circuit_export: {status}")

    def layout(self, circuits, path):
        """A floor plan; what its layers and the whole come to."""
        infos, total = (LayoutInfo * len(circuits))(), LayoutInfo()
        status = self.so.optinc_layout_export(
            (ctypes.c_void_p * len(circuits))(*circuits), ctypes.c_uint32(len(circuits)),
            ctypes.byref(LayoutOptions(b"PLAN")), str(path).encode(), None, infos,
            ctypes.byref(total))
        if status:
            raise ValueError(f"optinc_layout_export: {status}")
        return list(infos), total

    def crossings(self, circuit, rows):
        """(all, most on a way, most on a way to each output), counted without a plan"""
        total, outputs = Crossings(), (ctypes.c_uint32 * rows)(*[0xA5A5A5A5] * rows)
        status = self.so.optinc_layout_crossings(circuit, None, ctypes.byref(total), outputs)
        if status:
            raise ValueError(f"optinc_layout_crossings: {status}")
        return total.count, total.path_max, list(outputs)

    def destroy_circuit(self, circuit):
        self.so.optinc_circuit_destroy(ctypes.byref(circuit))


def matrices(side):
    from scipy.stats import unitary_group, ortho_group

    rng = np.random.default_rng(side)
    yield "identity", np.eye(side, dtype=complex)
    yield "anti-identity", np.eye(side, dtype=complex)[::-1].copy()
    yield "permutation", np.eye(side, dtype=complex)[rng.permutation(side)]
    yield "dft", np.fft.fft(np.eye(side)) / np.sqrt(side)
    if side > 1:
        yield "haar", unitary_group.rvs(side, random_state=rng)
        yield "orthogonal", ortho_group.rvs(side, random_state=rng).astype(complex)
