# SPDX-License-Identifier: Apache-2.0
"""optinc scale: the model's rows, beside figures worked out here."""
import math
import unittest

from common import ProgramTest


class Scale(ProgramTest):
    def rows(self, *arguments):
        found = self.good_json("scale", *arguments)["rows"]
        return {(row["collective"], row["servers"]): row for row in found}

    def test_bandwidth_terms(self):
        rows = self.rows("--servers", "4,8,16", "--elements", "1000000", "--bits", "8", "--link-gbps", "8",
                         "--latency-us", "0", "--overhead-us", "0", "--optical-latency-us", "0")
        for servers, traffic in ((4, 1.5), (8, 1.75), (16, 1.875)):
            exponents = math.ceil(1000000 / 256) * traffic
            self.assertAlmostEqual(rows["ring", servers]["time_s"], traffic * 4e-3, places=15)
            self.assertAlmostEqual(rows["ring", servers]["bytes_per_server"], traffic * 4e6)
            self.assertAlmostEqual(
                rows["software-optinc", servers]["bytes_per_server"], traffic * 1e6 + exponents
            )
            self.assertAlmostEqual(
                rows["optinc", servers]["time_s"], (1e6 + exponents) * 1e-9, places=15
            )

    def test_step_time(self):
        rows = self.rows("--servers", "4", "--compute-ms", "2", "--overlap", "0.5")
        row = rows["ring", 4]
        self.assertAlmostEqual(row["step_s"], 2e-3 + max(0, row["time_s"] - 1e-3), places=12)

    def test_bad_input(self):
        for arguments, named in (
            (("--servers", "4,x"), "--servers"),
            (("--servers", "0"), "--servers"),
            (("--servers", "99999999999"), "servers"),
            (("--link-gbps", "0"), "--link-gbps"),
            (("--latency-us", "-1"), "--latency-us"),
            (("--bits", "7"), "bits"),
            (("--optical-ports", "6"), "ports"),
            (("--overlap", "1.5"), "--overlap"),
            (("--optical-gbps", "0"), "--optical-gbps"),
            (("--alltoall", "none"), "posted"),
            (("--chunks", "0"), "--chunks"),
            (("--elements", str(2**48 + 1)), "--elements"),
            (("--elements", "99999999999999999999"), "--elements"),
            (("--servers", str(2**24 + 1)), "16777216"),
        ):
            self.bad("scale", *arguments, says=[named])


if __name__ == "__main__":
    unittest.main()
