#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs fuzz targets, shows their progress and prints a table at the end; or merges the inputs that
# they have found into tests/fuzz/corpus.

set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
    cat <<'END'
usage: tests/fuzz/run.sh [-j N] [-s SECONDS | -n RUNS] DIR TARGET...
       tests/fuzz/run.sh --merge DIR TARGET...

Runs the program DIR/fuzz_TARGET of each TARGET, N at the same time (1), for
SECONDS (60) each, or for RUNS inputs each. Inputs come from
tests/fuzz/corpus/TARGET and DIR/corpus/TARGET; new inputs go to the latter.
--merge writes to tests/fuzz/corpus/TARGET the smallest set of both that reaches
the same code.

Exit: 0 nothing found, 1 a crash, a hang or a failed check (the input that shows
the finding is named), 2 bad usage.
END
}

# The longest input of a target, in bytes: it reaches all code of the target, and is short for speed.
max_len() {
    case $1 in
    e820 | start_info) echo 256 ;;
    *) echo 160 ;;
    esac
}

merge() {
    local dir=$1 target tree merged
    shift
    for target; do
        tree=tests/fuzz/corpus/$target merged=$dir/merged/$target
        rm -rf "$merged"
        mkdir -p "$merged" "$tree" "$dir/corpus/$target"
        "$dir/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len="$(max_len "$target")" \
            "$merged" "$tree" "$dir/corpus/$target" >"$dir/$target.merge.log" 2>&1
        rm -f "$tree"/*
        cp "$merged"/* "$tree"
        printf '%-12s %4d inputs, %6d bytes\n' "$target" \
            "$(find "$tree" -type f | wc -l)" "$(cat "$tree"/* | wc -c)"
    done
}

start() {
    local dir=$1 target=$2 limit=$3 corpora=("$1/corpus/$2") args
    args=(-max_len="$(max_len "$target")" "$limit" -timeout=10 -print_final_stats=1
        -artifact_prefix="$dir/$target-")
    [ ! -f "tests/fuzz/$target.dict" ] || args+=(-dict="tests/fuzz/$target.dict")
    [ ! -d "tests/fuzz/corpus/$target" ] || corpora+=("tests/fuzz/corpus/$target")
    mkdir -p "$dir/corpus/$target"
    exec nice -n 10 "$dir/fuzz_$target" "${args[@]}" "${corpora[@]}" >"$dir/$target.log" 2>&1
}

# RUNS, EDGES and N of libFuzzer's last line "#RUNS EVENT cov: EDGES ft: ... corp: N/..."
last() {
    sed -n 's|^#\([0-9]*\)[\t ]\+[A-Za-z]* *cov: \([0-9]*\) ft: [0-9]* corp: \([0-9]*\)/.*|\1 \2 \3|p' \
        "$1" 2>/dev/null | tail -n 1
}

progress() {
    local target runs edges
    for target in "${!pids[@]}"; do
        read -r runs edges _ <<<"$(last "$dir/$target.log")" || true
        printf '  FUZZ    %s: %s runs, %s edges\n' "$target" "${runs:-0}" "${edges:-0}" >&2
    done
}

# Collects the exit codes of targets that have ended; true if at least one has ended.
reap() {
    local target done=1
    for target in "${!pids[@]}"; do
        kill -0 "${pids[$target]}" 2>/dev/null && continue
        wait "${pids[$target]}" || failed[$target]=$?
        unset "pids[$target]"
        done=0
    done
    return $done
}

summary() {
    local target runs edges corpus rate all
    printf '%-12s %11s %9s %7s %7s %7s\n' target runs runs/s corpus edges of
    for target; do
        read -r runs edges corpus <<<"$(last "$dir/$target.log")" || true
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$target.log")
        rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$dir/$target.log")
        all=$(sed -n 's/^INFO: Loaded 1 modules *(\([0-9]*\) inline.*/\1/p' "$dir/$target.log")
        printf '%-12s %11s %9s %7s %7s %7s\n' "$target" "${runs:-?}" "${rate:-?}" \
            "${corpus:-?}" "${edges:-?}" "${all:-?}"
    done
    for target in "${!failed[@]}"; do
        printf '%s: %s; the input is in %s\n' "$target" \
            "$(grep -aE -m 1 'expected: |ERROR: |runtime error: ' "$dir/$target.log" ||
                echo "expected exit code 0, found ${failed[$target]}; see $dir/$target.log")" \
            "$(sed -n 's/.*Test unit written to //p' "$dir/$target.log")"
    done
}

jobs=1 limit=-max_total_time=60 do_merge=
while [ $# != 0 ]; do
    case $1 in
    -j) jobs=${2:-} && shift 2 ;;
    -s) limit=-max_total_time=${2:-} && shift 2 ;;
    -n) [ -z "${2:-}" ] || limit=-runs=$2
        shift 2 ;;
    --merge) do_merge=yes && shift ;;
    -h | --help) usage && exit ;;
    -*) usage >&2 && exit 2 ;;
    *) break ;;
    esac
done
if [ $# -lt 2 ] || ! [[ $jobs =~ ^[1-9][0-9]*$ && $limit =~ =[1-9][0-9]*$ ]]; then
    usage >&2
    exit 2
fi
dir=$1
shift

if [ "$do_merge" ]; then
    merge "$dir" "$@"
    exit
fi

declare -A pids=() failed=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
tick=0
for target; do
    start "$dir" "$target" "$limit" &
    pids[$target]=$!
    while [ ${#pids[@]} -ge "$jobs" ] || { [ "$target" = "${*: -1}" ] && [ ${#pids[@]} != 0 ]; }; do
        reap && continue
        sleep 1
        ((++tick % 15)) || progress
    done
done
summary "$@"
[ ${#failed[@]} = 0 ]
