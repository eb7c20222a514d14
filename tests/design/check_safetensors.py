# SPDX-License-Identifier: Apache-2.0
"""The design file and the Python package safetensors read each other.

Usage: check_safetensors.py FILE_TOOL FOLDER
"""

import json
import pathlib
import subprocess
import sys

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

KEY = b'"checksum":"'


def crc64_xz(data):
    """Bit by bit: reflected polynomial, initial value and final inversion all ones."""
    crc = 2**64 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC96C5795D7870F42 if crc & 1 else 0)
    return crc ^ (2**64 - 1)


def with_zero_digits(data):
    at = data.index(KEY) + len(KEY)
    return at, data[:at] + b"0" * 16 + data[at + 16 :]


def expected_tensors():
    """The sample of make_design.h."""
    i = numpy.arange(5, dtype=numpy.float64)
    return {
        "levels.0.layers.0.weight": (0.1 * (i + 1)).reshape(5, 1),
        "levels.0.layers.0.bias": -0.3 + i,
        "levels.0.layers.1.weight": numpy.stack([1.0 / (i + 1), -1e-300 * (i + 1)]),
        "levels.0.layers.1.bias": numpy.array([0.5, -0.0]),
        "levels.0.table": numpy.arange(7, dtype=numpy.uint8),
        "levels.1.table": (numpy.arange(49) % 4).astype(numpy.uint8),
    }


def check_written(path):
    """What the library wrote, as Python sees it. Returns tensors and metadata."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    expected = expected_tensors()
    assert tensors.keys() == expected.keys(), tensors.keys()
    for name, values in expected.items():
        assert tensors[name].dtype == values.dtype, name
        assert tensors[name].shape == values.shape, name
        assert tensors[name].tobytes() == values.tobytes(), name
    assert metadata["format"] == "optinc-design"
    assert metadata["format_version"] == "1"
    level = json.loads(metadata["optinc"])["levels"][0]
    assert level["spec"] == {
        "ports": 2,
        "bits_in": 2,
        "bits_out": 4,
        "divisor_log2": 0,
        "variant": "residual",
        "zero_code": 2,
    }
    assert level["seed"] == str(2**64 - 1)
    assert level["gap"] == 0.1
    data = path.read_bytes()
    assert int.from_bytes(data[:8], "little") % 8 == 0
    assert metadata["checksum"] == f"{crc64_xz(with_zero_digits(data)[1]):016x}"
    return tensors, metadata


def main():
    assert crc64_xz(b"123456789") == 0x995DC9BBDF1939FA
    tool, folder = sys.argv[1], pathlib.Path(sys.argv[2])

    def run(*arguments):
        return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout

    path = folder / "sample.safetensors"
    run("write", path)
    tensors, metadata = check_written(path)
    assert run("read", path) == run("sample")

    # The other way round: safetensors chooses the order of names, tensors and metadata.
    again = folder / "again.safetensors"
    save_file(tensors, again, metadata)
    at, zeroed = with_zero_digits(again.read_bytes())
    again.write_bytes(zeroed[:at] + f"{crc64_xz(zeroed):016x}".encode() + zeroed[at + 16 :])
    assert run("read", again) == run("sample")
    print("safetensors reads the design file, and the library reads what safetensors writes")


if __name__ == "__main__":
    main()
