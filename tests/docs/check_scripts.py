# SPDX-License-Identifier: Apache-2.0
"""check_scripts.py: every script prints what it does, and an example, on --help, and does nothing else."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["bench", "check_includes", "coverage", "demo", "draw_layout", "draw_losses", "fuzz", "lint", "manual", "setup", "valgrind"]
PATHS = [f"scripts/{name}" for name in SCRIPTS] + [
    "bench/mpi.sh", "bench/pmpi.sh", "bench/network/run", "tests/suites/run_suites"]
# These need packages for what they do, but not to say what that is.
BENCHMARKS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "bench").glob("*.py"))


def main() -> int:
    wrong = 0
    for path in PATHS + BENCHMARKS:
        bare = [sys.executable, "-S"] if path in BENCHMARKS else []
        ended = subprocess.run([*bare, ROOT / path, "--help"], capture_output=True, text=True, timeout=60)
        if ended.returncode != 0 or ended.stderr or f"{path} " not in ended.stdout + " " and \
                f"{path}\n" not in ended.stdout:
            print(f"{path} --help: exit status {ended.returncode}\n{ended.stdout}{ended.stderr}")
            wrong += 1
    return 1 if wrong else 0


sys.exit(main())
