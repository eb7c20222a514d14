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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
