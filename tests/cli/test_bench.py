# SPDX-License-Identifier: Apache-2.0
"""optinc bench, with a script in the place of the ranks: what it makes of their lines."""
import os
import pathlib
import unittest
import unittest.mock

from common import ProgramTest

LINES = """noise of the launcher
{"contender": "OptINC 8-bit", "bytes": 4000, "ranks": 4, "error": 0.25, "bound": 0.5, "times_s": [0.003, 0.001, 0.002]}
{"contender": "MPI default", "bytes": 4000, "ranks": 4, "error": 1e-7, "bound": null, "times_s": [0.006, 0.004]}
"""


class Bench(ProgramTest):
    def ranks(self, code=0, lines=LINES):
        script = pathlib.Path(self.path(f"ranks-{code}"))
        script.write_text(f"#!/bin/sh\necho \"$@\" >\"$0.arguments\"\ncat <<'END'\n{lines}END\nexit {code}\n")
        os.chmod(script, 0o755)
        return str(script)

    def test_table(self):
        program = self.ranks()
        out = self.good("bench", "--launcher", "env A=1", "--program", program, "--bits", "8,4", "--all")
        lines = [line.split() for line in out.splitlines() if not line.startswith("#")]
        self.assertEqual(lines[0], "4000 1000 OptINC 8-bit 2000.0 1000.0 0.002 0.003 2.50e-01 5.00e-01 1.00".split())
        self.assertEqual(lines[1], "4000 1000 MPI default 5000.0 4000.0 0.001 0.001 1.00e-07 - 2.50".split())
        arguments = pathlib.Path(program + ".arguments").read_text().split()
        self.assertEqual(arguments[arguments.index("--bits") + 1], "8,4")
        self.assertEqual(arguments[arguments.index("--mpi") + 1], "2")

    def test_json(self):
        rows = self.good_json("bench", "--launcher", "env", "--program", self.ranks())["rows"]
        self.assertEqual([row["contender"] for row in rows], ["OptINC 8-bit", "MPI default"])
        self.assertAlmostEqual(rows[0]["busbw_gbps"], 4000 / 0.002 * 1e-9 * 1.5, places=12)
        self.assertAlmostEqual(rows[1]["ratio"], 2.5)

    def test_failures(self):
        for arguments, text in (
            (("--launcher", "env", "--program", self.ranks(3)), "the ranks failed"),
            (("--launcher", self.path("nothing"), "--program", self.ranks()), "cannot be started"),
            (("--launcher", " ", "--program", self.ranks()), "--launcher"),
            (("--program", self.path("nothing")), "--program"),
            (("--ranks", "1"), "--ranks"),
            (("--ranks", "65"), "from 2 to 64"),
        ):
            code, _out, err = self.run_program("bench", *arguments)
            self.assertEqual(code, 2, arguments)
            self.assertIn(text, err)

    def test_unreadable_rows(self):
        good = LINES.splitlines()[1]
        for row, text in (
            (good[:40], "row 2 cannot be read: column"),
            (good.replace('"ranks": 4', '"ranks": 4, "ranks": 5'), "row 2 cannot be read: column"),
            (good.replace('"contender"', '"name"'), "row 2 cannot be read: contender: expected a text"),
            (good.replace("4000", "0"), "row 2 (OptINC 8-bit) cannot be read: bytes: expected a number above 0"),
            (good.replace("4,", '"4",'), "row 2 (OptINC 8-bit) cannot be read: ranks: expected"),
            (good.replace("0.003", "null"), "row 2 (OptINC 8-bit) cannot be read: times_s: expected numbers"),
            (good[:-len("[0.003, 0.001, 0.002]}")] + "[]}", "times_s: expected 1 to 1001 times"),
        ):
            program = self.ranks(lines=f"{LINES.splitlines()[2]}\n{row}\n{good}\n")
            code, out, err = self.run_program("bench", "--launcher", "env", "--program", program)
            self.assertEqual(code, 2, row)
            self.assertIn(f"optinc bench: {program}: ", err)
            self.assertIn(text, err)
            self.assertEqual(len([line for line in out.splitlines() if not line.startswith("#")]), 2)

    @unittest.skipIf(os.geteuid(), "about root")
    def test_root_has_to_ask(self):
        for allowed, asked in (({}, False), ({"": "1"}, False), ({"": "1", "_CONFIRM": "0"}, False),
                               ({"": "1", "_CONFIRM": "1"}, True)):
            variables = {f"OMPI_ALLOW_RUN_AS_ROOT{name}": value for name, value in allowed.items()}
            with unittest.mock.patch.dict(os.environ, {"PATH": self.path("empty"), **variables}):
                for name in {"", "_CONFIRM"} - set(allowed):
                    os.environ.pop(f"OMPI_ALLOW_RUN_AS_ROOT{name}", None)
                code, _out, err = self.run_program("bench", "--program", self.ranks())
            self.assertEqual(code, 2)
            self.assertIn("mpirun.openmpi cannot be started" if asked else
                          "OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", err)


if __name__ == "__main__":
    unittest.main()
