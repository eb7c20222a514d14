# SPDX-License-Identifier: Apache-2.0
"""The table of bench/network/run, and its rows in results.csv (the format of bench/bench.h).

A result is {contender, bytes, error, bound (None: it promises none), times_s}. Of each size the first
result is the one that the others are compared with; all whose names begin with "OptINC" are ours.
"DDP no exchange" leaves the gradients as they are: what the step takes without a network. Results of
the part job have {job, tokens} as well, and the loss in place of the error.
"""

import csv
import datetime
import os
import statistics

COLUMNS = ["date", "benchmark", "machine", "what", "ours_median", "other", "other_median", "ratio",
           "unit"]
TITLES = {"mpi": "all-reduce", "gloo": "all-reduce", "ddp": "DDP step", "job": "training step"}


def _median(result):
    return statistics.median(result["times_s"])


def _groups(results):
    """Results that are compared: of one size, or of one training job."""
    groups = {}
    for result in results:
        groups.setdefault(result.get("job", result["bytes"]), []).append(result)
    return groups.values()


def _what(part, result):
    job = f"{result['job']}, " if "job" in result else ""
    return f"{TITLES[part]} of {job}{result['bytes'] / (1 << 20):.4g} MiB"


def _head(results, part, where, load):
    print(f"\n# {TITLES[part]}, {where}: medians of {len(results[0]['times_s'])} in turn; load "
          f"average {load:.1f} on {os.cpu_count()} cores")


def table(results, part, where, ranks, load):
    _head(results, part, where, load)
    (_job_table if part == "job" else _size_table)(results, ranks)
    print(flush=True)


def _job_table(results, _ranks):
    print(f"#{'gradients':>10}  {'':24}{'':24}{'step':>9}{'best':>9}{'tokens':>9}{'loss':>8}"
          f"{'ratio':>7}")
    print(f"#{'(MiB)':>10}  {'':24}{'':24}{'(ms)':>9}{'(ms)':>9}{'(1/s)':>9}{'(nats)':>8}")
    for group in _groups(results):
        for result in group:
            time, best = _median(result), min(result["times_s"])
            print(f"{result['bytes'] / (1 << 20):>11.1f}  {result['job']:<24}"
                  f"{result['contender']:<24}{1e3 * time:>9.1f}{1e3 * best:>9.1f}"
                  f"{result['tokens'] / time:>9.0f}{result['error']:>8.3f}"
                  f"{time / _median(group[0]):>7.2f}")


def _size_table(results, ranks):
    print(f"#{'size':>10}{'count':>11}  {'':24}{'time':>9}{'best':>9}{'algbw':>8}{'busbw':>8}{'error':>10}"
          f"{'bound':>10}{'ratio':>7}")
    print(f"#{'(B)':>10}{'(floats)':>11}  {'':24}{'(ms)':>9}{'(ms)':>9}{'(GB/s)':>8}{'(GB/s)':>8}")
    for group in _groups(results):
        size = group[0]["bytes"]
        for result in group:
            time, best = _median(result), min(result["times_s"])
            rate = 1e-9 * size / time
            bound = "-" if result["bound"] is None else f"{result['bound']:.2e}"
            print(f"{size:>11}{size // 4:>11}  {result['contender']:<24}{1e3 * time:>9.2f}{1e3 * best:>9.2f}"
                  f"{rate:>8.3f}{rate * 2 * (ranks - 1) / ranks:>8.3f}{result['error']:>10.2e}"
                  f"{bound:>10}{time / _median(group[0]):>7.2f}")
            if "quantise_s" in result:
                print("#" + " " * 23 + "on rank 0: " + ", ".join(
                    f"{name} {1e3 * result[name + '_s']:.1f}"
                    for name in ("quantise", "exchange", "switch", "dequantise"))
                    + f" ms; {1e-6 * result['bytes_sent']:.1f} MB sent")


def _machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'} x{os.cpu_count()}"


def append(path, results, part, where, load):
    """A row for every one of ours beside every other."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    new = not path.exists() or path.stat().st_size == 0
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        if new:
            file.write(",".join(COLUMNS) + "\n")
        for group in _groups(results):
            ours = [result for result in group if result["contender"].startswith("OptINC")]
            for own in ours:
                for other in group:
                    if other in ours:
                        continue
                    file.write(date + ",")  # unquoted, as bench.h has it
                    writer.writerow(
                        ["network", _machine(), f"{_what(part, own)}, "
                         f"{own['contender']}, {where}, load {load:.1f}",
                         float(f"{_median(own):.6g}"), other["contender"],
                         float(f"{_median(other):.6g}"),
                         round(_median(own) / _median(other), 4), "s"])
