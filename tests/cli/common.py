# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share: running it, and files made without it."""
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["OPTINC_PROGRAM"]
DESIGNS = {}


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0xC96C5795D7870F42 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def crc64_xz(data):
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFFFFFFFFFF


def sign_design(data):
    """The design file with its checksum made right: a forger's tool, for what lies behind it."""
    found = re.search(rb'"checksum":\s*"([0-9a-f]{16})"', data)
    start, end = found.span(1)
    data = data[:start] + b"0" * 16 + data[end:]
    return data[:start] + b"%016x" % crc64_xz(data) + data[end:]


def tensor_offset(data, name):
    """Where a tensor of a safetensors file lies: first byte, end."""
    (length,) = struct.unpack("<Q", data[:8])
    first, end = json.loads(data[8 : 8 + length])[name]["data_offsets"]
    return 8 + length + first, 8 + length + end


class ProgramTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="optinc-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def run_program(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run([PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False, **options)
        return done.returncode, done.stdout, done.stderr

    def good(self, *arguments, **options):
        """Runs, expects success and silence on stderr, returns stdout."""
        code, out, err = self.run_program(*arguments, **options)
        self.assertEqual((code, err), (0, ""), (arguments, out, err))
        return out

    def good_json(self, *arguments):
        out = self.good(*arguments, "--json")
        self.assertEqual(out.count("\n"), 1, "one JSON object on one line")
        return json.loads(out)

    def bad(self, *arguments, says=(), **options):
        """Runs, expects exit code 2, nothing on stdout and a message that holds all of `says`."""
        code, out, err = self.run_program(*arguments, **options)
        self.assertEqual((code, out or ""), (2, ""), (arguments, out, err))
        self.assertRegex(err, r"^optinc")
        for text in says:
            self.assertIn(text, err, arguments)
        return err

    def design(self, name="design.safetensors", servers=4, bits=8, *more):
        """A constructed design, made once for all tests of a file."""
        path = self.path(name)
        wish = (servers, bits, *more)
        if wish not in DESIGNS:
            self.good("design", "--servers", servers, "--bits", bits, "--method", "constructed",
                      "-o", path, *more)
            DESIGNS[wish] = pathlib.Path(path).read_bytes()
        pathlib.Path(path).write_bytes(DESIGNS[wish])
        return path

    def files(self):
        return sorted(p.name for p in self.folder.iterdir())
