# SPDX-License-Identifier: Apache-2.0
"""design --method trained and segments: a small switch (N=2, B=4: 49 cases) is trained, verified
again by `verify`, interrupted, resumed, made to err; tables and bad input."""
import csv
import json
import os
import signal
import subprocess
import unittest

from common import PROGRAM, ProgramTest

SMALL = ["--servers", 2, "--bits", 4, "--structure", "2-16-32-16-2", "--batch", 16]
MZIS = 8 * 3 + 2 * 136 + 2 * 136 + 8 * 3  # blocks of side 2 and 16: k(k-1)/2 + k each


class Train(ProgramTest):
    def train(self, path, *more):
        return ["design", "--method", "trained", *SMALL, "-o", path, *more]

    def test_trained_design(self):
        path = self.path("d.safetensors")
        made = self.good_json(*self.train(path, "--epochs", 200))
        self.assertEqual((made["method"], made["activation"], made["cases"]), ("trained", "relu", 49))
        self.assertEqual((made["errors"], made["exact"], made["accuracy"]), (0, True, 1.0))
        self.assertEqual(made["training"]["mzis_matrices"], MZIS)
        self.assertEqual(made["training"]["cases_symbols"], 256.0)
        self.assertLess(made["training"]["orthogonality_max"], 1e-6)
        got = self.good_json("verify", path)
        self.assertEqual((got["proof"], got["cases"], got["errors"], got["exact"]),
                         ("exhaustive", 49, 0, True))
        self.assertEqual(got["margin_min"], made["margin_min"])
        self.assertEqual((got["table_entries"], got["table_mismatches"]), (49, 0))
        self.assertIn("mapping", self.good_json("inspect", path)["layers"][0])
        again = self.path("e.safetensors")
        self.good_json(*self.train(again, "--epochs", 200, "--threads", 2))
        with open(path, "rb") as a, open(again, "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_text(self):
        out = self.good(*self.train(self.path("d"), "--epochs", 200))
        self.assertIn(f"matrices  {MZIS} MZIs", out)
        self.assertIn("cases     256 of symbols, 49 of digit sums, 49 at the 2 inputs", out)

    def test_supervision_and_start(self):
        plain = self.path("p.safetensors")
        self.run_program(*self.train(plain, "--epochs", 30, "--cycles", 1))
        for more in (["--supervision", "carries"], ["--start", "axes"],
                     ["--supervision", "carries", "--start", "axes"]):
            path, again = self.path("d.safetensors"), self.path("e.safetensors")
            made = self.good_json(*self.train(path, "--epochs", 300, *more))
            # readouts of hidden layers are gone: the same network, proved by its layers alone
            self.assertEqual((made["exact"], made["training"]["mzis_matrices"]), (True, MZIS))
            self.assertLess(made["training"]["orthogonality_max"], 1e-6)
            self.assertTrue(self.good_json("verify", path)["exact"])
            self.good_json(*self.train(again, "--epochs", 300, "--threads", 2, *more))
            with open(path, "rb") as a, open(again, "rb") as b, open(plain, "rb") as c:
                content = a.read()
                self.assertEqual(content, b.read())
                self.assertNotEqual(content, c.read())
        self.bad(*self.train(plain, "--supervision", "digits"), says=["digits"])
        self.bad(*self.train(plain, "--start", "zero"), says=["zero"])

    def test_project_interval(self):
        """An epoch has four steps and ends with a projection, so that 8 and 1000 are the same."""
        found = []
        for more in (["--project-interval", 1], ["--project-interval", 8], ["--project-interval", 1000]):
            path = self.path("d.safetensors")
            self.run_program(*self.train(path, "--training", "project", "--epochs", 3, "--cycles", 1, *more))
            with open(path, "rb") as file:
                found.append(file.read())
        self.assertNotEqual(found[0], found[1])
        self.assertEqual(found[1], found[2])
        self.bad(*self.train(path, "--project-interval", 0), says=["--project-interval"])

    def test_error_rate(self):
        path = self.path("d.safetensors")
        code, out, _ = self.run_program("design", "--servers", 2, "--bits", 6, "--method",
                                        "constructed", "--error-rate", 0.1, "-o", path, "--json")
        made = json.loads(out)
        self.assertEqual((code, made["errors"], made["exact"]), (1, 34, False))

    def test_interrupt_and_resume(self):
        whole, path, checkpoint = (self.path(n) for n in ("w.safetensors", "d.safetensors", "c"))
        long = ["--epochs", 4000, "--margin-stop", 2]
        self.good(*self.train(whole, *long))
        command = [PROGRAM, *map(str, self.train(path, *long, "--checkpoint", checkpoint, "--progress"))]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = run.stderr.readline()  # an epoch is reported: training is on
        self.assertIn("epoch", line)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate()
        if run.returncode == 2:
            self.assertIn("--resume continues it", err)
            self.assertFalse(os.path.exists(path))
        self.good(*self.train(path, *long, "--checkpoint", checkpoint, "--resume"))
        with open(path, "rb") as a, open(whole, "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_segments(self):
        path = self.path("t.csv")
        out = self.good("segments", *SMALL, "--epochs", 60, "--choices", "all/none/2-3", "-o", path)
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([r["segments"] for r in rows], ["all", "none", "2-3"])
        svd = sum(a * (a - 1) // 2 + b * (b - 1) // 2 + max(a, b)
                  for a, b in [(2, 16), (16, 32), (32, 16), (16, 2)])
        ends = 2 * (16 * 15 // 2 + 1 + 16)
        self.assertEqual([int(r["mzis"]) for r in rows], [MZIS, svd, MZIS - 48 + ends])
        for row in rows:
            self.assertEqual(int(row["mzis_svd"]), svd)
            self.assertEqual(int(row["cases"]), 49)
            wrong = sum(int(row[f"digit{j}_off{k}"]) for j in range(2) for k in (1, 2, 3))
            self.assertGreaterEqual(wrong, int(row["errors"]))
            self.assertLessEqual(wrong, 2 * int(row["errors"]))
            self.assertIn(row["segments"], out)

    def test_bad_input(self):
        path = self.path("d")
        bad = lambda *more, says: self.bad(*self.train(path), *more, says=says)
        base = ["design", "--method", "trained", "--servers", 2, "--bits", 4, "-o", path]
        self.bad(*base, "--structure", "4-16-2", says=["has 4 inputs"])
        self.bad(*base, "--structure", "2-16-3", says=["has 3 outputs"])
        self.bad(*base, "--structure", "2-16-24-2", says=["do not tile 24x16"])
        self.bad(*base, "--structure", "2-x-2", says=["2-x-2"])
        bad("--segment", "5", says=["layers of 1 .. 4"])
        bad("--merge", 3, says=["3 digits merged"])
        bad("--resume", says=["without --checkpoint"])
        bad("--resume", "--checkpoint", self.path("none"), says=["cannot be opened"])
        missing = self.path("none") + "/x"  # before an hour's training, and by the name that was given
        bad("--checkpoint", missing, says=[f"optinc design: {missing}: cannot be written: No such file"])
        with open(self.path("junk"), "wb") as file:
            file.write(b"junk" * 100)
        bad("--resume", "--checkpoint", self.path("junk"), says=["not a training checkpoint"])
        self.bad("segments", *SMALL, "-o", path, "--resume", says=["--resume"])
        self.assertEqual(self.files(), ["junk"])


if __name__ == "__main__":
    unittest.main()
