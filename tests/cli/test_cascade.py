# SPDX-License-Identifier: Apache-2.0
"""Cascades: splits, trained ones, what is proved of them with and without faults, bad input."""
import json
import unittest

import numpy as np

from common import ProgramTest

# two residual switches below one that rounds; 49 and 168 cases
TRAINED = ["design", "--method", "trained", "--servers", 4, "--levels", 2, "--bits", 4, "--batch", 16,
           "--structure", "2-12-12-12-3/3-12-12-12-2", "--epochs", 100]


class Cascade(ProgramTest):
    def test_splits(self):
        path = self.path("d.safetensors")
        for split, ports in (("4x8", [4, 8]), ("8x4", [8, 4]), ("2x2x8", [2, 2, 8])):
            self.good_json("design", "--method", "constructed", "--servers", 32, "--bits", 8,
                           "--split", split, "-o", path)
            self.assertTrue(self.good_json("verify", path, "--exhaustive-max", 1000)["exact"])
            shown = self.good_json("inspect", path)
            self.assertEqual([level["ports"] for level in shown["levels"]], ports)
            self.assertEqual(sum(level["mzis"] for level in shown["levels"]), shown["mzis"])
            self.assertEqual(sum(level["switches"] for level in shown["levels"]),
                             1 + sum(32 // np.prod(ports[: k + 1]) for k in range(len(ports) - 1)))

    def test_levels_of_inspect(self):
        shown = self.good_json("inspect", self.design("d", 16, 8, "--levels", 2))
        below, above = shown["levels"]
        self.assertLessEqual(shown["mzis"], 1400)
        self.assertEqual((below["switches"], above["switches"]), (4, 1))
        self.assertEqual((below["symbols_in"], below["symbols_out"]), (4, 5))
        self.assertEqual((above["symbols_in"], above["symbols_out"]), (5, 4))
        # up: a fibre a symbol and input; down: the result's four symbols to every input
        self.assertEqual((below["fibres_up"], below["fibres_down"]), (64, 64))
        self.assertEqual((above["fibres_up"], above["fibres_down"]), (20, 16))
        self.assertEqual(shown["fibres"], 64 + 64 + 20 + 16)
        for key in ("area_built_mm2", "power_w", "latency_ps"):
            self.assertAlmostEqual(below[key] + above[key], shown[key], places=6)
        self.assertIn("5 switches", self.good("inspect", self.path("d")))

    def test_trained(self):
        path = self.path("t.safetensors")
        made = self.good_json(*TRAINED, "-o", path)
        self.assertEqual((made["errors"], made["exact"], made["cases"]), (0, True, 49 + 168))
        self.assertEqual([level["cases_digits"] for level in made["training"]], [49, 343])
        got = self.good_json("verify", path, "--dark-ports", 1)
        self.assertEqual((got["proof"], got["exact"], got["table_mismatches"]),
                         ("exhaustive", True, 0))
        self.assertTrue(got["faults"]["exact"])
        rng = np.random.default_rng(1)
        inputs = [self.path(f"{k}.npy") for k in range(4)]
        for name in inputs:
            np.save(name, rng.normal(0, 1, 3000).astype(np.float32))
        for backend in ("exact", "table", "onn"):  # the reference is the flat switch's
            report = self.good_json("reduce", "--design", path, "--backend", backend, *inputs, "-o",
                                    self.path("o.npy"))
            self.assertEqual(report["symbol_errors"], 0)

    def test_trained_checkpoints(self):
        path, again = self.path("t.safetensors"), self.path("u.safetensors")
        epochs = ["--level-epochs", "30/4", "--cycles", 1, "--checkpoint", self.path("c")]
        self.run_program(*TRAINED, *epochs, "-o", path)
        self.assertEqual(self.files(), ["c.0", "c.1", "t.safetensors"])
        (self.folder / "c.1").unlink()
        code, out, _ = self.run_program(*TRAINED, *epochs, "--resume", "-o", again, "--json")
        self.assertEqual(code, 1)  # four epochs are too few
        self.assertEqual([level["epochs"] for level in json.loads(out)["training"]], [30, 4])
        self.assertEqual((self.folder / "t.safetensors").read_bytes(),
                         (self.folder / "u.safetensors").read_bytes())

    def test_faults_and_residuals(self):
        path = self.design("d", 16, 8, "--levels", 2)
        got = self.good_json("verify", path, "--failed-switches", "0,1", "--without-residuals")
        faults, loss = got["faults"], got["without_residuals"]
        self.assertEqual((faults["cases"], faults["kinds"], faults["exact"]), (100000, 1, True))
        self.assertEqual((faults["servers_counted"], faults["ports_idle"]), (12, 4))
        self.assertEqual((loss["wrong"], loss["mean"], loss["bias"]), (226 / 1024, 0.21875, 0.25))
        text = self.good("verify", path, "--dark-ports", 3, "--servers", 9, "--on-dark", "undetected")
        self.assertIn("8 live, 7 idle, 1 dark", text)
        self.assertIn("bias           -8 code steps", text)
        self.assertIn("exact: the reference's result in every case", text)

    def test_bad_input(self):
        base = ["design", "--method", "constructed", "-o", self.path("d"), "--bits", 8, "--servers"]
        self.bad(*base, 100, says=["nearest number is 64, in 2 levels 128"])
        self.bad(*base, 100, "--levels", 2, says=["nearest numbers are 64 and 128"])
        self.bad(*base, 8192, "--levels", 2, says=["nearest number is 4096, in 3 levels 8192"])
        self.bad(*base, 4, "--levels", 3, says=["nearest number is 8"])
        self.bad(*base, 1 << 21, says=["1 to 1048576"])
        self.bad(*base, 32, "--split", "4x4", says=["levels of 16 servers", "of 32"])
        self.bad(*base, 32, "--split", "4x8", "--levels", 3, says=["2 levels", "expected 3"])
        for split in ("4x", "x4", "4X8", "4x128", "-4x8", "4x8x", "2x2x2x2x2x2x2x2x2"):
            self.bad(*base, 32, "--split", split, says=["--split", split])
        self.bad(*base, 20, "--split", "4x5", says=["ports is 5"])
        wide = ["design", "--method", "constructed", "-o", self.path("d"), "--bits", 32]
        self.bad(*wide, "--servers", 1 << 20, "--split", "64x64x64x4", says=["codes of 50 bits"])
        trained = [*TRAINED, "-o", self.path("d")]
        self.bad(*trained, "--level-epochs", "1/2/3", says=["3 levels", "expected 2"])
        self.bad(*trained, "--level-epochs", "1/x", says=["--level-epochs: found 'x'"])
        self.bad("design", "--servers", 4, "--bits", 8, "--method", "trained", "--level-epochs", "3",
                 "-o", self.path("x"), says=["--level-epochs: expected with a cascade"])
        self.bad(*trained, "--segment", "all/", says=["entry of level 1"])
        self.bad(*trained, "--resume", says=["without --checkpoint"])
        none = self.path("none")
        self.bad(*trained, "--resume", "--checkpoint", none, says=[f"{none}.0: checkpoint cannot be opened"])
        self.bad(*trained, "--checkpoint", f"{none}/x", says=[f"{none}/x.0: cannot be written"])
        path = self.design("good", 4, 8)
        self.bad("verify", path, "--dark-ports", "4", says=["expected 0 to 3"])
        self.bad("verify", path, "--dark-ports", "1", "--on-dark", "error", says=["no result"])
        self.bad("verify", path, "--dark-ports", "1", "--servers", 5, says=["5 servers"])
        big = self.design("big", 1024, 8, "--levels", 5)
        self.bad("verify", big, "--without-residuals", says=["1024 servers of 8 bits"])


if __name__ == "__main__":
    unittest.main()
