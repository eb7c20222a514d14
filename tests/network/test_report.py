#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table and the CSV rows of bench/network/run, from made-up results: no network, no times.

Usage: test_report.py BENCH_NETWORK_FOLDER BENCH_H
"""
import contextlib
import csv
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv[1])
import report  # noqa: E402

RESULTS = [
    {"contender": "OptINC 8-bit", "bytes": 1 << 20, "error": 0.5, "bound": 1.0,
     "times_s": [3.0, 1.0, 2.0]},
    {"contender": "MPI ring", "bytes": 1 << 20, "error": 1e-7, "bound": None,
     "times_s": [8.0, 9.0, 4.0]},
]


class Report(unittest.TestCase):
    def test_table_gives_medians_and_ratio(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            report.table(RESULTS, "mpi", "4 ranks, 1 Gb/s", 4, 0.5)
        ours, other = [line.split() for line in output.getvalue().splitlines()
                       if line.strip().startswith("1048576")]
        self.assertEqual(ours[4:6], ["2000.00", "1000.00"])  # median, best
        self.assertEqual(ours[-2:], ["1.00e+00", "1.00"])
        self.assertEqual(other[-2:], ["-", "4.00"])
        # 1 MiB in 2 s, and 2 (K-1)/K of that
        self.assertEqual(ours[6:8], [f"{1e-9 * 2**20 / 2:.3f}", f"{1e-9 * 2**20 / 2 * 1.5:.3f}"])

    def test_rows_have_the_columns_of_the_c_benchmarks(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.csv"
            report.append(path, RESULTS, "mpi", "4 ranks, 1 Gb/s", 0.5)
            report.append(path, RESULTS, "mpi", "4 ranks, 1 Gb/s", 0.5)
            text = path.read_text(encoding="utf-8")
        header = text.splitlines()[0]
        self.assertIn(f'"{header}\\n"', pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(len(rows), 2)
        self.assertEqual(rows[0]["benchmark"], "network")
        self.assertEqual(rows[0]["other"], "MPI ring")
        self.assertEqual([float(rows[0][name]) for name in ("ours_median", "other_median", "ratio")],
                         [2.0, 8.0, 0.25])
        self.assertIn("OptINC 8-bit", rows[0]["what"])
        self.assertIn("load 0.5", rows[0]["what"])

    def test_jobs_of_one_model_are_compared_apart(self):
        jobs = [{"contender": name, "bytes": 1 << 20, "error": 5.0, "bound": None, "tokens": 600,
                 "job": job, "times_s": [time]}
                for job, scale in (("llama tiny:4x64", 1.0), ("llama tiny:1x64", 2.0))
                for name, time in (("OptINC 8-bit", 3.0 * scale), ("DDP no hook", 6.0 * scale))]
        output = io.StringIO()
        with contextlib.redirect_stdout(output), tempfile.TemporaryDirectory() as folder:
            report.table(jobs, "job", "4 ranks, 1 Gb/s", 4, 0.5)
            path = pathlib.Path(folder) / "results.csv"
            report.append(path, jobs, "job", "4 ranks, 1 Gb/s", 0.5)
            rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        lines = [line.split() for line in output.getvalue().splitlines() if "llama" in line]
        # step, best, tokens per second, loss, ratio to ours of the same job
        self.assertEqual([line[-5:] for line in lines],
                         [["3000.0", "3000.0", "200", "5.000", "1.00"],
                          ["6000.0", "6000.0", "100", "5.000", "2.00"],
                          ["6000.0", "6000.0", "100", "5.000", "1.00"],
                          ["12000.0", "12000.0", "50", "5.000", "2.00"]])
        self.assertEqual([(row["other"], float(row["ratio"])) for row in rows],
                         [("DDP no hook", 0.5)] * 2)
        self.assertIn("llama tiny:1x64, 1 MiB", rows[1]["what"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
