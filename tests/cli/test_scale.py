# SPDX-License-Identifier: Apache-2.0
"""optinc scale: the model's rows, beside figures worked out here."""
import json
import math
import shutil
import unittest
import xml.etree.ElementTree

from common import ProgramTest

SVG = "{http://www.w3.org/2000/svg}"


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

    COLUMNS = "topology,collective,row,servers,elements,simulated_s\n"

    def write(self, name, text):
        path = self.path(name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def points(self):
        return self.write("points.csv", self.COLUMNS + "fat-tree,mpi-ring,ring,64,1000,1e-3\n"
                          "dragonfly,ring,ring,256,1000,0.01\nfat-tree,mpi-rdb,,64,1000,0.5\n")

    def draw(self, *arguments):
        """The picture's marks of every kind, and its texts."""
        picture = self.path("picture.svg")
        self.good("scale", "--elements", "1000", "--points", self.points(), "--plot", picture, *arguments)
        with open(picture) as text:
            root = xml.etree.ElementTree.fromstring(text.read())
        for group in list(root.iter(SVG + "g")):
            for definitions in group.findall(SVG + "defs"):
                group.remove(definitions)
        for definitions in root.findall(SVG + "defs"):
            root.remove(definitions)
        texts = ["".join(node.itertext()).strip() for node in root.iter(SVG + "text")]
        return texts, [node.get("{http://www.w3.org/1999/xlink}href") for node in root.iter(SVG + "use")]

    @unittest.skipUnless(shutil.which("gnuplot"), "needs gnuplot")
    def test_picture_against_servers(self):
        texts, uses = self.draw("--servers", "16,100000")
        for wanted in ("float ring", "float tree (halving, doubling)", "SHARP-like, in the network",
                       "OptINC in software", "OptINC, optical switch", "16", "1,000", "100,000", "servers", "10 ms"):
            self.assertIn(wanted, texts)
        self.assertEqual(len(uses), 2, uses)  # one filled, one hollow mark; the row without a model none
        self.assertEqual(len(set(uses)), 2)

    @unittest.skipUnless(shutil.which("gnuplot"), "needs gnuplot")
    def test_picture_against_size(self):
        texts, uses = self.draw("--servers", "64", "--over", "size")
        for wanted in ("float ring", "8 MiB", "512 MiB", "gradient, as 32-bit floats"):
            self.assertIn(wanted, texts)
        self.assertEqual(len(uses), 0)  # 1,000 elements are left of the picture

    def test_bad_points(self):
        for text, said in (
            ("", "expected the CSV"),
            ("topology,row,servers\n", "no column 'elements'"),
            (self.COLUMNS + "fat-tree,x,gossip,4,4,1\n", ":2: row: found 'gossip'"),
            (self.COLUMNS + "fat-tree,x,ring,4,4\n", ":2: found 5 fields, expected 6"),
            (self.COLUMNS + "fat-tree,x,ring,4,4,-1\n", "simulated_s '-1'"),
            (self.COLUMNS + "fat-tree,x,ring,4,4,nan\n", "simulated_s 'nan'"),
            (self.COLUMNS + "fat-tree,x,ring,-4,4,1\n", "servers '-4'"),
            (self.COLUMNS + "fat-tree,x,ring,0,4,1\n", "servers '0'"),
            (self.COLUMNS + "fat-tree,x,ring,4,4,1\0\n", "a byte 0 at offset"),
        ):
            self.bad("scale", "--points", self.write("bad.csv", text), says=[said])
        self.bad("scale", "--points", self.path("none.csv"), says=["none.csv"])
        self.bad("scale", "--servers", "16", "--plot", self.path("x.svg"), says=["--over size"])

    def test_report(self):
        cluster = self.write("cluster.json", json.dumps(
            self.good_json("scale", "--servers", "64,16,1024", "--elements", "1000", "--points", self.points())))
        with open(cluster) as text:
            unknown = text.read().replace('"fastest"', '"none"')
        for text in ("{}", "[", '{"servers": 3}', unknown):
            self.bad("report", "--cluster", self.write("bad.json", text), "-o", self.path("page.html"),
                     says=["bad.json", "optinc scale --json"])
        self.bad("report", "-o", self.path("page.html"), says=["--cluster"])
        if shutil.which("gnuplot"):
            found = self.good_json("report", "--cluster", cluster, "-o", self.path("page.html"))
            self.assertEqual(found["points"], 2)
            with open(self.path("page.html")) as page:
                text = page.read()
            self.assertEqual(text.count('<svg class="plot"'), 2)
            self.assertIn("Many servers", text)
            self.assertIn("<td>256</td><td>1,000</td><td>1e+04</td>", text)

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
