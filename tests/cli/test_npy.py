# SPDX-License-Identifier: Apache-2.0
"""The .npy reader and writer through `optinc reduce`: NumPy's own files, and hostile ones."""
import io
import os
import struct
import unittest

import numpy as np

from common import ProgramTest

GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"


def npy(dictionary=GOOD, data=b"\0" * 12, version=(1, 0), length=None):
    text = dictionary.encode("latin1")
    size = len(text) if length is None else length
    return (b"\x93NUMPY" + bytes(version) +
            (struct.pack("<H", size) if version[0] == 1 else struct.pack("<I", size)) + text + data)


class Npy(ProgramTest):
    def setUp(self):
        super().setUp()
        self.switch = self.design("d.safetensors", 2, 8)

    def reduce(self, *inputs):
        return ("reduce", "--design", self.switch, "-o", self.path("out.npy"), *inputs)

    def write(self, data, name="in.npy"):
        with open(self.path(name), "wb") as stream:
            stream.write(data)
        return self.path(name)

    def refuse(self, data, *says):
        path = self.write(data)
        self.bad(*self.reduce(path), says=[path + ": ", *says])
        self.assertNotIn("out.npy", self.files())

    def test_shapes_and_versions(self):
        for shape in [(), (0,), (1,), (7,), (3, 0, 2), (2, 3), (1, 1, 1, 5), (1,) * 32]:
            for version in [(1, 0), (2, 0), (3, 0)]:
                x = np.arange(np.prod(shape, dtype=int), dtype="<f4").reshape(shape)
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, x, version=version)
                self.good(*self.reduce(self.write(buffer.getvalue())))
                y = np.load(self.path("out.npy"))
                self.assertEqual((y.dtype.str, y.shape), ("<f4", shape))
                self.assertEqual(os.path.getsize(self.path("out.npy")) % 64,
                                 4 * x.size % 64, "data starts at a multiple of 64")

    def test_headers_that_numpy_takes_too(self):
        for text in [GOOD, GOOD.replace(" ", ""), GOOD.replace("'", '"'),
                     "{'shape': (3L,), 'fortran_order': False, 'descr': '<f4'}\n",
                     "{'fortran_order': True, 'shape': (3,), 'descr': '<f4', }   \n"]:
            self.good(*self.reduce(self.write(npy(text))))

    def test_from_a_pipe(self):
        read, write = os.pipe()
        os.write(write, npy(data=struct.pack("<3f", 1.0, 2.0, -3.0)))
        os.close(write)
        self.good(*self.reduce("/dev/stdin"), stdin=read)
        os.close(read)
        np.testing.assert_allclose(np.load(self.path("out.npy")), [1, 2, -3], atol=0.1)

    def test_other_dtypes(self):
        for dtype, found in [("<f8", "'<f8'"), ("<f2", "'<f2'"), ("<i4", "'<i4'"), ("|b1", "'|b1'"),
                             (">f4", "'>f4' (big-endian float32)")]:
            buffer = io.BytesIO()
            np.save(buffer, np.zeros(3, dtype))
            self.refuse(buffer.getvalue(), f"found {found}",
                        "expected '<f4' (little-endian float32)")
        buffer = io.BytesIO()
        np.save(buffer, np.zeros(3, [("a", "<f4")]))
        self.refuse(buffer.getvalue(), "a structured type", "expected '<f4'")

    def test_fortran_order(self):
        buffer = io.BytesIO()
        np.save(buffer, np.zeros((2, 3), "<f4", order="F"))
        self.refuse(buffer.getvalue(), "fortran_order: found True, expected False")

    def test_truncated(self):
        whole = npy()
        for size in range(len(whole)):
            self.refuse(whole[:size], "truncated")
        self.refuse(whole[:-1], "found 11 bytes of data, expected 12 for 3 elements")
        self.refuse(whole + b"x", "found 1 bytes after the data")

    def test_truncated_pipe(self):
        read, write = os.pipe()
        os.write(write, npy()[:-3])
        os.close(write)
        self.bad(*self.reduce("/dev/stdin"), stdin=read, says=["truncated"])
        os.close(read)
        self.assertNotIn("out.npy", self.files())

    def test_huge_shapes_take_no_memory(self):
        for shape in ["(1000000000000,)", "(4611686018427387904,)", "(2147483648, 2147483648, 4)",
                      "(99999999999999999999999999,)", "(0, 9223372036854775807, 9)"]:
            self.refuse(npy(GOOD.replace("(3,)", shape)))

    def test_malformed(self):
        self.refuse(b"PK\x03\x04" + b"\0" * 60, "not a .npy file")
        self.refuse(npy(version=(4, 0)), "version: found 4.0, expected 1.0, 2.0 or 3.0")
        self.refuse(npy(version=(1, 1)), "version: found 1.1")
        self.refuse(npy(version=(2, 0), length=2**32 - 1), "header: 4294967295 bytes")
        for text in ["", "{", "{}", "[]", "{'descr': '<f4'}", GOOD[:-1], GOOD + "{}", "{" + GOOD,
                     GOOD.replace("'descr'", "'other'"), GOOD.replace("}", "'descr': '<f4'}"),
                     GOOD.replace("False", "0"), GOOD.replace("(3,)", "(3)"),
                     GOOD.replace("(3,)", "(-3,)"), GOOD.replace("(3,)", "(3.0,)"),
                     GOOD.replace("(3,)", "3"), GOOD.replace("(3,)", "(,)"),
                     GOOD.replace("(3,)", "(3 1,)"), GOOD.replace("(3,)", "(" + "1," * 33 + ")"),
                     GOOD.replace("'<f4'", "'" + "<" * 100 + "'"),
                     GOOD.replace("'<f4'", "'<f4\\'"), GOOD.replace("'<f4'", "<f4"),
                     GOOD.replace(",", ";", 1), GOOD.replace(":", "", 1)]:
            self.refuse(npy(text))

    def test_inputs_that_do_not_match(self):
        a = self.write(npy(), "a.npy")
        b = self.write(npy(GOOD.replace("(3,)", "(4,)"), b"\0" * 16), "b.npy")
        c = self.write(npy(GOOD.replace("(3,)", "(1, 3)")), "c.npy")
        self.bad(*self.reduce(a, b), says=[b, "found (4,), 4 elements", "expected (3,), 3", a])
        self.bad(*self.reduce(a, c), says=[c, "found (1, 3)", "expected (3,)"])
        self.bad(*self.reduce(a, self.path("absent.npy")), says=["absent.npy: cannot be opened: No such file"])
        self.bad(*self.reduce(a, a, a), says=["found 3 inputs, expected at most 2"])
        self.assertNotIn("out.npy", self.files())


if __name__ == "__main__":
    unittest.main()
