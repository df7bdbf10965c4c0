#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every benchmark with one command, and the page that is made of them. See --help.
set -uo pipefail

usage() {
    cat <<HELP
usage: bench/run.sh [OPTION...]

Builds turnpike for speed, runs every benchmark that can run here, one after the other, and makes a page of tables and
plots of what they measured. Half an hour to forty minutes; nothing else should run meanwhile.

  --quick            three minutes: fewer allocations, repetitions and seconds
  --only STEP,...    of these: $(IFS=, && echo "${STEPS[*]}");
                     the page keeps what others measured before, on the same machine
  --results FOLDER   for the figures and the page (build-bench/results)
  --publish          make docs/performance.md of it, too
  --nice N           of what is measured, where others run too; root's (-20)
  --build FOLDER     build there (build-bench)
  --no-build         take what has been built there
  --help

forward, draws, shapes, handoff, tables, requests and setup need no root. memif needs root and Debian's dpdk-dev (testpmd); huge pages are
reserved for it and given back. coturn and streams need root and Debian's coturn. What cannot run is skipped, and why is said
here and on the page.
HELP
}

STEPS=(forward draws shapes handoff tables requests setup memif coturn streams)
cd "$(dirname "$0")/.." || exit 1
results='' build=build-bench only=("${STEPS[@]}") quick=false publish=false no_build=false nice=-20
die() {
    echo "bench/run.sh: $1; see --help" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --quick) quick=true ;;
    --publish) publish=true ;;
    --no-build) no_build=true ;;
    --only | --results | --nice | --build)
        [ $# -gt 1 ] || die "a value is missing for $1"
        case $1 in
        --only) IFS=, read -ra only <<<"$2" ;;
        --results) results=$2 ;;
        --nice) nice=$2 ;;
        --build) build=$2 ;;
        esac
        shift
        ;;
    *) die "unknown option '$1'" ;;
    esac
    shift
done
for step in "${only[@]}"; do
    [[ " ${STEPS[*]} " = *" $step "* ]] || die "no step '$step'"
done
[ -n "$results" ] || results=$build/results
PYTHON=/usr/bin/python3 # Debian's
export PYTHONDONTWRITEBYTECODE=1
started=$SECONDS
mkdir -p "$results" || exit 1
steps=$(mktemp) huge_pages='' session=''
finish() {
    rm -f "$steps"
    [ -z "$session" ] || echo "$session" >/proc/self/autogroup
    [ -z "$huge_pages" ] || echo "$huge_pages" >/proc/sys/vm/nr_hugepages
}
trap finish EXIT
trap 'exit 130' INT TERM

# record NAME STATUS SECONDS LOAD COMMAND WHY
record() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$steps"
}

wants() {
    [[ " ${only[*]} " = *" $1 "* ]]
}

# skip NAME WHY
skip() {
    echo "== $1: skipped: $2"
    record "$1" skipped 0 '' '' "skipped: $2"
}

# run NAME COMMAND...: its figures go to NAME.json.
run() {
    local name=$1 load began=$SECONDS command
    shift
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    command="$*"
    command=${command//$PWD\//}
    echo "== $name ($((SECONDS - started)) s): $command"
    rm -f "$results/$name.json"
    if "$@" --json "$results/$name.json"; then
        record "$name" "done" $((SECONDS - began)) "$load" "$command" ''
    else
        echo "== $name: failed" >&2
        record "$name" failed $((SECONDS - began)) "$load" "$command" 'failed'
        failed=true
    fi
}

# reserve_huge_pages COUNT: for as long as this runs.
reserve_huge_pages() {
    local free
    free=$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)
    if [ "${free:-0}" -lt "$1" ] && [ -w /proc/sys/vm/nr_hugepages ]; then
        huge_pages=$(cat /proc/sys/vm/nr_hugepages)
        echo $((huge_pages + $1 - free)) >/proc/sys/vm/nr_hugepages
    fi
}

# The kernel weighs sessions before it weighs the processes of one.
go_first() {
    [ "$(id -u)" -eq 0 ] || return
    renice -n "$nice" -p $$ >/dev/null
    [ -w /proc/self/autogroup ] || return
    session=$(awk '{ print $NF }' /proc/self/autogroup)
    echo "$nice" >/proc/self/autogroup
}

# why_not COMMAND PACKAGE: nothing when it can run.
why_not() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "not root"
    elif [ "$(nproc)" -lt 2 ]; then
        echo "one CPU: relay and generator need one each"
    elif ! command -v "$1" >/dev/null; then
        echo "no $1 (Debian's $2)"
    fi
}

failed=false
build() {
    [ -f "$build/build.ninja" ] || meson setup "$build" --buildtype=release || return
    ninja -C "$build" turnpike bench/forward bench/shapes/shapes bench/handoff/handoff bench/tables/tables bench/requests \
        bench/setup bench/load/load bench/streams/streams
}

if ! $no_build; then
    echo "== build in $build"
    { build && ninja -C "$build" bench/distance; } >"$results/build.log" 2>&1 || { tail -30 "$results/build.log"; exit 1; }
fi

go_first
media_cases=channel-to-peer,peer-to-channel,mixed,send-to-peer,peer-to-data,mixed-v6
other_cases=mixed-v4-v6,hairpin,binding,unauthenticated
if $quick; then
    forward=(--case "$media_cases" --allocations 10k --repeat 5)
    others=(--case "$other_cases" --allocations 10k --repeat 5)
    draws=(--case mixed --allocations 1M --draw "uniform,zipf" --repeat 5)
    shapes=(--repeat 3)
    handoff=(--allocations 10k --repeat 5)
    tables=(--keys "10k,1M" --repeat 3)
    requests=(--allocations 20000)
    setup=(--allocations 100000)
    memif=(--case 14x10k --case 160x10k --case 1200x10k --repeat 2 --duration 0.3 --latency-duration 1
        --rate 100k --rate 1M --upkeep-duration 2)
    coturn=(--repeat 1 --duration 0.5)
    streams=(--repeat 1 --pairs 2 --duration 0.2 --warm-up 0.1 --payload 1200 --direction both)
    huge=512
else
    forward=(--case "$media_cases")
    others=(--case "$other_cases" --allocations "10k,1M")
    draws=(--case mixed --allocations "10k,1M" --draw "uniform,zipf" --payload "160,1200")
    shapes=() handoff=() tables=() requests=() setup=(--allocations 1000000)
    # Short runs, often in turn: virtual CPUs move.
    memif=(--repeat 20 --repeat-large 10 --duration 0.3 --duration-large 2 --latency-duration 2 --upkeep-duration 6) coturn=(--repeat 10 --duration 0.6)
    streams=(--repeat 10 --pairs 15 --duration 0.5 --warm-up 0.2)
    huge=2048
fi

wants forward && run forward "$build/bench/forward" "${forward[@]}"
wants forward && run forward-others "$build/bench/forward" "${others[@]}"
wants draws && run forward-draws "$build/bench/forward" "${draws[@]}"
wants shapes && run shapes "$build/bench/shapes/shapes" "${shapes[@]}"
wants handoff && run handoff "$build/bench/handoff/handoff" "${handoff[@]}"
wants tables && run tables "$build/bench/tables/tables" "${tables[@]}"
wants requests && run requests "$build/bench/requests" "${requests[@]}"
wants setup && run setup "$build/bench/setup" "${setup[@]}"
if wants memif; then
    why=$(why_not dpdk-testpmd dpdk-dev)
    if [ -n "$why" ]; then
        skip memif "$why"
    else
        reserve_huge_pages $huge
        run memif bench/compare memif --build "$PWD/$build" --realtime --nice "$nice" "${memif[@]}"
    fi
fi
if wants coturn; then
    why=$(why_not turnserver coturn)
    if [ -n "$why" ]; then
        skip coturn "$why"
    else
        run coturn bench/compare --build "$PWD/$build" --realtime --nice "$nice" "${coturn[@]}"
    fi
fi
if wants streams; then
    why=$(why_not turnserver coturn)
    if [ -n "$why" ]; then
        skip streams "$why"
    else
        run streams bench/compare streams --build "$PWD/$build" --realtime --nice "$nice" "${streams[@]}"
    fi
fi

$quick && mode=(--quick) || mode=()
$PYTHON bench/page/machine.py --steps "$steps" --build "meson setup --buildtype=release" "${mode[@]}" --json "$results/run.json" ||
    exit 1
$PYTHON bench/report --from "$results" --to "$results/page" || exit 1
if $publish; then
    $PYTHON bench/report --from "$results" || exit 1
fi
echo "== $((SECONDS - started)) s"
! $failed
