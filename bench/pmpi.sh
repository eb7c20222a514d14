#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pmpi.sh [RANKS [bench_pmpi's options]]: what liboptinc_pmpi costs the calls that it passes on, among
# ranks of this machine, under Open MPI.
#
#   bench/pmpi.sh 2
case "${1:-}" in --help|-h) sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
ranks=${1:-2}
[ $# -gt 0 ] && shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$build/bin/optinc" design --servers 4 --bits 8 --method constructed -o "$folder/switch.safetensors" > /dev/null
OPTINC_DESIGN=$folder/switch.safetensors OPTINC_TABLE=0 \
    "$root/tests/mpi/run_ranks" openmpi mpirun.openmpi "$ranks" \
    env LD_PRELOAD="$build/adapters/mpi/liboptinc_pmpi_openmpi.so" "$build/bench/bench_pmpi" "$@"
