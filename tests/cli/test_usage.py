# SPDX-License-Identifier: Apache-2.0
"""Help, version, and every way to call the program wrongly."""
import pathlib
import re
import shlex
import unittest

from common import ProgramTest

COMMANDS = ["design", "verify", "inspect", "reduce", "report", "scale", "simulate", "export",
            "segments", "bench"]
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Help(ProgramTest):
    def test_version(self):
        self.assertEqual(self.good("--version"),
                         f"optinc {(ROOT / 'VERSION').read_text().strip()}\n")

    def test_overview_names_every_subcommand(self):
        out = self.good("--help")
        for command in COMMANDS:
            self.assertRegex(out, rf"(?m)^  {command} +\w")

    def test_every_subcommand_explains_itself(self):
        for command in COMMANDS:
            out = self.good(command, "--help")
            self.assertTrue(out.startswith(f"Usage: optinc {command} "), out)
            self.assertIn(f"Example:\n  optinc {command} ", out)
            self.assertIn("--json", out)
            for line in out.splitlines():
                if line.startswith("        "):
                    self.assertLessEqual(len(line), 88, line)
                self.assertNotIn("default:", line)
            self.assertIn("Exit status: 0 done", out)
            for name, text in re.findall(r"(?m)^  (?:-o, )?(--[a-z-]+) \S+\n((?: {8}.*\n)+)", out):
                text = " ".join(text.split())
                self.assertRegex(text, r"default|\(required\)$", (command, name))
            self.assertEqual(self.good(command, "--bits", "nonsense", "-h"), out)

    def test_examples_are_right(self):
        """An option that is wrong is said before the one that comes last, and nothing runs."""
        for command in COMMANDS:
            examples = self.good(command, "--help").split("\nExample:\n")[1].split("\n\n")[0]
            for line in examples.splitlines():
                program, *arguments = shlex.split(line)
                self.assertEqual((program, arguments[0]), ("optinc", command))
                arguments = [a for a in arguments if a != "--json"]
                self.bad(*arguments, "--json=yes", says=["--json: found the value 'yes'"])


class WrongUse(ProgramTest):
    def test_subcommands(self):
        self.bad(says=["no subcommand", "design, verify, inspect, reduce, report"])
        self.bad("destroy", says=["unknown subcommand 'destroy'", "design, verify"])

    def test_unknown_options(self):
        for command in COMMANDS:
            self.bad(command, "--frobnicate", says=[f"optinc {command}:", "'--frobnicate'"])
            self.bad(command, "-z", says=["unknown option '-z'"])

    def test_missing(self):
        self.bad("design", says=["--servers is missing", "usage: optinc design"])
        self.bad("design", "--servers", 4, "--bits", 8, "--method", "constructed",
                 says=["--output is missing"])
        self.bad("verify", says=["DESIGN is missing"])
        self.bad("reduce", "--design", "d", "-o", "o", says=["IN.npy is missing"])
        self.bad("report", "-o", "r.html", says=["neither a RUN nor --design"])
        self.bad("design", "--servers", says=["--servers: found nothing after it, expected N"])
        self.bad("simulate", "d", "--calibrate",
                 says=["--calibrate: found nothing after it, expected none or local or self"])
        # a value that was forgotten makes no file of the next option's name
        wish = ["design", "--servers", 4, "--bits", 8, "--method", "constructed", "-o"]
        for option in ["--json", "--activation", "-o", "--activaton"]:
            self.bad(*wish, option, cwd=self.folder,
                     says=[f"--output: found '{option}' after it, expected FILE"])
        self.assertEqual(self.files(), [])
        self.good(*wish[:-1], "--output=--json", cwd=self.folder)
        self.assertEqual(self.files(), ["--json"])

    def test_values(self):
        for value in ["0", "-4", "4.0", "x", "", "99999999999999999999999", " 4", "4 "]:
            self.bad("design", f"--servers={value}", says=["--servers: found", "a whole number"])
        for value in ["0", "1", "1.5", "-0.1", "nan", "inf", "g", ""]:
            self.bad("design", "--gap", value, says=["--gap: found", "between 0 and 1"])
        wish = ["design", "--method", "constructed", "-o", self.path("d")]
        for value in ["7", "0", "34", "8.0"]:
            for arguments in [[*wish, "--servers", 4], ["segments"], ["reduce"], ["scale"]]:
                self.bad(*arguments, "--bits", value,
                         says=[f"--bits: found '{value}', expected an even number from 2 to 32"])
        self.bad(*wish, "--servers", 3, "--bits", 8, says=["--servers: no cascade serves 3 servers"])
        self.bad("segments", "--servers", 3, "--bits", 4, "-o", self.path("s"),
                 says=["--servers: ports is 3, expected a power of two"])
        self.bad("segments", "--servers", 4, "--bits", 4, "--merge", 3, "-o", self.path("s"),
                 says=["--merge: 3 digits merged, expected 1 .. 2"])
        self.bad("simulate", "d", "--codes", 1 << 40, "--trials", 1 << 20,
                 says=["--codes: found 1099511627776 for each of 1048576 chips, expected at most"])
        self.assertEqual(self.files(), [])
        self.bad("design", "--method", "magic", says=["'magic'", "constructed or trained"])
        for value in ["abc", "nan", " 1", "1 ", "1e400", "-1e400", "1,5", "0x"]:
            self.bad("simulate", "d", "--phase-sigma", value,
                     says=[f"--phase-sigma: found '{value}', expected a number from 0 to 10"])
        self.bad("reduce", "--backend", "guess", says=["'guess'", "exact or table or onn or photonic"])
        self.bad("reduce", "--json=yes", says=["--json: found the value 'yes', expected none"])
        self.bad("reduce", "--design=", says=["--design: found an empty text"])
        self.bad("verify", "--seed", 1, "--seed", 2, says=["--seed: given twice"])
        self.bad("verify", "a", "b", says=["unexpected argument 'b'"])
        self.bad("reduce", "--design", "d", "-o", "o", "--block-size", 6, "a.npy",
                 says=["--block-size: found 6, expected a multiple of 4"])

    def test_options_that_would_do_nothing(self):
        wish = ["design", "--servers", 4, "--bits", 8, "-o", self.path("d")]
        for arguments, says in [
                ([*wish, "--method", "constructed", "--epochs", 5],
                 "--epochs: does nothing without --method trained"),
                ([*wish, "--method", "trained", "--gap", 0.3],
                 "--gap: does nothing without --method constructed"),
                ([*wish, "--method", "trained", "--resume"], "--resume: does nothing without"),
                ([*wish, "--method", "trained", "--hard-cases", 8],
                 "--hard-cases: does nothing without --epoch-cases"),
                (["verify", "d", "--on-dark", "error"],
                 "without --dark-ports or --left-ports or --failed-switches"),
                (["verify", "d", "--servers", 3], "--servers: does nothing without --dark-ports"),
                (["inspect", "d", "--layer", 2], "--layer: does nothing without --compare"),
                (["simulate", "d", "--yield", 0.5], "--yield: does nothing without --tolerance"),
                (["scale", "--overlap", 0.5], "--overlap: does nothing without --compute-ms"),
                (["scale", "--over", "size"], "--over: does nothing without --plot")]:
            self.bad(*arguments, says=[says])
        self.assertEqual(self.files(), [])

    def test_lists_are_read_before_anything_runs(self):
        for text in ["x", "0", "-4", "4,", ",4", "4,,8", "1e3", " 4", "99999999999999999999"]:
            for arguments in [["scale", "--servers"], ["bench", "--bytes"], ["bench", "--bits"]]:
                name = arguments[-1]
                err = self.bad(*arguments, text, says=[f"{name}: found '{text}', expected whole"])
                self.assertEqual(err.count("\n"), 1, "one message")
        self.bad("bench", "--bytes", "4,6", says=["--bytes: found 6, expected a multiple of 4"])
        self.bad("bench", "--bits", "8,7", says=["--bits: found 7, expected an even number"])
        self.bad("scale", "--block-size", 6, says=["--block-size: found 6, expected a multiple"])
        self.bad("segments", "--servers", 4, "--bits", 2, "--choices", "all/foo", "-o",
                 self.path("s.csv"), says=['--choices: segmented layers "foo": expected all, none'])
        self.bad("segments", "--servers", 4, "--bits", 2, "--structure", "4x4", "-o",
                 self.path("s.csv"), says=['--structure: structure "4x4": expected a hyphen'])
        self.assertEqual(self.files(), [])

    def test_segments_as_json(self):
        found = self.good_json("segments", "--servers", 2, "--bits", 2, "--structure", "1-4-4-1",
                               "--epochs", 1, "--cycles", 1, "--squared-epochs", 0, "-o",
                               self.path("s.csv"))
        self.assertEqual([row["segment"] for row in found["rows"]], ["all", "none"])
        self.assertEqual([row["cases"] for row in found["rows"]], [7, 7])
        # by SVD: two meshes and a diagonal of each of the sides 1-4-4-1
        self.assertEqual(found["rows"][1]["mzis"], 2 * (6 + 4) + 6 + 6 + 4)

    def test_empty_operand(self):
        self.bad("verify", "", says=["DESIGN: found an empty text"])

    def test_outputs_are_tried_before_anything_runs(self):
        design = self.design("d.safetensors", 2, 2)
        trained = ["--servers", 2, "--bits", 2, "--structure", "1-64-64-1", "--epochs", 1 << 24]
        (self.folder / "folder").mkdir()
        for arguments in [["design", *trained, "--method", "trained", "-o"],
                          ["segments", *trained, "-o"],
                          ["verify", design, "-o"],
                          ["verify", design, "--checkpoint"],
                          ["simulate", design, "--trials", 1 << 31, "--eye"],
                          ["export", design, "-o"],
                          ["export", design, "--format", "gds", "-o"],
                          ["report", "--design", design, "-o"],
                          ["scale", "--plot"]]:
            self.bad(*arguments, self.path("absent/out"),
                     says=["absent/out: cannot be written: No such file or directory"])
            for folder in [self.path("folder"), self.path("folder") + "/"]:
                self.bad(*arguments, folder, says=[f"{folder}: found a directory"])
        self.assertEqual(self.files(), ["d.safetensors", "folder"])
        self.assertEqual(list((self.folder / "folder").iterdir()), [])

    def test_files_of_another_kind(self):
        design = self.design("d.safetensors", 2, 2)
        text, empty, other = self.path("text"), self.path("empty"), self.path("other.json")
        pathlib.Path(text).write_text("plain text\n")
        pathlib.Path(empty).touch()
        pathlib.Path(other).write_text('{"a": 1}\n')
        for path in [text, empty, other, self.folder]:
            is_folder = path == self.folder
            for command in [["verify"], ["simulate"], ["export", "-o", self.path("o")],
                            ["reduce", "-o", self.path("o"), "x.npy", "--design"]]:
                self.bad(*command, path, says=[str(path), "expected a regular file" if is_folder
                                               else "no design, which is a safetensors file"])
            self.bad("inspect", design, "--device", path,
                     says=[str(path), "expected a regular file" if is_folder
                           else "expected a device file"])
        for option, file in [["--segments", self.folder], ["--cluster", self.folder]]:
            self.bad("report", option, file, "-o", self.path("r.html"),
                     says=["expected a regular file"])
        self.bad("report", "--cluster", empty, "-o", self.path("r.html"),
                 says=["empty: found nothing, expected what 'optinc scale --json' prints"])
        self.bad("inspect", design, "--compare", design, says=["--compare: found", "a netlist"])
        self.bad("bench", "--program", text, says=["--program: found", "expected a program"])
        self.assertEqual(self.files(), ["d.safetensors", "empty", "other.json", "text"])

    def test_numbers_say_their_range(self):
        self.bad("inspect", "d", "--phase-sigma=-1", says=["expected a number from 0 to 10"])
        self.bad("inspect", "d", "--rin", 5, says=["expected a number from -300 to 0"])
        self.bad("simulate", "d", "--yield", 2, says=["expected a number from 0 to 1"])

    def test_control_characters_do_not_reach_the_terminal(self):
        err = self.bad("verify", "\x1b[2Jx")
        self.assertNotIn("\x1b", err)

    def test_tables_and_seeds_are_readable(self):
        self.assertRegex(self.good("scale", "--servers", 1024), r"1,024  ring +134,086,656 ")
        self.assertIn("seed      0 (the construction draws no random numbers)",
                      self.good("inspect", self.design()))
        path = self.path("wrong")
        self.run_program("design", "--servers", 4, "--bits", 8, "--method", "constructed",
                         "--error-rate", 0.01, "--seed", 7, "-o", path)
        self.assertNotIn("draws no random numbers", self.good("inspect", path))

    def test_full_stdout(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            for arguments in [["--help"], ["--version"], ["design", "--help"]]:
                self.bad(*arguments, stdout=full, says=["No space left on device"])


if __name__ == "__main__":
    unittest.main()
