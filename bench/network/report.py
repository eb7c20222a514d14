# SPDX-License-Identifier: Apache-2.0
"""The table of bench/network/run, and its rows in results.csv (the format of bench/bench.h).

A result is {contender, bytes, error, bound (None: it promises none), times_s}. Of each size the first
result is the one that the others are compared with; all whose names begin with "OptINC" are ours.
"DDP no exchange" leaves the gradients as they are: what the step takes without a network.
"""

import csv
import datetime
import os
import statistics

COLUMNS = ["date", "benchmark", "machine", "what", "ours_median", "other", "other_median", "ratio",
           "unit"]
TITLES = {"mpi": "all-reduce", "gloo": "all-reduce", "ddp": "DDP step"}


def _median(result):
    return statistics.median(result["times_s"])


def _by_size(results):
    sizes = {}
    for result in results:
        sizes.setdefault(result["bytes"], []).append(result)
    return sizes


def table(results, part, where, ranks, load):
    rounds = len(results[0]["times_s"])
    print(f"\n# {TITLES[part]}, {where}: medians of {rounds} in turn; load average {load:.1f} on "
          f"{os.cpu_count()} cores")
    print(f"#{'size':>10}{'count':>11}  {'':24}{'time':>9}{'best':>9}{'algbw':>8}{'busbw':>8}{'error':>10}"
          f"{'bound':>10}{'ratio':>7}")
    print(f"#{'(B)':>10}{'(floats)':>11}  {'':24}{'(ms)':>9}{'(ms)':>9}{'(GB/s)':>8}{'(GB/s)':>8}")
    for size, group in _by_size(results).items():
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
    print(flush=True)


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
        for size, group in _by_size(results).items():
            ours = [result for result in group if result["contender"].startswith("OptINC")]
            for own in ours:
                for other in group:
                    if other in ours:
                        continue
                    file.write(date + ",")  # unquoted, as bench.h has it
                    writer.writerow(
                        ["network", _machine(), f"{TITLES[part]} of {size / (1 << 20):g} MiB, "
                         f"{own['contender']}, {where}, load {load:.1f}",
                         float(f"{_median(own):.6g}"), other["contender"],
                         float(f"{_median(other):.6g}"),
                         round(_median(own) / _median(other), 4), "s"])
