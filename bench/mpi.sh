#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mpi.sh [RANKS [bench_mpi's options]]: bench_mpi among ranks of this machine, under Open MPI.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
ranks=${1:-4}
[ $# -gt 0 ] && shift
exec "$root/tests/mpi/run_ranks" openmpi mpirun.openmpi "$ranks" "$root/build/release/bench/bench_mpi" "$@"
