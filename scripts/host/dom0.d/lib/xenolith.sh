# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# Functions for a script in the Linux dom0. For a guest NAME, these files are in /out:
#   NAME.log   its console, while the guest writes to it
#   NAME.xl    the output of xl
#   NAME.end   how the guest ended, one word: poweroff, reboot, suspend, crash, watchdog,
#              destroyed, timeout, stays (it did not end after its result), failed (to start)
#   NAME.steps one line for each step (below), and NAME.N: the output of step N

# scripts/host/ssh_job.sh sets other directories on a machine that runs Xen
domu_out=${domu_out:-/out}
domu_run=${domu_run:-/run}

# Sets $now to the seconds of the machine's clock, in which all limits are. That clock stands still while
# other programs on the real host have its processors (scripts/host/Clock.pm). On another machine there
# is no such clock. An emulated processor needs 20 ms to start a program, so loops use what sh can do.
look_at_clock() {
    { read -r now <"$domu_out/.clock"; } 2>/dev/null || { read -r now _ </proc/uptime && now=${now%%.*}; }
}

# A tenth of a second between two looks at a state. init has one that starts no program.
domu_pause() {
    sleep 0.1
}

# domu_until SECONDS COMMAND...: repeat COMMAND until it succeeds; fails after SECONDS.
domu_until() {
    local now until
    look_at_clock
    until=$((now + $1))
    shift
    until "$@"; do
        look_at_clock
        [ "$now" -lt $until ] || return 1
        domu_pause
    done
    return 0 # and not what the last pause returned
}

# domu_is_quiet NAME: fails if the console of the guest grows while the clock goes on by one to two
# seconds. xenconsoled pauses reading for 200 ms if a guest writes much.
domu_is_quiet() {
    local now until size
    look_at_clock
    until=$((now + 2))
    size=$(domu_console_size "$1")
    while [ "$now" -lt $until ]; do
        [ "$(domu_console_size "$1")" = "$size" ] || return 1
        domu_pause
        look_at_clock
    done
    return 0
}

# domu NAME CONFIG [SECONDS]: run a guest from its start to its end, and destroy it.
domu() {
    domu_start "$1" create "$2"
    domu_end "$1" "${3:-60}"
    xl destroy "$1" >/dev/null 2>&1 # fails if the domain is gone
}

# domu_start NAME create CONFIG | NAME restore FILE: start a guest; does not wait. The
# name in CONFIG is ignored. With on_...="preserve" in CONFIG the domain stays after its
# end, so that its state can be read and the last lines of its console are not lost.
domu_start() {
    echo "@@ begin $1"
    domu_console "$1"
    rm -f "$domu_out/$1.end"
    if [ "$2" = create ]; then
        xl create -F "$3" "name='$1'" >"$domu_out/$1.xl" 2>&1 </dev/null &
    else
        xl "$2" -F "$3" >"$domu_out/$1.xl" 2>&1 </dev/null &
    fi
    echo $! >"$domu_run/$1.pid"
}

# domu_console NAME: let xenconsoled write the console of the guest to NAME.log, also while the guest comes from
# another host.
domu_console() {
    local name
    : >>"$domu_out/$1.log"
    for name in "$1" "$1--incoming"; do
        ln -sf "$domu_out/$1.log" "/var/log/xen/console/guest-$name.log"
    done
}

# domu_says NAME REGEX [SECONDS]: wait for a line on the console of the guest; fails when
# the domain ends or the time runs out before.
domu_says() {
    domu_until "${3:-60}" domu_says_or_ends "$1" "$2" && grep -q -- "$2" "$domu_out/$1.log"
}

domu_says_or_ends() {
    grep -q -- "$2" "$domu_out/$1.log" || ! domu_lives "$1"
}

# domu_says_from NAME OFFSET REGEX: does the console of the guest have such a line behind this offset?
domu_says_from() {
    tail -c "+$(($2 + 1))" "$domu_out/$1.log" 2>/dev/null | grep -q -- "$3"
}

# domu_lives NAME: does the domain exist, and is it not shut down? xl waits for the
# shutdown, but it ends at a suspend, after which the domain may continue (checkpoint,
# failed save, migration).
domu_lives() {
    local pid
    read -r pid <"$domu_run/$1.pid"
    kill -0 "$pid" 2>/dev/null ||
        { [ "$(domu_code "$1")" = 2 ] && [ "$(domu_column "$1")" = - ]; }
}

# domu_code NAME: print the reason code of the shutdown, from the last line of xl, or nothing.
domu_code() {
    sed -n 's/^Domain .* has shut down, reason code \([0-9]*\) .*/\1/p' "$domu_out/$1.xl" | tail -n 1
}

# domu_column NAME: the same from xl list: - if the domain lives, nothing if it is gone.
domu_column() {
    xl list -v "$1" 2>/dev/null | awk 'NR == 2 { print $8 }'
}

# domu_end NAME [SECONDS]: wait for the end of the guest; destroy the guest after SECONDS,
# or three seconds after its line "Test result". Then show its console.
domu_end() {
    local end=timeout
    domu_until "${2:-60}" domu_says_or_ends "$1" '^.\?Test result: '
    if domu_lives "$1" && grep -q '^.\?Test result: ' "$domu_out/$1.log"; then
        end=stays
        domu_until 3 domu_has_ended "$1"
    fi
    if domu_lives "$1"; then
        [ $end = stays ] || xenctx "$(xl domid "$1")" >>"$domu_out/$1.xl" 2>&1 # the registers of a guest that hangs
        xl destroy "$1"
    else
        end=$(domu_reason "$1")
        # the last lines of another guest may still be in its console ring
        tail -n 1 "$domu_out/$1.log" | grep -q '^.\?Test result: ' || domu_until 60 domu_is_quiet "$1"
    fi
    tr -d '\r' <"$domu_out/$1.log" | sed "s/^/$1| /" # tells the guest's lines from Xen's
    [ "$end" != failed ] || cat "$domu_out/$1.xl"
    echo "@@ end $1 $end"
    echo "$end" >"$domu_out/$1.end"
}

domu_has_ended() {
    ! domu_lives "$1"
}

domu_reason() {
    local code now=
    code=$(domu_code "$1")
    [ "$code" != 2 ] || now=$(domu_column "$1")
    code=${now:-$code}
    case $code in
    0) echo poweroff ;;
    1) echo reboot ;;
    2) echo suspend ;;
    3) echo crash ;;
    4) echo watchdog ;;
    '') grep -q '^Domain .* has been destroyed' "$domu_out/$1.xl" && echo destroyed || echo failed ;;
    *) echo "reason-$code" ;;
    esac
}

# For guests that stay up after their tests (done=wait)

# step NAME COMMAND...: run COMMAND, and add a line to /out/NAME.steps:
#     NUMBER EXIT-CODE SECONDS CONSOLE-BEGIN CONSOLE-END COMMAND...
# CONSOLE-BEGIN and CONSOLE-END are byte offsets in NAME.log. Returns the exit code of
# COMMAND.
step() {
    local name=$1 code=0 begin began now
    shift
    steps=$((${steps:-0} + 1))
    begin=$(domu_console_size "$name")
    look_at_clock
    began=$now
    echo "@@ step $name: $*"
    "$@" >"$domu_out/$name.$steps" 2>&1 </dev/null || code=$?
    look_at_clock
    echo "$steps $code $((now - began)) $begin $(domu_console_size "$name") $*" \
        >>"$domu_out/$name.steps"
    return $code
}

domu_console_size() {
    stat -c %s "$domu_out/$1.log" 2>/dev/null || echo 0
}

# domu_tests NAME COMMAND...: run COMMAND, and wait until the guest has run its self-tests again.
domu_tests() {
    local name=$1 from
    from=$(domu_console_size "$1")
    shift
    "$@" || return
    domu_until 300 domu_has_result "$name" "$from" && domu_says_from "$name" "$from" '^.\?Test result: ' && return
    echo "guest $name: expected a new line \"Test result\" on the console in 300 s after '$*', found none"
    domu_state "$name"
    return 1
}

# Has the guest a result of its self-tests behind this offset of its console, or has it ended?
domu_has_result() {
    domu_says_from "$1" "$2" '^.\?Test result: ' || ! domu_lives "$1"
}

# domu_state NAME: print what the toolstack and Xen know of a guest that hangs: its registers, and
# Xen's timers and run queues.
domu_state() {
    xl list -v "$1"
    xenctx "$(xl domid "$1")"
    xl dmesg -c >/dev/null
    xl debug-keys arq
    domu_until 10 domu_is_counted # Xen handles the keys one after the other, q last
    xl dmesg
} 2>&1

# domu_node NAME PATH [VALUE]: read the node PATH of the guest in xenstore, or write VALUE to it.
domu_node() {
    local path
    path=/local/domain/$(xl domid "$1")/$2 || return
    if [ $# = 2 ]; then
        xenstore-read "$path" 2>/dev/null
    else
        xenstore-write "$path" "$3"
    fi
}

# domu_command NAME COMMAND: write a command of kernel/shell/commands.c to data/command of the guest,
# and wait until the guest has printed that the command is done.
domu_command() {
    local from
    from=$(domu_console_size "$1")
    if ! domu_node "$1" data/command "$2" ||
        ! domu_until 120 domu_says_from "$1" "$from" '^data/command: .* is done'; then
        echo "guest $1: expected the command '$2' to be done in 120 s; xenstore node data/command is: $(domu_node "$1" data/command)"
        return 1
    fi
}

# domu_mem NAME MIB: set the memory target of the guest, and wait until data/balloon has the result.
domu_mem() {
    local pages=$(($2 * 256)) node
    node=/local/domain/$(xl domid "$1")/data/balloon || return
    if ! xl mem-set "$1" "$2" || ! domu_until 120 domu_has_come_to "$node" "of $pages pages" ||
        ! domu_has_come_to "$node" "$pages of $pages pages"; then
        echo "guest $1: xenstore node data/balloon: expected $pages of $pages pages, found: $(xenstore-read "$node")"
        return 1
    fi
}

domu_has_come_to() {
    case " $(xenstore-read "$1" 2>/dev/null)" in
    *" $2"*) ;;
    *) return 1 ;;
    esac
}

# domu_counts NAME: print the pages of the guest as Xen counts them (debug key q):
# nr_pages=... xenheap_pages=... max_pages=...
domu_counts() {
    local tries=0
    until domu_counts_once "$1" | grep .; do # lines of another guest may have interrupted Xen's
        tries=$((tries + 1))
        [ $tries -lt 5 ] || return
    done
}

domu_counts_once() {
    local id
    id=$(xl domid "$1") || return
    xl dmesg -c >/dev/null
    xl debug-keys q
    domu_until 10 domu_is_counted # xl may return before Xen has handled the key
    xl dmesg | awk -v "domain=$id:" '
        / information for domain / { is_it = $NF == domain }
        is_it && /nr_pages=/ {
            for (i = 1; i <= NF; i++)
                if ($i ~ /^(nr|xenheap|max)_pages=/)
                    printf "%s ", $i
            print ""
        }'
}

domu_is_counted() {
    xl dmesg | grep -q 'Shared frames'
}
