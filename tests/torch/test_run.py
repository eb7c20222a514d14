# SPDX-License-Identifier: Apache-2.0
"""Programs as they are under `-m optinc_torch.run` (plain_job.py)."""

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import harness

_JOB = Path(__file__).with_name("plain_job.py")
harness.preload(["optinc_torch.fsdp"])


class Done(NamedTuple):
    """What a rank said, and how it ended."""

    stdout: str
    stderr: str
    returncode: int


def _rank(arguments: list[str], environment: dict[str, str]) -> Done:
    """`python ARGUMENTS`, in a process of its own that has imported torch already."""
    os.environ |= environment
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    sys.argv = arguments[1:] if arguments[0] == "-m" else arguments
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            if arguments[0] == "-m":
                runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        except Exception as error:  # noqa: BLE001 - what the interpreter would print
            code = 1
            print(error, file=stderr)
    return Done(stdout.getvalue(), stderr.getvalue(), code)


def run(workers, *arguments, environment=None):
    """Rank 0 of a job."""
    return harness.run(workers, _rank, [str(argument) for argument in arguments],
                       environment or {}, initialise=False, timeout_s=100.0)[0]


def digest(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return re.search(r"digest (\w+)", done.stdout).group(1)


def through_the_switch(done):
    return [int(count.replace(",", "")) for count in
            re.findall(r"elements through the switch +([0-9,]+)", done.stderr)]


def test_the_program_of_the_documentation(designs, tmp_path):
    page = Path(__file__).parents[2] / "docs/training.md"
    program = tmp_path / "train.py"
    program.write_text(re.search(r"^```python\n(# train\.py\n.*?)^```", page.read_text("utf-8"), re.M | re.S).group(1))
    losses = []
    for before in ((), ("-m", "optinc_torch.run", "--design", designs / "4x8.safetensors")):
        done = run(2, *before, program)
        assert done.returncode == 0, done.stdout + done.stderr
        losses.append(float(re.search(r"loss ([\d.]+)", done.stdout).group(1)))
    assert through_the_switch(done) == [200 * (256 * 1024 + 1024 + 1024 + 1)]
    assert all(loss < 1 for loss in losses), losses  # 8 where nothing is learnt


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_job_as_it_is_trains_as_one_that_asks_for_the_switch(designs, kind):
    design = designs / "4x8.safetensors"
    explicit = run(3, _JOB, f"{kind}-explicit", design)
    as_it_is = run(3, "-m", "optinc_torch.run", "--design", design, _JOB, kind)
    without = run(3, _JOB, kind)
    assert digest(as_it_is) == digest(explicit) != digest(without)
    counts = through_the_switch(as_it_is)
    assert len(counts) == 1
    if kind == "ddp":
        assert counts == [6 * (30 * 200 + 200 + 200 * 5 + 5)]
    assert not through_the_switch(without)


def test_without_a_file_the_constructed_switch_is_made(designs):
    design = str(designs / "4x4.safetensors")
    named = run(3, "-m", "optinc_torch.run", _JOB, "ddp", environment={"OPTINC_DESIGN": design})
    made = run(3, "-m", "optinc_torch.run", "--bits", "4", _JOB, "ddp")
    eight = run(3, "-m", "optinc_torch.run", _JOB, "ddp")
    assert digest(named) == digest(made) != digest(eight)


def test_a_hook_of_its_own_stays():
    done = run(2, "-m", "optinc_torch.run", _JOB, "ddp-own-hook")
    assert digest(done) == digest(run(2, _JOB, "ddp-own-hook"))
    assert "not through the switch, as it has the program's own hook" in done.stderr


def test_one_rank_is_left_alone():
    done = run(1, "-m", "optinc_torch.run", _JOB, "ddp")
    assert digest(done) == digest(run(1, _JOB, "ddp"))
    assert "not through the switch, as it has one rank" in done.stderr


def test_options_reach_the_hook():
    done = run(2, "-m", "optinc_torch.run", "--warm-up-steps", "2", "--exclude", "*.bias",
               "--measure-every", "1", _JOB, "ddp")
    digest(done)
    weights, biases = 30 * 200 + 200 * 5, 205
    assert through_the_switch(done) == [4 * weights]
    assert re.search(rf"averaged in float32 +{2 * weights + 6 * biases:,}\n", done.stderr)
    bound, error = (float(re.search(rf"{text} +(\S+)\n", done.stderr).group(1)) for text in
                    ("largest bound of a gradient error", "largest error measured"))
    assert 0 < error <= bound


def test_nothing_to_average_is_told_and_the_exit_code_is_the_programs():
    done = run(1, "-m", "optinc_torch.run", _JOB, "none", "x", "7")
    assert "nothing went through the switch" in done.stderr
    assert done.returncode == 7


def test_under_torchrun():
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "optinc_torch.run", str(_JOB), "ddp"], capture_output=True, text=True, timeout=200,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"})
    assert digest(done) == digest(run(2, "-m", "optinc_torch.run", _JOB, "ddp"))
    assert through_the_switch(done)


def test_a_module_can_be_named():
    done = run(2, "-m", "optinc_torch.run", "--quiet", "-m", "plain_job", "ddp")
    assert digest(done) == digest(run(2, "-m", "optinc_torch.run", _JOB, "ddp"))
    assert "optinc:" not in done.stderr


_OTHER = _JOB.with_name("other_jobs.py")


@pytest.mark.parametrize("arguments,message", [
    (["/nowhere/train.py"], "/nowhere/train.py: no such program"),
    (["-m", "nowhere.train"], "nowhere.train: no such module"),
    (["--warm-up-steps", "-1", _JOB, "ddp"], "0 or more were expected"),
    (["--design", "/nowhere/at.all", _JOB, "ddp"], "/nowhere/at.all: cannot be opened"),
    (["--design", "/nowhere/at.all", _JOB, "fsdp"], "/nowhere/at.all: cannot be opened"),
    (["--design", "2x8", _JOB, "ddp"], "2x8.safetensors: a switch with 2 ports cannot serve 3"),
    (["--design", "4x8", "--bits", "4", _JOB, "ddp"], "a design for 8 bits, not for 4"),
    (["--bits", "7", _JOB, "ddp"], "bits is 7, expected an even number"),
    (["--bits", "many", _JOB, "ddp"], "invalid int value: 'many'"),
    (["--rounding", "up", _JOB, "ddp"], "invalid choice: 'up'"),
    (["--seed", "-1", _JOB, "ddp"], "--seed -1: 0 to 2^64 - 1 was expected"),
    (["--block-size", "-64", _JOB, "ddp"], "1 or more were expected"),
    (["--threads", "0", _JOB, "ddp"], "1 or more were expected"),
    (["--timeout", "nan", _JOB, "ddp"], "--timeout nan: seconds above 0 were expected"),
    ([_OTHER, "double"], "were expected, not torch.float64 on cpu"),
    ([_OTHER, "sparse"], "were expected, not sparse torch.float32 on cpu"),
], ids=lambda value: " ".join(map(str, value[:3]))[-40:] if isinstance(value, list) else "")
def test_what_cannot_be_used_is_one_line_of_every_rank(designs, arguments, message):
    """No traceback, no usage, and no line that says how the program ended."""
    arguments = [str(designs / f"{a}.safetensors") if a in ("2x8", "4x8") else str(a)
                 for a in arguments]
    answers = harness.run(3, _rank, ["-m", "optinc_torch.run", *arguments], {}, initialise=False,
                          timeout_s=100.0)
    for rank, done in enumerate(answers):
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith(f"optinc: rank {rank}: ") and message in done.stderr


def test_models_on_groups_of_different_sizes():
    for done in harness.run(4, _rank, ["-m", "optinc_torch.run", str(_OTHER), "groups"], {},
                            initialise=False, timeout_s=100.0):
        assert done.returncode == 0, done.stderr
        found = re.findall(r"mean (\S+) found \[(\S+)\]", done.stdout)
        assert len(found) == 3, done.stdout
        for mean, value in found:  # half a code step of 2^-5, in the worst case
            assert abs(float(mean) - float(value)) <= 1 / 32, found
    # rank 3's half is not rank 0's
    assert [mean for mean, _ in found] == ["3.5", "2.5", "3.5"]


def test_models_that_are_no_more_leave_their_figures_alone():
    done = run(2, "-m", "optinc_torch.run", _OTHER, "folds")
    assert done.stdout.split() == ["lanes", "0"] * 3
    assert through_the_switch(done) == [12] * 3


def test_a_pattern_need_not_fit_every_model():
    done = run(2, "-m", "optinc_torch.run", "--exclude", "0.weight", _OTHER, "two-models")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("--exclude '0.weight' fits no parameter") == 1
    assert through_the_switch(done) == [12, 3 + 3 + 1]


def test_the_programs_own_error_comes_without_a_table():
    done = run(2, "-m", "optinc_torch.run", _OTHER, "broken")
    assert done.returncode == 1
    assert done.stderr.strip() == "the program's own"


_STARTING = _JOB.with_name("starting_job.py")


def starting(*arguments):
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    environment.pop("RANK", None)
    return subprocess.run([sys.executable, *map(str, arguments), str(harness.free_port())],
                          capture_output=True, text=True, timeout=200, check=False, env=environment)


@pytest.mark.parametrize("how", ["spawn", "fork", "copies"])
def test_ranks_that_the_program_starts_itself(how):
    """They are as those of torchrun."""
    done = starting("-m", "optinc_torch.run", "--seed", "3", _STARTING, how)
    assert digest(done) == digest(run(3, "-m", "optinc_torch.run", _JOB, "ddp"))
    assert through_the_switch(done) == [6 * (30 * 200 + 200 + 200 * 5 + 5)]
    assert "nothing went through" not in done.stderr


def test_a_module_that_starts_itself_again():
    done = starting("-m", "optinc_torch.run", "--quiet", "-m", "starting_job", "copies")
    assert digest(done) == digest(run(3, "-m", "optinc_torch.run", _JOB, "ddp"))
    assert "optinc:" not in done.stderr
