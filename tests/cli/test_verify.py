# SPDX-License-Identifier: Apache-2.0
"""verify with a checkpoint: interrupted, continued, refused; the same answer as in one run."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

from common import PROGRAM, ProgramTest, crc64_xz


class Verify(ProgramTest):
    def setUp(self):
        super().setUp()
        self.file = self.path("d.safetensors")
        self.checkpoint = self.path("c")

    def verdict(self, *more):
        got = self.good_json("verify", self.file, *more)
        for part in (got, *got["levels"]):
            del part["seconds"]
        return got

    def test_interrupt_and_continue(self):
        self.design("d.safetensors", 4, 12)  # 4,826,809 cases
        whole = self.verdict()
        command = [PROGRAM, "verify", self.file, "--checkpoint", self.checkpoint, "--progress", "--threads", "1"]
        for _ in range(3):
            run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertRegex(run.stderr.readline(), r"^verify \d+\.\d\d %")  # it runs
            run.send_signal(signal.SIGINT)
            out, err = run.communicate()
            self.assertIn(run.returncode, (0, 2))
            if run.returncode == 2:
                self.assertEqual(out, "")
                self.assertIn("the same command continues it", err)
                self.assertIn("d.safetensors: interrupted", err)
            self.assertEqual(self.files(), ["c", "d.safetensors"])
        self.assertEqual(self.verdict("--checkpoint", self.checkpoint, "--threads", 2), whole)
        self.assertEqual(self.verdict("--checkpoint", self.checkpoint, "--resume"), whole)

    def test_samples(self):
        self.good("design", "--servers", 2, "--bits", 4, "--structure", "2-16-32-16-2", "--batch", 16,
                  "--method", "trained", "--epochs", 200, "-o", self.file)
        sampled = ["--exhaustive-max", 1, "--seed", 4, "--samples"]
        whole = self.verdict(*sampled, 5000)
        self.assertEqual((whole["proof"], whole["cases"], whole["exact"]), ("sampled", 5000, False))
        self.assertEqual(self.verdict(*sampled, 700, "--checkpoint", self.checkpoint)["cases"], 700)
        self.assertEqual(self.verdict(*sampled, 5000, "--checkpoint", self.checkpoint), whole)
        self.bad("verify", self.file, *sampled, 700, "--checkpoint", self.checkpoint,
                 says=["5000 cases done, expected at most 700"])
        self.bad("verify", self.file, "--checkpoint", self.checkpoint, says=['"random cases" is 1'])

    def test_output(self):
        """A design that training has only sampled becomes one for the backend exact by its proof."""
        self.good("design", "--servers", 2, "--bits", 4, "--structure", "2-16-32-16-2", "--batch", 16,
                  "--method", "trained", "--epochs", 200, "-o", self.file)
        sampled, proved = self.path("sampled.safetensors"), self.path("proved.safetensors")
        whole = self.verdict()
        self.assertTrue(whole["exact"])
        self.verdict("--exhaustive-max", 1, "--samples", 100, "-o", sampled)
        self.assertFalse(self.good_json("inspect", sampled)["exact"])
        self.assertEqual(self.good_json("verify", sampled, "-o", proved)["exact"], True)
        self.assertTrue(self.good_json("inspect", proved)["exact"])
        self.assertEqual(self.verdict("-o", self.file), whole)  # onto itself
        self.bad("verify", self.file, "-o", self.path("none/x"), says=["none/x"])

    def test_cascade(self):
        self.good("design", "--servers", 16, "--bits", 4, "--method", "constructed", "--levels", 2,
                  "-o", self.file)
        whole = self.verdict()
        self.assertEqual(self.verdict("--checkpoint", self.checkpoint), whole)
        self.assertEqual(self.files(), ["c.0", "c.1", "d.safetensors"])
        os.unlink(self.path("c.1"))
        self.assertEqual(self.verdict("--checkpoint", self.checkpoint, "--resume"), whole)
        os.unlink(self.path("c.0"))
        self.bad("verify", self.file, "--checkpoint", self.checkpoint, "--resume", says=["c.0: checkpoint cannot be opened: No such file"])

    def test_bad_input(self):
        self.design("d.safetensors", 2, 4)
        verify = lambda *more, says: self.bad("verify", self.file, *more, says=says)
        verify("--resume", says=["--resume: does nothing without --checkpoint"])
        verify("--checkpoint", self.checkpoint, "--resume", says=["cannot be opened"])
        verify("--checkpoint", self.folder, says=["a directory"])
        verify("--checkpoint", "/dev/null", says=["a device or pipe"])
        verify("--checkpoint", self.path("none/c"), says=["cannot be written: No such"])
        verify("--checkpoint", "x" * 5000, says=["too long"])
        self.good("verify", self.file, "--checkpoint", self.checkpoint)
        good = pathlib.Path(self.checkpoint).read_bytes()
        self.assertEqual(good[-8:], crc64_xz(good[:-8]).to_bytes(8, "little"))
        for data, says in [(b"", "not a checkpoint"), (b"junk" * 90, "not a checkpoint"),
                           (good[:100], "cut short"), (good + b"\0", "too long"),
                           (good[:70] + b"\1" + good[71:], "checksum does not match"),
                           (good[:8] + b"\2" + good[9:], "version 2, expected 1")]:
            pathlib.Path(self.checkpoint).write_bytes(data)
            verify("--checkpoint", self.checkpoint, says=[says])
            self.assertEqual(pathlib.Path(self.checkpoint).read_bytes(), data)
        pathlib.Path(self.checkpoint).write_bytes(good)
        other = self.design("e.safetensors", 2, 6)
        self.bad("verify", other, "--checkpoint", self.checkpoint, says=["of another design: checksum"])
        os.unlink(self.checkpoint)
        os.mkfifo(self.checkpoint)
        verify("--checkpoint", self.checkpoint, says=["a device or pipe"])


if __name__ == "__main__":
    unittest.main()
