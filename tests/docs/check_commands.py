# SPDX-License-Identifier: Apache-2.0
"""check_commands.py PROGRAM: tries every command of README.md, docs/ and the other pages.

Commands of `optinc` run, page by page in the order of the page, in an empty folder; those that would take
minutes, or whose operands are placeholders (capitals, `...`), only have their options compared with --help. Of
other commands the make targets, the paths in the repository and the options must exist.
"""

import glob
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What would take minutes: its options are compared with --help, it is not run.
LONG = re.compile(r"--method trained|^optinc segments|^optinc simulate|--levels [3-9]|^optinc report runs|^optinc bench")
ERRORS = re.compile(r"--on-dark error") # shown for its error
PLACEHOLDER = re.compile(r"\.\.\.|\||<|(^|[ =])[A-Z][A-Z_0-9,]*\b(?!\.npy)|\$")
START = re.compile(r"^(?:[A-Z_]+=\S+ )*((?:build/release/bin/)?optinc|make|mpirun|torchrun|python3?|pip|cmake|ctest|"
                   r"(?:bench|scripts|adapters|workloads|tests|build/release)/\S+) ?")


def pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split() if name != "CHANGELOG.md"]


def commands(page: Path) -> list[str]:
    """The page's commands: lines of code blocks, continued by a backslash, and `code` within the text."""
    found, fenced, pending = [], False, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        code = line.strip().removeprefix("$ ") if fenced or line.startswith("    ") or pending else ""
        if code:
            pending += code
            if pending.endswith("\\"):
                pending = pending[:-1]
                continue
            found.append(pending)
            pending = ""
        else:
            found += re.findall(r"`([^`]+)`", line)
    return [re.sub(r"\s+#.*", "", command).strip() for command in found if START.match(command)]


class Checker:
    def __init__(self, program: str) -> None:
        self.program = program
        self.help: dict[str, str] = {}
        self.ran = self.compared = 0
        self.wrong: list[str] = []
        self.not_made: set[str] = set() # files of commands that were not run
        self.subcommands = re.findall(r"^  ([a-z]+)  ", self._output(["--help"]), re.M)

    def _output(self, arguments: list[str]) -> str:
        return subprocess.run([self.program, *arguments], check=True, capture_output=True, text=True).stdout

    def _fail(self, page: Path, command: str, why: str) -> None:
        self.wrong.append(f"{page.relative_to(ROOT)}: {command}\n    {why}")

    def optinc(self, page: Path, command: str, folder: str) -> None:
        words = shlex.split(command.split("|")[0] if " | " in command else command)
        if len(words) < 2 or words[1].startswith("-"):
            return
        if words[1] not in self.subcommands:
            if re.fullmatch(r"[a-z]+", words[1]):
                self._fail(page, command, f"no subcommand {words[1]}")
            return
        if words[1] not in self.help:
            self.help[words[1]] = self._output([words[1], "--help"])
        for word in words[2:]:
            option = word.split("=")[0]
            if re.fullmatch(r"--[a-z][a-z-]*", option) and not re.search(
                    rf"^  (-., )?{option}( |$)", self.help[words[1]], re.M):
                self._fail(page, command, f"optinc {words[1]} has no option {option}")
        if LONG.search(command) or PLACEHOLDER.search(command) or len(words) == 2 \
                or words[-1].startswith("--") or self.not_made & set(words):
            self.compared += 1
            self.not_made |= {after for word, after in zip(words, words[1:]) if word in ("-o", "--output")}
            return
        words = [name for word in words for name in sorted(glob.glob(word, root_dir=folder)) or [word]]
        ended = subprocess.run([self.program, *words[1:]], cwd=folder, capture_output=True, text=True)
        self.ran += 1
        expected = 2 if ERRORS.search(command) else 0
        if ended.returncode != expected:
            self._fail(page, command, f"exit status {ended.returncode}, not {expected}: {ended.stderr.strip()}")

    def other(self, page: Path, command: str) -> None:
        self.compared += 1
        try:
            words = shlex.split(command)
        except ValueError as error:
            self._fail(page, command, str(error))
            return
        if words[0] == "make":
            for target in words[1:]:
                if re.fullmatch(r"[a-z-]+", target) and not re.search(
                        rf"^{target}:", (ROOT / "Makefile").read_text(), re.M):
                    self._fail(page, command, f"the Makefile has no target {target}")
        script = None
        for word in words:
            if re.match(r"(bench|scripts|adapters|workloads|tests|devices)/", word) and not PLACEHOLDER.search(word):
                if not (ROOT / word).exists():
                    self._fail(page, command, f"there is no {word}")
                elif (ROOT / word).is_file() and script is None:
                    script = ROOT / word
            option = word.split("=")[0]
            if script and re.fullmatch(r"--[a-z][a-z-]*", option) and not self._knows(script, option):
                self._fail(page, command, f"{script.relative_to(ROOT)} has no option {option}")

    @staticmethod
    def _knows(script: Path, option: str) -> bool:
        """Whether a source beside the script, or of the workloads' common command line, names the option."""
        folders = [script.parent, ROOT / "workloads" / "common"]
        files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
        name = option.removeprefix("--no-") if option.startswith("--no-") else option[2:]
        return any(name in path.read_text(encoding="utf-8", errors="ignore") for path in files)

    @staticmethod
    def _write_vectors(folder: str) -> None:
        """g00.npy .. g15.npy: what a page calls the gradients of the servers, 1,000 floats each."""
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000,), }".ljust(117) + b"\n"
        for server in range(16):
            values = struct.pack("<1000f", *(float((i * (server + 3)) % 41 - 20) for i in range(1000)))
            Path(folder, f"g{server:02}.npy").write_bytes(
                b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + values)

    def check(self, page: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(ROOT / "devices", Path(folder) / "devices")
            self._write_vectors(folder)
            self.not_made = set()
            for name in ("switch", "d"): # what a page takes for granted
                self._output(["design", "--servers", "4", "--bits", "8", "--method", "constructed",
                              "-o", f"{folder}/{name}.safetensors"])
            for command in commands(page):
                plain = re.sub(r"^(?:[A-Z_]+=\S+ )*(build/release/bin/)?", "", command)
                if plain.startswith("optinc "):
                    self.optinc(page, plain, folder)
                else:
                    self.other(page, command)


def main() -> int:
    checker = Checker(sys.argv[1])
    for page in pages():
        checker.check(page)
    for text in checker.wrong:
        print(text)
    print(f"{checker.ran} commands ran, of {checker.compared} the words were compared, "
          f"{len(checker.wrong)} are wrong")
    if checker.ran == 0:
        print("no command was found to run")
    return 1 if checker.wrong or checker.ran == 0 else 0


sys.exit(main())
