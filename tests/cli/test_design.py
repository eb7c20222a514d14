# SPDX-License-Identifier: Apache-2.0
"""design, verify and inspect: figures against closed formulas, files against their readers, and
files that somebody has tampered with."""
import json
import os
import pathlib
import resource
import struct
import unittest

import numpy as np
from safetensors import safe_open

from common import ProgramTest, sign_design, tensor_offset


def svd_mzis(rows, cols):
    return rows * (rows - 1) // 2 + cols * (cols - 1) // 2 + max(rows, cols)


class Design(ProgramTest):
    def test_json(self):
        path = self.path("d.safetensors")
        made = self.good_json("design", "--servers", 4, "--bits", 8, "--method", "constructed",
                              "-o", path, "--seed", 7)
        self.assertEqual([made[k] for k in ("servers", "bits", "method", "seed")],
                         [4, 8, "constructed", 7])
        self.assertEqual((made["accuracy"], made["errors"], made["exact"]), (1.0, 0, True))
        self.assertEqual((made["proof"], made["cases"]), ("exhaustive", 28561))
        self.assertLessEqual(made["mzis"], 200)
        self.assertGreater(made["seconds"], 0.0)
        self.assertEqual(self.files(), ["d.safetensors"])

    def test_relu(self):
        made = self.good_json("design", "--servers", 4, "--bits", 8, "--method", "constructed",
                              "--activation", "relu", "--gap", 0.3, "-o", self.path("d"))
        self.assertTrue(made["exact"])
        self.assertGreater(made["mzis"], 200)
        self.assertLessEqual(made["mzis"], 400)

    def test_verify(self):
        for servers, bits, cases in [(2, 8, 7**4), (4, 8, 13**4), (8, 4, 25**2), (64, 2, 193)]:
            path = self.design("d.safetensors", servers, bits)
            got = self.good_json("verify", path)
            self.assertEqual((got["proof"], got["cases"], got["errors"], got["exact"]),
                             ("exhaustive", cases, 0, True))
            self.assertGreater(got["margin_min"], 0.0)
            level = got["levels"][0]
            self.assertEqual(level["exhaustive"]["cases"], cases)
            self.assertEqual(level["compositional"]["errors"], 0)
            self.assertTrue(level["compositional"]["exact"])
            self.assertEqual(level["digit_errors"], [0] * (bits // 2))
            self.assertEqual((got["table_entries"], got["table_mismatches"]), (cases, 0))

    def test_one_error_is_no_errors(self):
        path = self.path("d.safetensors")
        code, out, _ = self.run_program("design", "--servers", 2, "--bits", 4, "--method",
                                        "constructed", "--error-rate", 0.02, "-o", path)
        self.assertEqual(code, 1)  # one of 49 cases is made wrong
        self.assertIn("49 cases, 1 error, smallest", out)

    def test_verify_beyond_exhaustion(self):
        path = self.design("d.safetensors", 4, 32)
        got = self.good_json("verify", path)
        self.assertEqual((got["proof"], got["errors"], got["exact"]), ("compositional", 0, True))
        self.assertNotIn("exhaustive", got["levels"][0])

    def test_text(self):
        path = self.design()
        out = self.good("verify", path)
        self.assertIn("exhaustive, 28,561 cases, 0 errors", out)
        self.assertIn("compositional", out)
        self.assertIn("seed           1\n", out)
        self.assertIn("exact: meets its spec in every case", out)
        out = self.good("inspect", path)
        self.assertIn("counting  mesh of side k: k(k-1)/2 MZIs", out)
        # every side of the diagonals' rows and cols differs by one but the last layer's, by two
        self.assertIn("diagonal of max(rows, cols), of which min(rows, cols) are built; ", out)
        self.assertIn("\nmzis      187 (187 if", out)
        self.assertIn("\nbuilt     181 MZIs, ", out)
        self.assertIn("\nall       1 switch, 32 fibres", out)
        self.assertIn("\nsnr       unlimited, as these components have no noise; 45.8 dB needed\n", out)
        self.assertRegex(out, r"\n    0      1 .* no noise +\d+ ")
        self.assertNotRegex(out, r"\binf\b")
        self.assertIn("servers   4\n", out)

    def test_inspect(self):
        for servers, bits in [(2, 2), (4, 8), (16, 8)]:
            path = self.design("d.safetensors", servers, bits)
            got = self.good_json("inspect", path)
            self.assertEqual([got[k] for k in ("servers", "bits", "symbols")],
                             [servers, bits, bits // 2])
            self.assertEqual(got["mzis"], sum(l["mzis"] for l in got["layers"]))
            self.assertEqual(got["mzis_svd"], sum(l["mzis_svd"] for l in got["layers"]))
            with safe_open(path, "numpy") as tensors:
                for i, layer in enumerate(got["layers"]):
                    weight = tensors.get_tensor(f"levels.0.layers.{i}.weight")
                    bias = tensors.get_tensor(f"levels.0.layers.{i}.bias")
                    rows, cols = weight.shape[0], weight.shape[1] + bool(np.any(bias != 0))
                    self.assertEqual((layer["rows"], layer["cols"]), (rows, cols))
                    self.assertEqual(layer["mzis_svd"], svd_mzis(rows, cols))
                    self.assertIn(layer["mapping"], ["svd", "segmented", "direct"])
                    if layer["mapping"] == "svd":
                        self.assertEqual(layer["mzis"], layer["mzis_svd"])
            self.assertAlmostEqual(got["area_mm2"], got["mzis"] * 0.180 * 0.100, places=9)
            smaller = self.good_json("inspect", path, "--diagonal", "min")
            self.assertLess(smaller["mzis"], got["mzis"])
            self.assertIn("diagonal of min(rows, cols)", smaller["convention"])

    def test_inspect_budget(self):
        """Every layer and receiver; the whole is made of them, and what would mend it is told."""
        path = self.design("d.safetensors", 4, 8)
        device = pathlib.Path(__file__).resolve().parents[2] / "devices/published-conservative.yaml"
        got = self.good_json("inspect", path, "--device", device)
        for layer in got["layers"]:
            receivers = layer["receivers"]
            self.assertEqual(len(receivers), layer["rows"])
            for name, worst in (("received_dbm", min), ("snr_db", min), ("gain_db", max)):
                key = {"received_dbm": "received_dbm_min", "snr_db": "snr_db_min",
                       "gain_db": "gain_db_max"}[name]
                self.assertAlmostEqual(layer[key], worst(r[name] for r in receivers))
            self.assertEqual(layer["laser_mw"], layer["cols"])  # 1 mW into every modulator
        for key in ("power_w", "latency_ps", "mzis_built", "depth_built"):
            self.assertAlmostEqual(got[key], sum(layer[key] for layer in got["layers"]))
        self.assertFalse(got["feasible"])
        self.assertAlmostEqual(got["headroom_db"], min(
            r["headroom_db"] for layer in got["layers"] for r in layer["receivers"]))
        self.assertGreater(got["remedies"]["direct_headroom_db"], 0)
        self.assertEqual(got["element_ring_float_pj"], 2 * 3 * 32 * 21.25)
        self.assertAlmostEqual(got["element_pj"], 4 * 8 * 21.25 + got["energy_pj"])
        out = self.good("inspect", path, "--device", device)
        self.assertIn("mends     ", out)
        self.assertIn("or trees (--mapping direct)", out)
        self.assertNotIn("remedies", self.good_json("inspect", path, "--device", device,
                                                    "--mapping", "direct"))

    def test_stochastic(self):
        path = self.design("d.safetensors", 4, 4, "--variant", "stochastic")
        got = self.good_json("verify", path)
        self.assertEqual((got["errors"], got["exact"]), (0, True))
        self.assertEqual(self.good_json("inspect", path)["variant"], "stochastic")

    def test_cascade(self):
        """16 servers in five switches of four ports, at no more than 1,400 MZIs together."""
        path = self.path("d.safetensors")
        made = self.good_json("design", "--servers", 16, "--bits", 8, "--method", "constructed",
                              "--levels", 2, "-o", path)
        self.assertEqual((made["servers"], made["errors"], made["exact"]), (16, 0, True))
        self.assertLessEqual(made["mzis"], 1400)
        shown = self.good_json("inspect", path)
        self.assertEqual((shown["servers"], shown["bits"], shown["level_count"]), (16, 8, 2))
        self.assertEqual(shown["mzis"], sum(l["units"] * l["mzis"] for l in shown["layers"]))
        self.assertEqual({l["level"]: l["units"] for l in shown["layers"]}, {0: 4, 1: 1})
        got = self.good_json("verify", path)
        self.assertEqual((len(got["levels"]), got["errors"], got["exact"]), (2, 0, True))
        self.bad("design", "--servers", 12, "--bits", 8, "--method", "constructed", "--levels", 2,
                 "-o", path, says=["16"])

    def test_wishes_that_cannot_be_met(self):
        for servers, bits, says in [(5, 8, "power of two"), (1, 8, ""), (128, 8, "64"),
                                    (4, 7, "even"), (4, 34, "32"), (4, 1, "")]:
            self.bad("design", "--servers", servers, "--bits", bits, "--method", "constructed",
                     "-o", self.path("d"), says=[says])
        self.assertEqual(self.files(), [])

    def test_places_that_cannot_be_written(self):
        wish = ["design", "--servers", 2, "--bits", 2, "--method", "constructed", "-o"]
        self.bad(*wish, self.path("no/such/folder/d"), says=["no/such/folder/d"])
        self.bad(*wish, self.folder, says=["a directory", "expected"])
        self.bad(*wish, "/dev/full", says=["/dev/full", "expected"])
        self.assertEqual(self.files(), [])

    def test_full_disk(self):
        """A file-size limit stands for the full disk: what was there stays as it was."""
        path = self.design("d.safetensors", 2, 2)
        before = pathlib.Path(path).read_bytes()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        self.bad("design", "--servers", 4, "--bits", 8, "--method", "constructed", "-o", path,
                 preexec_fn=limit)
        self.assertEqual(pathlib.Path(path).read_bytes(), before)
        self.assertEqual(self.files(), ["d.safetensors"])

    def test_full_stdout(self):
        path = self.design("d.safetensors", 2, 2)
        with open("/dev/full", "w", encoding="ascii") as full:
            self.bad("inspect", path, stdout=full, says=["standard output", "No space left"])
            self.bad("verify", path, "--json", stdout=full, says=["No space left"])


class Tampered(ProgramTest):
    def setUp(self):
        super().setUp()
        self.original = self.design("good.safetensors")
        self.data = pathlib.Path(self.original).read_bytes()

    def write(self, data):
        path = self.path("bad.safetensors")
        with open(path, "wb") as stream:
            stream.write(data)
        return path

    def test_signing_is_understood(self):
        self.assertEqual(sign_design(self.data), self.data)

    def test_every_cut(self):
        for size in [0, 1, 7, 8, 9, 100, len(self.data) // 2, len(self.data) - 1]:
            path = self.write(self.data[:size])
            for command in ["verify", "inspect"]:
                self.bad(command, path, says=[path])
            self.bad("reduce", "--design", path, "-o", self.path("o.npy"), "x.npy", says=[path])

    def test_altered_byte(self):
        data = bytearray(self.data)
        data[-5] ^= 1
        self.bad("verify", self.write(data), says=["checksum"])

    def test_hostile_headers(self):
        for data in [struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2**40) + b"{}",
                     struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 4) + b'{"a"',
                     struct.pack("<Q", 2) + b"{}", b"\x93NUMPY\x01\x00" + b"\x00" * 64]:
            self.bad("inspect", self.write(data), says=["bad.safetensors"])
        self.bad("inspect", self.folder, says=[str(self.folder)])
        self.bad("inspect", self.path("absent"), says=["absent"])

    def test_wrong_weight_does_not_meet_the_spec(self):
        """A file that says exact, with a right checksum and a wrong layer."""
        data = bytearray(self.data)
        first, _ = tensor_offset(self.data, "levels.0.layers.1.weight")
        for at in range(first, first + 40, 8):
            data[at : at + 8] = struct.pack("<d", 0.75)
        path = self.write(sign_design(bytes(data)))
        code, out, err = self.run_program("verify", path, "--json")
        self.assertEqual(code, 1, err)
        got = json.loads(out)
        self.assertGreater(got["errors"], 0)
        self.assertFalse(got["exact"])
        self.assertGreater(sum(got["levels"][0]["digit_errors"]), 0)
        self.assertIn("its file says exact, its layers are not", err)

    def test_wrong_table_does_not_meet_the_spec(self):
        data = bytearray(self.data)
        first, end = tensor_offset(self.data, "levels.0.table")
        self.assertEqual(end - first, 28561)
        data[first + 1000] ^= 0x04
        code, out, _ = self.run_program("verify", self.write(sign_design(bytes(data))), "--json")
        self.assertEqual(code, 1)
        got = json.loads(out)
        self.assertEqual((got["errors"], got["table_mismatches"]), (0, 1))

    def test_unreadable(self):
        os.chmod(self.original, 0)
        if os.access(self.original, os.R_OK):
            self.skipTest("nothing is unreadable to this user")
        self.bad("verify", self.original, says=["Permission denied"])


if __name__ == "__main__":
    unittest.main()
