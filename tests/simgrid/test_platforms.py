# SPDX-License-Identifier: Apache-2.0
"""make_platform's platforms: paths as the topology says; and what is refused, by whom and how."""
import os
import pathlib
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["OPTINC_BUILD"])
ADAPTER = pathlib.Path(__file__).resolve().parents[2] / "adapters/simgrid"


class Platforms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "platform.xml"

    def make(self, *arguments):
        return subprocess.run([ADAPTER / "make_platform", *map(str, arguments), "-o", self.path],
                              capture_output=True, text=True)

    def check(self, kind, servers, paths, *arguments):
        """paths: (from, to, links, Gb/s); every link has 0.5 us"""
        made = self.make(kind, servers, *arguments)
        self.assertEqual(made.returncode, 0, made.stderr)
        fields = []
        for a, b, links, rate, latency_us in paths:
            for source, target in ((a, b), (b, a)):
                fields += [f"node-{source}", f"node-{target}", latency_us * 1e-6, rate / 8 * 1e9, links]
        done = subprocess.run([os.environ["OPTINC_PATHS"], self.path, *map(str, fields)], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_fat_tree(self):
        self.check("fat-tree", 64, [(0, 7, 2, 100, 1), (0, 8, 4, 100, 2), (5, 63, 4, 100, 2)])

    def test_dragonfly_of_16(self):
        # two groups of 4 routers with 2 servers; router 0 of each has the link between them
        self.check("dragonfly", 16, [(0, 1, 2, 100, 1), (0, 2, 3, 100, 1.5), (0, 8, 3, 100, 1.5),
                                     (1, 15, 4, 100, 2), (7, 15, 5, 100, 2.5)])

    def test_dragonfly_of_1024(self):
        # 32 groups of 8 routers with 4 servers: group 0 reaches group 31 by its router 30 % 8 = 6,
        # which ends at router 0 there
        self.check("dragonfly", 1024, [(0, 3, 2, 40, 4), (0, 4, 3, 40, 6), (24, 992, 3, 40, 6), (0, 992, 4, 40, 8),
                                       (0, 1023, 5, 40, 10), (517, 27, 5, 40, 10), (517, 30, 4, 40, 8)],
                   "--link-gbps", 40, "--latency-us", 2)

    def test_optical_switch(self):
        # server to switch: its fibre and the light; back: the fibre; port slower than the link
        made = self.make("optical", 64, "--optical-latency-us", 3, "--optical-gbps", 80)
        self.assertEqual(made.returncode, 0, made.stderr)
        done = subprocess.run(
            [os.environ["OPTINC_PATHS"], self.path, *"node-5 node-64 3.5e-6 1e10 2 node-64 node-5 0.5e-6 1e10 2"
             " node-0 node-1 1e-6 1e10 2".split()], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_refused(self):
        for arguments, said in (
            (("fat-tree", 10), "a square number"),
            (("dragonfly", 100), "a multiple of 8 in 16 .. 72 or a multiple of 32 in 64 .. 1056"),
            (("dragonfly", 0), "expected 1 .."),
            (("fat-tree", 10**12), "expected 1 .."),
            (("ring", 16), "invalid choice"),
            (("fat-tree", 16, "--link-gbps", 0), "--link-gbps: found 0, expected a number above 0"),
            (("fat-tree", 16, "--link-gbps", "nan"), "--link-gbps: found nan"),
            (("optical", 16, "--optical-gbps", 0), "--optical-gbps: found 0"),
            (("optical", 16, "--optical-latency-us", -1), "--optical-latency-us: found -1"),
            (("fat-tree", 16, "--latency-us", -1), "--latency-us: found -1"),
        ):
            made = self.make(*arguments)
            self.assertEqual(made.returncode, 2, arguments)
            self.assertIn(said, made.stderr)
            self.assertFalse(self.path.exists())

    def simulate(self, *arguments):
        return subprocess.run([ADAPTER / "simulate", "--build", BUILD, *map(str, arguments)], capture_output=True,
                              text=True)

    def test_own_platform(self):
        self.assertEqual(self.make("dragonfly", 16).returncode, 0)
        done = self.simulate("--platform", self.path, "--servers", 16, "--elements", 1000, "--collectives", "ring")
        self.assertEqual(done.returncode, 0, done.stderr)
        row = dict(zip(*(line.split(",") for line in done.stdout.splitlines())))
        self.assertEqual((row["topology"], row["row"], row["modelled_s"], row["wrong"]), ("platform", "", "", "0"))
        self.assertGreater(float(row["simulated_s"]), 30 * 1e-6)  # 30 steps of two links or more

    def test_help(self):
        for name in ("simulate", "make_platform"):
            done = subprocess.run([ADAPTER / name, "--help"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, rf"(?m)^    adapters/simgrid/{name} \S")
        self.assertEqual(self.make("optical", 2).returncode, 0)
        done = subprocess.run(["smpirun", "-np", "2", "-platform", self.path, "-hostfile", self.path.with_suffix(".hosts"),
                               BUILD / "bin/optinc_simgrid"], capture_output=True, text=True)
        self.assertIn("usage: optinc_simgrid DESIGN", done.stderr)
        self.assertIn("\nExample:\n", done.stderr)

    def test_simulate_refuses(self):
        broken = self.path.with_name("broken.xml")
        broken.write_text("<platform version='4.1'><zone id='c'")
        broken.with_suffix(".hosts").write_text("node-0\nnode-1\n")
        for arguments, said in (
            (("--platform", broken, "--servers", 2, "--collectives", "ring"), "does not parse"),
            (("--platform", self.path.with_name("none.xml"), "--servers", 2), "none.xml"),
            (("--servers", "16,x"), "--servers"),
            (("--servers", "0"), "--servers"),
            (("--elements", str(2**31)), "--elements"),
            (("--elements", "-1"), "--elements"),
            (("--bits", 7), "--bits"),
            (("--link-gbps", 0), "--link-gbps"),
            (("--topologies", "torus"), "--topologies"),
            (("--collectives", "gossip"), "--collectives"),
            (("--optical-gbps", 0, "--collectives", "optinc-optical"), "--optical-gbps"),
            (("--servers", "10", "--collectives", "ring"), "a square number"),
        ):
            done = self.simulate(*arguments)
            self.assertEqual(done.returncode, 2, (arguments, done.stderr))
            self.assertIn(said, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
