# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# What a job in the Linux dom0 can call. For a guest NAME there is, in /out:
#   NAME.log   its console, as it grows
#   NAME.xl    what xl said of it
#   NAME.end   how it ended, one word: poweroff, reboot, suspend, crash, watchdog,
#              destroyed, timeout, stays (after its result), failed (to start)
#   NAME.steps what step did to it, one line each, and NAME.N: what step N printed

# Elsewhere on a machine that is not ours (scripts/ssh-domu.d)
domu_out=${domu_out:-/out}
domu_run=${domu_run:-/run}

now() {
    cut -d . -f 1 /proc/uptime
}

# domu NAME CONFIG [SECONDS]: a guest from its start to its end; nothing remains.
domu() {
    domu_start "$1" create "$2"
    domu_end "$1" "${3:-60}"
    xl destroy "$1" >/dev/null 2>&1 # if it is still there
}

# domu_start NAME create CONFIG | NAME restore FILE: does not wait. The name in
# CONFIG does not count. With on_...="preserve" the domain stays after its end,
# to be looked at, and no last word of its console is lost.
domu_start() {
    echo "@@ begin $1"
    : >>"$domu_out/$1.log"
    ln -sf "$domu_out/$1.log" "/var/log/xen/console/guest-$1.log" # xenconsoled's name for it
    ln -sf "$domu_out/$1.log" "/var/log/xen/console/guest-$1--incoming.log" # while it migrates
    rm -f "$domu_out/$1.end"
    if [ "$2" = create ]; then
        xl create -F "$3" "name='$1'" >"$domu_out/$1.xl" 2>&1 </dev/null &
    else
        xl "$2" -F "$3" >"$domu_out/$1.xl" 2>&1 </dev/null &
    fi
    echo $! >"$domu_run/$1.pid"
}

# domu_says NAME REGEX [SECONDS]: wait for a line on its console; fails when the
# domain ends, or time runs out, without it.
domu_says() {
    local until=$(($(now) + ${3:-60}))
    until grep -q -- "$2" "$domu_out/$1.log"; do
        domu_lives "$1" && [ "$(now)" -lt $until ] || return 1
        sleep 0.2
    done
}

# Is it there, and not shut down? xl waits for that, but takes its leave at a
# suspend, after which the domain may go on (checkpoint, failure, migration).
domu_lives() {
    kill -0 "$(cat "$domu_run/$1.pid")" 2>/dev/null ||
        { [ "$(domu_code "$1")" = 2 ] && [ "$(domu_column "$1")" = - ]; }
}

# The reason of its shutdown, as a number, or nothing: by what xl said last.
domu_code() {
    sed -n 's/^Domain .* has shut down, reason code \([0-9]*\) .*/\1/p' "$domu_out/$1.xl" | tail -n 1
}

# The same as xl sees it now: - if it lives, nothing if it is gone.
domu_column() {
    xl list -v "$1" 2>/dev/null | awk 'NR == 2 { print $8 }'
}

# domu_end NAME [SECONDS]: wait for its end, and make one if there is none in time,
# or in three seconds after its result. Then show its console.
domu_end() {
    local until=$(($(now) + ${2:-60})) end=timeout
    while domu_lives "$1" && [ "$(now)" -lt $until ]; do
        if [ $end = timeout ] && grep -q '^.\?Test result: ' "$domu_out/$1.log"; then
            end=stays
            until=$(($(now) + 3))
        fi
        sleep 0.2
    done
    if domu_lives "$1"; then
        [ $end = stays ] || xenctx "$(xl domid "$1")" >>"$domu_out/$1.xl" 2>&1 # where it hangs
        xl destroy "$1"
    else
        end=$(domu_reason "$1")
        # xenconsoled puts off a guest that writes much, for 200 ms
        tail -n 1 "$domu_out/$1.log" | grep -q '^.\?Test result: ' || sleep 0.4
    fi
    tr -d '\r' <"$domu_out/$1.log" | sed "s/^/$1| /" # whose line it is, and not Xen's
    [ "$end" != failed ] || cat "$domu_out/$1.xl"
    echo "@@ end $1 $end"
    echo "$end" >"$domu_out/$1.end"
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

# For guests that live (done=wait)

# step NAME COMMAND...: does it, and leaves a line in /out/NAME.steps:
#     NUMBER EXIT-CODE SECONDS CONSOLE-BEGIN CONSOLE-END COMMAND...
# where the console is a range of bytes of NAME.log. Fails as COMMAND does.
step() {
    local name=$1 code=0 begin began
    shift
    steps=$((${steps:-0} + 1))
    begin=$(domu_console_size "$name")
    began=$(now)
    "$@" >"$domu_out/$name.$steps" 2>&1 </dev/null || code=$?
    echo "$steps $code $(($(now) - began)) $begin $(domu_console_size "$name") $*" \
        >>"$domu_out/$name.steps"
    return $code
}

domu_console_size() {
    stat -c %s "$domu_out/$1.log" 2>/dev/null || echo 0
}

# domu_until SECONDS COMMAND...: again and again, until it succeeds.
domu_until() {
    local until=$(($(now) + $1))
    shift
    until "$@"; do
        [ "$(now)" -lt $until ] || return 1
        sleep 0.1
    done
}

# How often it has said its result.
domu_results() {
    awk '/^.?Test result: / { n++ } END { print n + 0 }' "$domu_out/$1.log" 2>/dev/null || echo 0
}

# domu_tests NAME COMMAND...: does it, and waits until NAME has tested itself since.
domu_tests() {
    local name=$1 before until
    before=$(domu_results "$1")
    shift
    "$@" || return
    until=$(($(now) + 300))
    until [ "$(domu_results "$name")" -gt "$before" ]; do
        if ! domu_lives "$name" || [ "$(now)" -ge $until ]; then
            echo "$name has not tested itself after: $*"
            return 1
        fi
        sleep 0.1
    done
}

# domu_node NAME PATH [VALUE]: reads a node of its own in xenstore, or writes it.
domu_node() {
    local path
    path=/local/domain/$(xl domid "$1")/$2 || return
    if [ $# = 2 ]; then
        xenstore-read "$path" 2>/dev/null
    else
        xenstore-write "$path" "$3"
    fi
}

# domu_command NAME WORD: gives an order (kernel/shell/commands.c), and waits until it is done.
domu_command() {
    if ! domu_node "$1" data/command "$2" || ! domu_until 120 domu_has_no_command "$1"; then
        echo "$1 does not obey: $2"
        return 1
    fi
}

domu_has_no_command() {
    [ -z "$(domu_node "$1" data/command)" ]
}

# domu_mem NAME MIB: lets it shrink or grow, and waits until it says how far it came.
domu_mem() {
    local pages=$(($2 * 256))
    if ! xl mem-set "$1" "$2" || ! domu_until 120 domu_has_come_to "$1" "of $pages pages" ||
        ! domu_has_come_to "$1" "$pages of $pages pages"; then
        echo "$1 has not come to $pages pages; data/balloon: $(domu_node "$1" data/balloon)"
        return 1
    fi
}

domu_has_come_to() {
    case " $(domu_node "$1" data/balloon)" in
    *" $2"*) ;;
    *) return 1 ;;
    esac
}

# Its pages as Xen counts them (debug key q): nr_pages=... xenheap_pages=... max_pages=...
domu_counts() {
    local tries=0
    until domu_counts_once "$1" | grep .; do # another guest's words may have come between
        tries=$((tries + 1))
        [ $tries -lt 5 ] || return
    done
}

domu_counts_once() {
    local id
    id=$(xl domid "$1") || return
    xl dmesg -c >/dev/null
    xl debug-keys q
    domu_until 10 domu_is_counted # the key is not always served before it returns
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
