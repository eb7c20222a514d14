# SPDX-License-Identifier: Apache-2.0
"""reduce against an integer oracle in NumPy: equal to the bit, errors within the bound, and the same
whatever the chunks and threads."""
import math
import os
import pathlib
import resource
import signal
import subprocess
import unittest

import numpy as np

from common import PROGRAM, ProgramTest, sign_design, tensor_offset

BLOCK = 256


def block_exponent(x, bits):
    """Smallest e with max|x| <= (2^(B-1)-1) 2^e, not below that of byte 1; None: all zero."""
    largest = float(np.max(np.abs(x)))
    if largest == 0.0:
        return None
    exponent = math.frexp(largest)[1] - bits - 1
    while math.ldexp(float(2 ** (bits - 1) - 1), exponent) < largest:
        exponent += 1
    return max(exponent, 130 - bits - 253)


def oracle(inputs, ports, bits, op="mean", block=BLOCK):
    """inputs [K][count] float32 to the result [count] that the switch must give."""
    servers, zero = len(inputs), 2 ** (bits - 1)
    result = np.full(inputs[0].size, np.nan, np.float32)
    for first in range(0, result.size, block):
        part = [x[first : first + block] for x in inputs]
        if not all(np.all(np.isfinite(x)) for x in part):
            with np.errstate(all="ignore"):
                total = part[0].copy()
                for x in part[1:]:
                    total = total + x
                result[first : first + block] = (
                    total / np.float32(servers) if op == "mean" else total)
            continue
        exponents = [e for e in (block_exponent(x, bits) for x in part) if e is not None]
        if not exponents:
            result[first : first + block] = 0.0
            continue
        exponent, total = max(exponents), (ports - servers) * zero
        for x in part:
            code = np.rint(np.ldexp(x.astype(np.float64), -exponent)).astype(np.int64)
            total = total + np.clip(code, -(zero - 1), zero - 1) + zero
        r = (total + ports // 2) // ports - zero
        value = np.ldexp((r * ports).astype(np.float64), exponent)
        with np.errstate(over="ignore"):
            result[first : first + block] = (
                value / servers if op == "mean" else value).astype(np.float32)
    return result


def largest_error(inputs, result, op="mean"):
    error = 0.0
    for i, y in enumerate(result):
        exact = math.fsum(float(x[i]) for x in inputs)
        error = max(error, abs(float(y) - (exact / len(inputs) if op == "mean" else exact)))
    return error


class Vectors(ProgramTest):
    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(20260328)

    def vectors(self, servers, count, spread=4):
        """Gradients whose size differs from block to block."""
        scale = np.exp2(self.random.integers(-spread, spread + 1, count // BLOCK + 1))
        scale = np.repeat(scale, BLOCK)[:count]
        return [(self.random.standard_normal(count) * scale).astype(np.float32)
                for _ in range(servers)]

    def save(self, inputs):
        paths = []
        for k, x in enumerate(inputs):
            paths.append(self.path(f"in{k}.npy"))
            np.save(paths[-1], x)
        return paths

    def reduce(self, design, paths, *more, out="out.npy"):
        got = self.good_json("reduce", "--design", design, *paths, "-o", self.path(out), *more)
        return got, np.load(self.path(out))


class Reduce(Vectors):
    def check(self, ports, bits, servers, count, op="mean", backends=("exact", "table", "onn")):
        design = self.design("d.safetensors", ports, bits)
        inputs = self.vectors(servers, count)
        paths = self.save(inputs)
        wanted = oracle(inputs, ports, bits, op)
        for backend in backends:
            got, result = self.reduce(design, paths, "--backend", backend, "--op", op)
            np.testing.assert_array_equal(result.view(np.uint32), wanted.view(np.uint32))
            self.assertEqual((got["elements"], got["inputs"], got["symbol_errors"]),
                             (count, servers, 0))
            self.assertLessEqual(got["error_max"], got["error_bound"])
            self.assertAlmostEqual(got["error_max"] / (largest_error(inputs, result, op) or 1.0),
                                   1.0, places=9)
        return got

    def test_four_servers(self):
        got = self.check(4, 8, 4, 3000)
        self.assertEqual((got["seed"], got["blocks"], got["blocks_non_finite"]), (1, 12, 0))

    def test_fewer_servers_than_ports(self):
        for servers in [1, 2, 3]:
            self.check(4, 8, servers, 700)
        self.check(8, 4, 5, 700)

    def test_sum(self):
        self.check(4, 8, 3, 700, op="sum")

    def test_other_widths(self):
        self.check(2, 2, 2, 600)
        self.check(4, 6, 4, 601)
        self.check(16, 4, 9, 500)
        self.check(4, 16, 4, 1000, backends=("exact", "onn"))
        self.check(4, 32, 4, 1000, backends=("exact", "onn"))
        self.check(64, 8, 50, 500, backends=("exact", "onn"))

    def test_cascade(self):
        """Five switches of four ports give what one of sixteen would."""
        design = self.design("d.safetensors", 16, 8, "--levels", 2)
        for servers in [16, 11]:
            inputs = self.vectors(servers, 1100)
            wanted = oracle(inputs, 16, 8)
            for backend in ["exact", "table", "onn"]:
                got, result = self.reduce(design, self.save(inputs), "--backend", backend)
                np.testing.assert_array_equal(result, wanted)
                self.assertEqual(got["symbol_errors"], 0)
                self.assertLessEqual(got["error_max"], got["error_bound"])

    def test_bound_is_the_promise(self):
        """|mean error| <= 2^e N/K with nearest rounding (docs/training.md), and half an ulp."""
        design = self.design()
        inputs = [x / 8 for x in self.vectors(3, 256, 0)]
        got, _ = self.reduce(design, self.save(inputs))
        exponent = max(block_exponent(x, 8) for x in inputs)
        promise = math.ldexp(1.0, exponent) * 4 / 3
        self.assertLessEqual(got["error_bound"], promise * (1 + 2**-20))
        self.assertGreater(got["error_bound"], promise / 2)

    def test_ties_meet_the_bound(self):
        """Codes that all lie half a step below what they are rounded to, sums half-way as well."""
        design = self.design("d.safetensors", 2, 8)
        x = np.zeros(256, np.float32)
        x[0], x[1] = 127.0, 1.5
        y = x.copy()
        y[1] = 2.5 + 1.0
        got, result = self.reduce(design, self.save([x, y]))
        np.testing.assert_array_equal(result, oracle([x, y], 2, 8))
        self.assertEqual(got["error_max"], largest_error([x, y], result))
        self.assertLessEqual(got["error_max"], got["error_bound"])

    def test_integers_are_exact(self):
        design = self.design("d.safetensors", 4, 32)
        inputs = [self.random.integers(-1000, 1001, 2000).astype(np.float32) for _ in range(4)]
        got, result = self.reduce(design, self.save(inputs), "--op", "sum")
        np.testing.assert_array_equal(result, sum(inputs))
        self.assertEqual(got["error_max"], 0.0)

    def test_chunks_and_threads(self):
        design = self.design()
        stochastic = self.design("s.safetensors", 4, 8, "--variant", "stochastic")
        paths = self.save(self.vectors(4, 5003))
        for switch, backend, rounding in [(design, "exact", "nearest"), (design, "onn", "stochastic"),
                                          (design, "table", "nearest"),
                                          (stochastic, "exact", "stochastic")]:
            options = ["--backend", backend, "--rounding", rounding, "--seed", 11]
            first, wanted = self.reduce(switch, paths, *options)
            for more in [["--chunk", 1], ["--chunk", 1000], ["--chunk", 2560, "--threads", 4],
                         ["--threads", 1], ["--threads", 2]]:
                got, result = self.reduce(switch, paths, *options, *more)
                np.testing.assert_array_equal(result.view(np.uint32), wanted.view(np.uint32))
                for key in ["error_max", "error_bound", "symbol_errors", "blocks"]:
                    self.assertEqual(got[key], first[key])

    def test_stochastic_rounding(self):
        design = self.design("s.safetensors", 4, 8, "--variant", "stochastic")
        paths = self.save(self.vectors(4, 2048))
        options = ["--rounding", "stochastic", "--backend", "exact"]
        one, first = self.reduce(design, paths, *options, "--seed", 1)
        _, again = self.reduce(design, paths, *options, "--seed", 1)
        _, other = self.reduce(design, paths, *options, "--seed", 2)
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.count_nonzero(first != other), 500)
        self.assertEqual(one["symbol_errors"], 0)
        self.assertLessEqual(one["error_max"], one["error_bound"])

    def test_block_size(self):
        design = self.design()
        inputs = self.vectors(4, 1000)
        paths = self.save(inputs)
        for block in [4, 32, 1024, 65536]:
            got, result = self.reduce(design, paths, "--block-size", block)
            np.testing.assert_array_equal(result, oracle(inputs, 4, 8, block=block))
            self.assertEqual(got["blocks"], -(-1000 // block))

    def test_not_finite(self):
        design = self.design()
        inputs = self.vectors(3, 1100)
        inputs[0][5], inputs[1][300], inputs[2][301] = np.nan, np.inf, -np.inf
        inputs[1][5] = np.inf
        inputs[0][301] = np.inf
        for op in ["mean", "sum"]:
            got, result = self.reduce(design, self.save(inputs), "--op", op)
            np.testing.assert_array_equal(result, oracle(inputs, 4, 8, op))
            self.assertEqual((got["blocks"], got["blocks_non_finite"]), (5, 2))
            self.assertLessEqual(got["error_max"], got["error_bound"])

    def test_ends_of_the_range(self):
        """Subnormal numbers, the largest ones, and sums that only infinity can hold."""
        design = self.design()
        for value in [1e-45, 1e-38, 3.4028235e38]:
            inputs = [(self.random.uniform(-1, 1, 300) * value).astype(np.float32)
                      for _ in range(4)]
            inputs[2][7] = value
            got, result = self.reduce(design, self.save(inputs))
            np.testing.assert_array_equal(result, oracle(inputs, 4, 8))
            self.assertLessEqual(got["error_max"], got["error_bound"])
        inputs = [np.full(300, 3.4e38, np.float32)] * 4
        got, result = self.reduce(design, self.save(inputs), "--op", "sum")
        self.assertTrue(np.all(np.isposinf(result)))
        self.assertEqual(got["error_max"], 0.0)

    def test_nothing(self):
        design = self.design()
        got, result = self.reduce(design, self.save([np.zeros(0, np.float32)] * 2))
        self.assertEqual((result.size, got["elements"], got["error_max"], got["error_bound"]),
                         (0, 0, 0.0, 0.0))
        got, result = self.reduce(design, self.save([np.zeros((3, 5), np.float32)] * 4))
        np.testing.assert_array_equal(result, np.zeros((3, 5), np.float32))
        self.assertEqual((got["error_max"], got["error_bound"]), (0.0, 0.0))

    def test_text(self):
        design = self.design()
        out = self.good("reduce", "--design", design, *self.save(self.vectors(2, 10)), "-o",
                        self.path("out.npy"))
        self.assertRegex(out, r"(?m)^error_bound +[0-9.e+-]+$")
        self.assertRegex(out, r"(?m)^seed +1$")


class WrongTable(Vectors):
    def test_symbol_errors_are_counted(self):
        """A table that is wrong in one case: the result is what the table says, and is counted."""
        data = bytearray(pathlib.Path(self.design()).read_bytes())
        first, _ = tensor_offset(data, "levels.0.table")
        case = sum(8 * 13**j if j < 3 else 4 * 13**j for j in range(4))
        data[first + case] ^= 0x11
        path = self.path("w.safetensors")
        with open(path, "wb") as stream:
            stream.write(sign_design(bytes(data)))
        # code with digits 2, 2, 2, 1: 2 + 8 + 32 + 64 = 106, that is 106 - 128 = -22
        x = np.full(600, -22.0, np.float32)
        x[0] = x[256] = x[512] = 127.0
        code, out, err = self.run_program("reduce", "--design", path, "--backend", "table",
                                          *self.save([x] * 4), "-o", self.path("out.npy"), "--json")
        self.assertEqual(code, 0)
        self.assertIn(f'"symbol_errors":{2 * 597}', out)
        self.assertIn(f'"code_errors":{597}', out)
        self.assertIn("symbols are wrong", err)
        result = np.load(self.path("out.npy"))
        self.assertEqual(set(np.delete(result, [0, 256, 512])), {float((106 ^ 0x11) - 128)})


class Refused(Vectors):
    def test_design_and_inputs_that_do_not_fit(self):
        design = self.design("d.safetensors", 2, 8)
        paths = self.save(self.vectors(3, 10))
        out = self.path("out.npy")
        self.bad("reduce", "--design", design, *paths, "-o", out,
                 says=["found 3 inputs, expected at most 2"])
        self.bad("reduce", "--design", design, *paths[:2], "-o", out, "--bits", 16,
                 says=["--bits: found 16, expected 8"])
        self.bad("reduce", "--design", self.design("big", 4, 16), *paths[:2], "-o", out,
                 "--backend", "table", says=["table"])
        self.assertNotIn("out.npy", self.files())

    def test_output_that_cannot_be_written(self):
        design = self.design()
        paths = self.save(self.vectors(2, 5000))
        self.bad("reduce", "--design", design, *paths, "-o", "/dev/full", says=["/dev/full",
                                                                               "No space left"])
        self.bad("reduce", "--design", design, *paths, "-o", self.path("no/out.npy"),
                 says=["no/out.npy", "No such file"])
        self.bad("reduce", "--design", design, *paths, "-o", self.folder, says=["a directory"])
        with open(self.path("out.npy"), "wb") as stream:
            stream.write(b"what was there")
        before = self.files()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

        self.bad("reduce", "--design", design, *paths, "-o", self.path("out.npy"),
                 preexec_fn=limit, says=["File too large"])
        self.assertEqual(self.files(), before)
        with open(self.path("out.npy"), "rb") as stream:
            self.assertEqual(stream.read(), b"what was there")

    def test_interrupted(self):
        """Ctrl-C while the inputs are still coming: nothing is left behind."""
        design = self.design()
        before = self.files()
        read, write = os.pipe()
        os.write(write, b"\x93NUMPY\x01\x00\x3f\x00"
                        b"{'descr': '<f4', 'fortran_order': False, 'shape': (900000,), }\n")
        process = subprocess.Popen(
            [PROGRAM, "reduce", "--design", design, "-o", self.path("out.npy"), "/dev/stdin"],
            stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while self.files() == before:
            self.assertIsNone(process.poll(), "it runs until it is stopped")
        process.send_signal(signal.SIGINT)
        os.close(write)  # should the signal have come before the read
        out, err = process.communicate(timeout=60)
        os.close(read)
        self.assertEqual((process.returncode, out), (2, ""))
        self.assertIn("optinc reduce: /dev/stdin: ", err)
        self.assertEqual(self.files(), before)

    def test_over_an_input_and_through_a_link(self):
        design = self.design()
        inputs = self.vectors(2, 300)
        paths = self.save(inputs)
        os.symlink("in0.npy", self.path("link.npy"))
        self.good("reduce", "--design", design, *paths, "-o", self.path("link.npy"))
        self.assertTrue(os.path.islink(self.path("link.npy")))
        np.testing.assert_array_equal(np.load(paths[0]), oracle(inputs, 4, 8))


if __name__ == "__main__":
    unittest.main()
