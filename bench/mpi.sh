#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mpi.sh [RANKS [bench_mpi's options]]: bench_mpi among ranks of this machine, under Open MPI.
#
#   bench/mpi.sh 4 --csv bench/results.csv
case "${1:-}" in --help|-h) sed -n '3,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
ranks=${1:-4}
[ $# -gt 0 ] && shift
exec "$root/tests/mpi/run_ranks" openmpi mpirun.openmpi "$ranks" "$root/build/release/bench/bench_mpi" "$@"
