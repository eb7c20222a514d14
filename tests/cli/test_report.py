# SPDX-License-Identifier: Apache-2.0
"""report: one page that needs nothing else, with every MZI on it, whatever the logs hold."""
import html.parser
import json
import os
import re
import shutil
import unittest

from common import ProgramTest

VOID = {"meta", "br", "img", "link", "input", "hr"}
STEPS = 40


class Page(html.parser.HTMLParser):
    """Checks that tags are closed in order and keeps what the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.references, self.uses, self.ids = [], [], [], [], []
        self.tags = set()
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.references.append(value)
            if tag == "use" and name == "href":
                self.uses.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on"), name

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)

    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


class Report(ProgramTest):
    def setUp(self):
        super().setUp()
        self.switch = self.design()
        self.checksum = self.good_json("inspect", self.switch)["checksum"]
        self.mzis = self.good_json("inspect", self.switch)["mzis"]
        self.output = self.path("page.html")

    def header(self, collective, **more):
        line = {"type": "run", "format": "optinc-run-log", "format_version": 1, "name": collective,
                "workload": "llama", "version": "0", "seed": 5, "steps": STEPS, "workers": 4,
                "collective": collective, "parameters": 1000, "gradient_bytes": 4000,
                "bytes_sent_source": "formula", "valid_every": 10, "measure_every": 5}
        if collective == "optinc":
            line |= {"design": self.switch, "design_checksum": self.checksum, "ports": 4, "bits": 8,
                     "block_size": 256, "backend": "exact", "rounding": "nearest",
                     "bytes_sent_source": "library", "design_exact": True, "error_feedback": True}
        return line | more

    def lines(self, collective, **more):
        shift = 0.0125 if collective == "optinc" else 0.0
        yield self.header(collective, **more)
        for step in range(1, STEPS + 1):
            line = {"type": "step", "step": step, "loss": 5 + 1 / step, "lr": 0.1, "seconds": 0.5,
                    "bytes_sent": 1510 if collective == "optinc" else 6000}
            if step % 10 == 0:
                line["valid_loss"] = 5.5 + shift
            if collective == "optinc" and step % 5 == 0:
                line |= {"error_max": 0.0003 * step, "error_bound": 0.0004 * step,
                         "error_rms": 0.0001, "gradient_rms": 0.1}
            yield line
        yield {"type": "end", "outcome": "finished", "step": STEPS, "seconds": 20.0}

    def log(self, folder, lines, cut=0):
        os.makedirs(self.path(folder), exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        with open(self.path(folder + "/log.jsonl"), "w", encoding="utf-8") as stream:
            stream.write(text[: len(text) - cut])
        return self.path(folder)

    def page(self, *arguments):
        got = self.good_json("report", *arguments, "-o", self.output)
        with open(self.output, encoding="utf-8") as stream:
            return got, Page(stream.read())

    def both(self):
        return self.log("ring", self.lines("ring")), self.log("optinc", self.lines("optinc"))

    def test_segments(self):
        """The table of `optinc segments` alone makes a page; figures are the table's."""
        head = ("segments,mzis,mzis_svd,share,cases,errors,accuracy,margin,epochs,seconds,"
                "cpu_seconds,seed\n")
        rows = ('"all",4352,10316,0.4219,28561,503,0.98238857,0.0000,120,3.0,2.6,1\n'
                '"1,4-5",9408,10316,0.9120,28561,0,1.00000000,0.1000,120,3.0,2.4,1\n')
        table = self.path("t.csv")
        with open(table, "w", encoding="ascii") as file:
            file.write(head + rows)
        self.good("report", "--segments", table, "-o", self.output)
        with open(self.output, encoding="utf-8") as file:
            page = Page(file.read())
        words = page.words()
        for figure in ("4,352", "42.2 %", "98.239 %", "503", "1,4-5", "91.2 %", "100 %", "28,561"):
            self.assertIn(figure, words)
        self.assertIn("svg", page.tags)
        self.assertTrue(all(r.startswith("#") and r[1:] in page.ids for r in page.references))
        for text, says in (("", ":1: expected the table"), ("a,b\n1,2\n", ":1: expected the table"),
                           (head, "found no choice"),
                           (head + rows + '"all",1\n', ":4: expected a choice"),
                           (head + '"<b>",1,2,0.5,4,0,1,0.1,\n', ":2: expected a choice"),
                           (head + '"all",1,2,0.5,4,5,1,0.1,\n', ":2: expected a choice"),
                           (head + '"all",-2,-1,0.5,4,0,1,0.1,\n', ":2: expected a choice"),
                           (head + '"all",1,2,0.5,4,0,1,nan,\n', ":2: expected a choice"),
                           (head + rows * 33, "over 64 choices")):
            with open(table, "w", encoding="ascii") as file:
                file.write(text)
            self.bad("report", "--segments", table, "-o", self.path("b.html"), says=[says])
        self.bad("report", "--segments", self.path("none"), "-o", self.path("b.html"),
                 says=["No such file"])

    def test_two_runs_and_their_switch(self):
        got, page = self.page(*self.both())
        self.assertEqual([run["seed"] for run in got["runs"]], [5, 5])
        ring, optinc = got["runs"]
        self.assertEqual((ring["loss_difference"], ring["traffic_share"]), (0.0, 1.0))
        self.assertAlmostEqual(optinc["loss_difference"], 0.0125)
        self.assertAlmostEqual(optinc["traffic_share"], 1510 / 6000)
        self.assertAlmostEqual(optinc["error_share"], 0.75)
        words = page.words()
        for text in ["llama on 4 servers", "+0.0125", "25.2 %", "75 %", f"{self.mzis} MZIs",
                     "28,561 cases", "compositional", "41,664", "106,764", "2603.28290",
                     "yes, in every step"]:
            self.assertIn(text, words)

    def test_self_contained(self):
        _, page = self.page(*self.both())
        for reference in page.references:
            self.assertTrue(reference.startswith("#"), reference)
        self.assertEqual(page.tags & {"script", "link", "img", "iframe", "object"}, set())
        self.assertEqual(len(page.ids), len(set(page.ids)), "ids are unique")
        self.assertLessEqual({r[1:] for r in page.references}, set(page.ids))

    @staticmethod
    def drawn(page):
        return sum(use in ("#mzi", "#att") for use in page.uses)

    @staticmethod
    def built(layer):
        rows, cols = layer["rows"], layer["cols"]
        return rows * (rows - 1) // 2 + cols * (cols - 1) // 2 + min(rows, cols)

    def test_direct_circuits_and_eyes(self):
        device = os.path.join(os.path.dirname(__file__), "../../devices/published-best.yaml")
        _, page = self.page("--design", self.switch, "--mapping", "direct", "--device", device,
                            "--phase-sigma", 0.01, "--calibrate", "self")
        shown = self.good_json("inspect", self.switch, "--mapping", "direct")
        words = page.words()
        self.assertIn(f"MZIs drawn: {shown['mzis_built']}.", words)
        for text in ["direct", "0: not heated", "Eyes", "digit 3, most significant",
                     "errors: 0 of 8180"]:
            self.assertIn(text, words)
        # every shifter has a colour: two an MZI, one an output
        with open(self.output, encoding="utf-8") as stream:
            text = stream.read()
        circuits = "".join(re.findall(r'<svg class="circuit".*?</svg>', text, re.DOTALL))
        outputs = sum(layer["rows"] for layer in shown["layers"])
        self.assertEqual(circuits.count("<rect "), 2 * shown["mzis_built"] + outputs)
        self.assertGreater(circuits.count("hsl("), shown["mzis_built"])
        self.assertLess(len(text), 1_000_000)
        self.assertNotIn("Eyes", self.page("--design", self.switch)[1].words())
        self.bad("report", "--design", self.switch, "--phase-sigma", -1, "-o", self.output,
                 says=["--phase-sigma"])

    def test_every_mzi_is_drawn(self):
        for servers, bits in [(2, 2), (4, 8), (4, 16), (8, 8)]:
            path = self.design("other", servers, bits)
            got, page = self.page("--design", path)
            shown = self.good_json("inspect", path)
            self.assertTrue(all(layer["mapping"] == "svd" for layer in shown["layers"]))
            self.assertEqual(self.drawn(page), shown["mzis_built"])
            self.assertEqual(self.drawn(page), sum(map(self.built, shown["layers"])))
            self.assertEqual(got["mzis"], shown["mzis"])
            self.assertIn(f"MZIs drawn: {self.drawn(page):,}.", page.words())

    def test_large_designs_are_outlined(self):
        path = self.design("large", 64, 8, "--activation", "relu")
        self.assertGreater(self.good_json("inspect", path)["mzis"], 5000)
        _, page = self.page("--design", path)
        self.assertNotIn("#mzi", page.uses)
        self.assertIn("drawn in outline", page.words())

    def test_cascade(self):
        path = self.design("cascade", 16, 8, "--levels", 2)
        _, page = self.page("--design", path)
        for text in ["Level 0: 4 equal switches of 4 ports", "Level 1: 1 switch of 4 ports"]:
            self.assertIn(text, page.words())
        # a level is drawn once
        layers = self.good_json("inspect", path)["layers"]
        self.assertEqual(self.drawn(page), sum(map(self.built, layers)))

    def test_one_run(self):
        _, page = self.page(self.log("optinc", self.lines("optinc")))
        self.assertNotIn("Their difference", page.words())
        got, page = self.page(self.log("ring", self.lines("ring")))
        self.assertIsNone(got["design"])
        self.assertIn("did not measure", page.words())

    def test_what_logs_say_is_only_text(self):
        evil = "<script>alert(1)</script>\"'&<img src=x onerror=y>\u0007"
        _, page = self.page(self.log("ring", self.lines("ring", name=evil, workload=evil)),
                            self.log("optinc", self.lines("optinc", name=evil, backend=evil)),
                            "--title", evil)
        self.assertEqual(page.tags & {"script", "img"}, set())
        self.assertIn("<script>alert(1)</script>\"'&<img", page.words())

    def test_killed_runs(self):
        """No end line, and a last line that is cut short."""
        for cut in [1, 20, 90]:
            ring = self.log("ring", list(self.lines("ring"))[:-1], cut=cut)
            got, page = self.page(ring)
            self.assertIn(got["runs"][0]["steps"], [STEPS, STEPS - 1])
            self.assertIn("running", page.words())

    def test_malformed_logs(self):
        good = list(self.lines("ring"))
        step = {"type": "step", "step": 1, "loss": 1.0}
        for lines, says in [
            ([], ["empty"]),
            (good[:1], ["at least one step"]),
            (good[1:], [":1: 'type'", '"run" in the first line']),
            ([good[0] | {"format": "x"}], [":1: 'format'", "optinc-run-log"]),
            ([good[0] | {"format_version": 2}], ["'format_version': expected 1"]),
            ([good[0] | {"collective": "pigeon"}], ["'collective'", '"ring" or "optinc"']),
            ([good[0] | {"seed": "x"}], ["'seed': expected a whole number"]),
            ([good[0] | {"name": 5}], ["'name': expected a text"]),
            ([good[0], step | {"loss": "x"}], [":2: 'loss': expected a number"]),
            ([good[0], step, step], [":3: 'step': found 1, expected 2"]),
            ([good[0], step | {"step": 9}], ["'step': found 9, expected 1"]),
            ([good[0], [1]], [":2: expected a JSON object"]),
        ]:
            run = self.log("run", lines)
            self.bad("report", run, "-o", self.output, says=[f"{run}/log.jsonl", *says])
        with open(self.path("text"), "wb") as stream:
            stream.write(b"\xff\xfenot json\n")
        self.bad("report", self.path("text"), "-o", self.output, says=["text:1:", "JSON object"])
        self.bad("report", self.path("absent"), "-o", self.output, says=["absent", "No such file"])
        self.assertNotIn("page.html", self.files())

    def test_design_of_the_log(self):
        """Beside the run's folder, if the path is not valid here; another design is refused."""
        run = self.log("optinc", self.lines("optinc", design="elsewhere/design.safetensors"))
        got, _ = self.page(run)
        self.assertTrue(got["design"].endswith("/../design.safetensors"))
        run = self.log("optinc", self.lines("optinc", design="elsewhere/none.safetensors"))
        self.bad("report", run, "-o", self.output,
                 says=["'design'", "elsewhere/none.safetensors", "--design"])
        other = self.design("other", 4, 8, "--gap", 0.25)
        self.bad("report", run, "-o", self.output, "--design", other,
                 says=["checksum: found", f"expected {self.checksum}"])

    def test_without_gnuplot(self):
        environment = os.environ | {"PATH": self.path("nothing"), "TMPDIR": self.path("")}
        ring, _ = self.both()
        before = self.files()
        self.bad("report", ring, "-o", self.output, env=environment,
                 says=["gnuplot: ", "expected it to be installed"])
        self.assertEqual(self.files(), before, "neither a page nor a temporary folder is left")

    def test_gnuplot_that_fails(self):
        os.makedirs(self.path("bin"))
        with open(self.path("bin/gnuplot"), "w", encoding="ascii") as stream:
            stream.write("#!/bin/sh\necho no fonts today >&2\nexit 3\n")
        os.chmod(self.path("bin/gnuplot"), 0o755)
        ring, _ = self.both()
        self.bad("report", ring, "-o", self.output, says=["gnuplot failed: no fonts today"],
                 env=os.environ | {"PATH": self.path("bin") + ":" + os.environ["PATH"]})
        self.assertNotIn("page.html", self.files())

    def test_temporary_files_are_removed(self):
        os.makedirs(self.path("tmp"))
        self.good("report", *self.both(), "-o", self.output,
                  env=os.environ | {"TMPDIR": self.path("tmp")})
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_output_that_cannot_be_written(self):
        ring, _ = self.both()
        self.bad("report", ring, "-o", "/dev/full", says=["No space left"])
        self.bad("report", ring, "-o", self.path("no/page.html"), says=["No such file"])

    def test_gnuplot_is_there(self):
        self.assertIsNotNone(shutil.which("gnuplot"))


if __name__ == "__main__":
    unittest.main()
