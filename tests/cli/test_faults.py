# SPDX-License-Identifier: Apache-2.0
"""reduce with ports that are dark or left and switches that failed, against integers in NumPy."""
import unittest

import numpy as np

from common import ProgramTest
from test_reduce import block_exponent

COUNT = 1000


def oracle(inputs, ports, fates, servers, bits=8):
    """fates [K]: "live", "idle" or "dark"; every block of 256 by the words of docs/cascades.md."""
    zero, result = 2 ** (bits - 1), np.empty(COUNT, np.float32)
    for first in range(0, COUNT, 256):
        part = [x[first : first + 256] for x in inputs]
        exponent = max(block_exponent(x, bits) for x, fate in zip(part, fates) if fate != "idle")
        total = (ports - len(inputs)) * zero
        for x, fate in zip(part, fates):
            if fate == "live":
                total = total + np.rint(np.ldexp(x.astype(np.float64), -exponent)).astype(np.int64)
            if fate != "dark":
                total = total + zero
        r = (total + ports // 2) // ports - zero
        result[first : first + 256] = np.ldexp((r * ports).astype(np.float64), exponent) / servers
    return result


class Faults(ProgramTest):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(5)
        self.inputs = [rng.normal(0, 1 + k, COUNT).astype(np.float32) for k in range(16)]
        self.paths = []
        for k, x in enumerate(self.inputs):
            self.paths.append(self.path(f"{k}.npy"))
            np.save(self.paths[-1], x)
        self.tree = self.design("tree.safetensors", 16, 8, "--levels", 2)

    def reduce(self, *arguments):
        out = self.path("out.npy")
        report = self.good_json("reduce", "--design", self.tree, *self.paths, "-o", out, *arguments)
        return report, np.load(out)

    def expect(self, arguments, fates, servers):
        for backend in ("exact", "onn"):
            report, result = self.reduce("--backend", backend, *arguments)
            np.testing.assert_array_equal(
                result, oracle(self.inputs, 16, fates, servers), f"{backend} {arguments}")
            self.assertEqual(report["symbol_errors"], 0)
            self.assertEqual(report["servers_counted"], servers)
            self.assertEqual(report["ports_dark"], fates.count("dark"))
            self.assertEqual(report["bias_code_steps"], -8 * fates.count("dark"))
            self.assertLessEqual(report["error_max"], report["error_bound"])

    def test_dark_port(self):
        fates = ["live"] * 16
        fates[5] = "idle"
        self.expect(["--dark-ports", "5"], fates, 15)
        self.expect(["--left-ports", "5"], fates, 15)
        fates[5] = fates[6] = "dark"
        self.expect(["--dark-ports", "5,6", "--on-dark", "undetected"], fates, 16)

    def test_failed_switch(self):
        fates = ["live"] * 16
        fates[4:8] = ["idle"] * 4
        self.expect(["--failed-switches", "0,1"], fates, 12)
        fates[4:8] = ["dark"] * 4
        fates[15] = "idle"
        self.expect(["--failed-switches", "0,1", "--left-ports", "15", "--on-dark", "undetected"], fates, 15)

    def test_a_server_that_left_is_as_if_it_had_not_been(self):
        _, result = self.reduce("--left-ports", "15")
        self.paths.pop()
        _, without = self.reduce()
        np.testing.assert_array_equal(result, without)

    def test_detected(self):
        for arguments, name in ((["--dark-ports", "9"], "input 9 of level 0 is dark"),
                                (["--failed-switches", "0,3"], "input 3 of level 1 is dark"),
                                (["--failed-switches", "1,0"], "input 0 of level 2 is dark")):
            self.bad("reduce", "--design", self.tree, *self.paths, "-o", self.path("none.npy"),
                     "--on-dark", "error", *arguments, says=[name])

    def test_bad_input(self):
        for arguments, message in (
                (["--dark-ports", "16"], "--dark-ports: faults: found dark port 16, expected 0 to 15"),
                (["--left-ports", "16"], "--left-ports: faults: found left port 16"),
                (["--dark-ports", "1,"], "expected whole numbers"),
                (["--dark-ports", "1;2"], "expected ports as 1,5"),
                (["--left-ports", "-1"], "expected whole numbers"),
                (["--left-ports", "99999999999999999999"], "expected whole numbers"),
                (["--failed-switches", "0"], "expected level and number"),
                (["--failed-switches", "0,4"], "failed switch 4 of level 0, expected 0 to 3"),
                (["--failed-switches", "2,0"], "--failed-switches: faults: found failed switch on level 2, expected 0 to 1"),
                (["--failed-switches", "1,0"], "no server is left"),
                (["--left-ports", ",".join(map(str, range(16)))], "no server is left")):
            self.bad("reduce", "--design", self.tree, *self.paths, "-o", self.path("none.npy"),
                     *arguments, says=[message])


if __name__ == "__main__":
    unittest.main()
