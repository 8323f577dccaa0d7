# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# What a job in the Linux dom0 can call. For a guest NAME there is, in /out:
#   NAME.log   its console, as it grows
#   NAME.xl    what xl said of it
#   NAME.end   how it ended, one word: poweroff, reboot, suspend, crash, watchdog,
#              destroyed, timeout, stays (after its result), failed (to start)

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
    : >>"/out/$1.log"
    ln -sf "/out/$1.log" "/var/log/xen/console/guest-$1.log" # xenconsoled's name for it
    rm -f "/out/$1.end"
    if [ "$2" = create ]; then
        xl create -F "$3" "name='$1'" >"/out/$1.xl" 2>&1 </dev/null &
    else
        xl "$2" -F "$3" >"/out/$1.xl" 2>&1 </dev/null &
    fi
    echo $! >"/run/$1.pid"
}

# domu_says NAME REGEX [SECONDS]: wait for a line on its console; fails when the
# domain ends, or time runs out, without it.
domu_says() {
    local until=$(($(now) + ${3:-60}))
    until grep -q -- "$2" "/out/$1.log"; do
        domu_lives "$1" && [ "$(now)" -lt $until ] || return 1
        sleep 0.2
    done
}

# Is it there, and not shut down? xl waits for that, but takes its leave at a
# suspend, after which the domain may go on (checkpoint, failure, migration).
domu_lives() {
    kill -0 "$(cat "/run/$1.pid")" 2>/dev/null ||
        { [ "$(domu_code "$1")" = 2 ] && [ "$(domu_column "$1")" = - ]; }
}

# The reason of its shutdown, as a number, or nothing: by what xl said last.
domu_code() {
    sed -n 's/^Domain .* has shut down, reason code \([0-9]*\) .*/\1/p' "/out/$1.xl" | tail -n 1
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
        if [ $end = timeout ] && grep -q '^Test result: ' "/out/$1.log"; then
            end=stays
            until=$(($(now) + 3))
        fi
        sleep 0.2
    done
    if domu_lives "$1"; then
        [ $end = stays ] || xenctx "$(xl domid "$1")" >>"/out/$1.xl" 2>&1 # where it hangs
        xl destroy "$1"
    else
        end=$(domu_reason "$1")
        # xenconsoled puts off a guest that writes much, for 200 ms
        tail -n 1 "/out/$1.log" | grep -q '^Test result: ' || sleep 0.4
    fi
    tr -d '\r' <"/out/$1.log" | sed "s/^/$1| /" # whose line it is, and not Xen's
    [ "$end" != failed ] || cat "/out/$1.xl"
    echo "@@ end $1 $end"
    echo "$end" >"/out/$1.end"
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
    '') grep -q '^Domain .* has been destroyed' "/out/$1.xl" && echo destroyed || echo failed ;;
    *) echo "reason-$code" ;;
    esac
}
