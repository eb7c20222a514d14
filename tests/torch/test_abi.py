# SPDX-License-Identifier: Apache-2.0
"""The package's picture of the C library is the C compiler's."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import optinc_torch
from optinc_torch import _abi

_ROOT = Path(__file__).resolve().parents[2]
_INCLUDE = _ROOT / "include" / "optinc"


def test_structs_have_the_compilers_layout():
    """Names, order, sizes and offsets of all mirrored structs."""
    output = subprocess.run([os.environ["OPTINC_ABI_LAYOUT"]], check=True, capture_output=True,
                            text=True, timeout=10).stdout
    layouts = {}
    for line in output.splitlines():
        name, size, *fields = line.split()
        layouts[name] = (int(size), [(f.split(":")[0], int(f.split(":")[1])) for f in fields])
    assert layouts.keys() == _abi.STRUCTURES.keys()
    for name, structure in _abi.STRUCTURES.items():
        size, fields = layouts[name]
        mine = [(field, getattr(structure, field).offset) for field, _ in structure._fields_]
        assert mine == fields, name
        assert ctypes.sizeof(structure) == size, name


def test_status_names_are_the_headers():
    header = (_INCLUDE / "base.h").read_text()
    codes = {int(value): name.removeprefix("ERR_")
             for name, value in re.findall(r"X\((\w+), (-?\d+), \"", header)}
    assert codes == _abi.STATUS_NAMES


def test_slots_are_the_headers():
    header = (_INCLUDE / "collective.h").read_text()
    assert f"#define OPTINC_TRANSPORT_SLOTS {_abi.SLOTS}u" in header


def test_versions_agree():
    version = (_ROOT / "VERSION").read_text().strip()
    assert optinc_torch.__version__ == version == optinc_torch.library_version()


def test_a_missing_library_is_told_with_the_places():
    """OPTINC_LIBRARY is final: nothing else is taken in its place."""
    code = "import optinc_torch as o\ntry:\n o.library_version()\n" \
           "except o.LibraryNotFound as e:\n print(e)"
    environment = {**os.environ, "OPTINC_LIBRARY": "/nowhere/liboptinc.so"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                            text=True, timeout=60)
    assert "/nowhere/liboptinc.so (not there)" in result.stdout, result.stderr
    assert "OPTINC_LIBRARY" in result.stdout
