# SPDX-License-Identifier: Apache-2.0
"""optinc scale: the model's rows, beside figures worked out here."""
import json
import math
import pathlib
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

    # 1 MiB of codes and 16 exponents among 4 servers at 10 GB/s, no latencies
    ENERGY = ("--servers", "4", "--elements", "1048576", "--block-size", "65536", "--link-gbps", "80",
              "--latency-us", "0", "--overhead-us", "0", "--optical-latency-us", "0")

    def test_energy(self):
        """In pJ: bits that all servers send, and 3 W while 1,048,600 bytes pass."""
        rows = self.rows(*self.ENERGY, "--optical-watts", "3", "--transceiver-pj", "20")
        bits = {"ring": 201326592, "halving-doubling": 201326592, "in-network": 134217728,
                "software-optinc": 50332416, "optinc": 33555200}
        for (name, _), row in rows.items():
            optical = 314580000 if name == "optinc" else 0
            self.assertAlmostEqual(row["energy_j"] * 1e12, bits[name] * 20, delta=1e-3)
            self.assertAlmostEqual(row["optical_energy_j"] * 1e12, optical, delta=1e-3)
            self.assertAlmostEqual(row["energy_total_j"] * 1e12, bits[name] * 20 + optical, delta=1e-3)
            self.assertAlmostEqual(row["energy_of_ring"],
                                   (bits[name] * 20 + optical) / (201326592 * 20), places=12)
        # 16 servers take 4 + 1 switches of 3 W
        row = self.rows("--servers", "16", "--optical-watts", "3")["optinc", 16]
        self.assertAlmostEqual(row["optical_energy_j"], 15 * row["time_s"], places=15)

    def test_energy_table(self):
        plain = self.good("scale", *self.ENERGY).splitlines()
        self.assertEqual(plain[0], "  servers  collective             bytes/server       time ms   of ring")
        told = self.good("scale", *self.ENERGY, "--optical-watts", "3").splitlines()
        self.assertEqual(told[0], plain[0] + "      energy J    of ring")
        self.assertEqual([line[:len(head)] for line, head in zip(told[1:6], plain[1:])], plain[1:])
        # 33,555,200 bits of 21.25 pJ and 314,580,000 pJ, of a ring's 4,278,190,080 pJ
        self.assertEqual(told[5].split()[-2:], ["0.0010276", "0.2402"])
        self.assertEqual(told[1].split()[-2:], ["0.0042782", "1.0000"])
        self.assertIn("optical switches, 3 W each", told[7])
        half = self.good("scale", *self.ENERGY, "--transceiver-pj", "21.25").splitlines()
        self.assertEqual(half[5].split()[-2:], ["0.00071305*", "0.1667"])
        self.assertIn("* without the optical switches, whose power --design or --optical-watts tells",
                      half[7])
        row = self.rows(*self.ENERGY)["optinc", 4]
        self.assertIsNone(row["optical_energy_j"])
        self.assertIsNone(row["energy_total_j"])

    def test_energy_of_a_design(self):
        """The design's budget: its power, and per element what inspect says, exponents apart."""
        design = self.path("switch.safetensors")
        device = pathlib.Path(__file__).resolve().parents[2] / "devices/published-conservative.yaml"
        self.good("design", "--servers", "4", "--bits", "8", "--method", "constructed", "-o", design)
        hardware = ("--device", device, "--mapping", "direct", "--bias", "electronic")
        budget = self.good_json("inspect", design, *hardware)
        for gbps, planes in (("80", 1), ("160", 2), ("161", 3), ("10", 1)):  # 10 Gbaud of 8 bits
            link = [gbps if value == "80" else value for value in self.ENERGY]
            found = self.good_json("scale", *link, "--design", design, *hardware)
            self.assertEqual(found["energy"]["planes"], planes)
            self.assertEqual(found["energy"]["plane_w"], budget["power_w"])
            self.assertEqual(found["energy"]["feasible"], budget["feasible"])
            row = found["rows"][-1]
            self.assertAlmostEqual(row["optical_energy_j"], planes * budget["power_w"] * row["time_s"],
                                   places=12)
            if gbps in ("80", "160"):
                element = 1e12 * row["energy_total_j"] / (1048576 + 24)
                self.assertAlmostEqual(element, budget["element_pj"], delta=1e-9 * element)
        rows = self.rows("--servers", "3,4,5", "--design", design, *hardware)
        self.assertGreater(rows["optinc", 3]["optical_energy_j"], 0)
        self.assertIsNone(rows["optinc", 5]["optical_energy_j"])
        out = self.good("scale", "--servers", "4,5", "--design", design)
        self.assertIn(" W a plane, 80 planes", out)
        self.assertIn("* without the optical switches: the design serves 4 servers", out)
        for arguments, said in (
            (("--design", design, "--optical-watts", "3"), "both --design and --optical-watts"),
            (("--design", design, "--bits", "16"), "codes of 8 bits, expected 16"),
            (("--design", design, "--optical-ports", "2"), "found 1 level for 4 servers"),
            (("--design", self.path("none")), "none"),
            (("--device", self.path("none")), "none"),
            (("--mapping", "direct"), "--mapping: does nothing without --design"),
            (("--optical-watts", "0"), "--optical-watts"),
            (("--transceiver-pj", "-1"), "--transceiver-pj"),
        ):
            self.bad("scale", *arguments, says=[said])

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
        with open(cluster) as text:
            ports = text.read().replace('"optical_ports": 4', '"optical_ports": 3')
        self.bad("report", "--cluster", self.write("bad.json", ports), "-o", self.path("page.html"),
                 says=["bad.json: optical_ports is 3"])
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
            (("--optical-ports", "6"), "--optical-ports: found 6, expected a power of two"),
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
