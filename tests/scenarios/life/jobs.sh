# shellcheck shell=dash disable=SC2154
# SPDX-License-Identifier: MIT
#
# Actions of the toolstack on a running guest, as steps (scripts/host/dom0.d/lib/xenolith.sh) whose
# results ../Life.pm checks. The first argument of each function is the guest's name. If the guest
# runs its self-tests after the action, the function waits for their result.

# shellcheck source=tests/scenarios/network.sh
[ ! -e /job/network.sh ] || . /job/network.sh

# The command that xl migrate runs instead of ssh: the receiver runs on this host.
cat >/tmp/wrapper <<'END'
#!/bin/sh
shift
exec "$@"
END

# The same; after the first MiB of the stream, the guest that is migrated gets a command.
cat >/tmp/command_wrapper <<'END'
#!/bin/sh
shift
{
    dd bs=64k count=16 iflag=fullblock 2>/dev/null
    xenstore-write "$(cat /tmp/command_path)" generation
    until [ -z "$(xenstore-read "$(cat /tmp/command_path)")" ]; do sleep 0.1; done
    cat
} | "$@"
END
chmod +x /tmp/wrapper /tmp/command_wrapper
mkdir -p /tmp/small

create() {
    domu_tests "$1" domu_start "$1" create "/job/$1.cfg"
}

save_restore() {
    xl save "$1" "/tmp/$1.save" && ls -l "/tmp/$1.save" &&
        domu_tests "$1" domu_start "$1" restore "/tmp/$1.save"
    local code=$?
    cat "/out/$1.xl"
    rm -f "/tmp/$1.save"
    return $code
}

# The same on two hosts: the first one saves the guest to a file that the second one has in /job.
save_to_leave() {
    xl save "$1" "/tmp/$1.save" && cp "/tmp/$1.save" /out && ls -l "/out/$1.save"
}

restore_here() {
    local code=0
    domu_tests "$1" domu_start "$1" restore "/job/$1.save" || code=$?
    cat "/out/$1.xl"
    return $code
}

enter_network() {
    join_network "$2"
}

# Migrates to another host, which tests/scenarios/network.sh has connected. xl runs xl migrate-receive there.
migrate_to() {
    xl migrate -s 'dbclient -y -i /root/.ssh/key' "$1" "$2"
}

# On the other host: waits for a guest and the results of its self-tests. This xl has not started the guest, so
# the job stands for it.
arrives() {
    local from
    from=$(domu_console_size "$1")
    echo $$ >"/run/$1.pid"
    domu_console "$1"
    domu_until 3000 domu_says_from "$1" "$from" '^.\?Test result: '
}

restore_on_new_map() {
    restore_here "$1"
}

checkpoint() {
    domu_tests "$1" xl save -c "$1" "/tmp/$1.save"
    local code=$?
    rm -f "/tmp/$1.save"
    return $code
}

# xl suspend and xl resume of Xen 4.20, $2 seconds apart. The guest tests itself after the resume.
suspend_resume() {
    domu_tests "$1" suspend_for "$2" "$1"
}

suspend_for() {
    xl suspend "$2" && sleep "$1" && xl resume "$2"
}

# The same with events of xenstore: $2 events fill the ring of the guest, which is suspended for $3 seconds.
suspend_storm() {
    domu_tests "$1" suspend_in_storm "$@"
}

suspend_in_storm() {
    xl suspend "$1" && write_events "$1" "$2" && sleep "$3" && xl resume "$1"
}

# A save that fails after the guest has suspended: the file system of the save file is too small.
save_fails() {
    mount -t tmpfs -o size=1m small /tmp/small || return
    domu_tests "$1" fails xl save "$1" /tmp/small/save
    local code=$?
    umount /tmp/small
    return $code
}

# The guest refuses to suspend, and writes the reason to data/suspend. xl waits for a minute.
save_refused() {
    fails xl save "$1" "/tmp/$1.save" && domu_node "$1" data/suspend
}

fails() {
    ! "$@"
}

# no_log_dirty FILE: has Xen no shadow page tables, which find the pages of a PV guest that become dirty while xl
# migrates the guest? FILE has the output of xl migrate. Debian's builds of Xen have none.
no_log_dirty() {
    grep -q 'Failed to enable logdirty' "$1" && ! xl info | grep -q '^virt_caps .*shadow' &&
        echo 'left out: this Xen has no shadow page tables, without which xl cannot migrate a PV guest'
}

# Migrates to the same host. The toolstack gives up if the guest gives back a page that the
# toolstack is about to map (write_batch of xg_sr_save.c); the migration is then tried again.
migrate() {
    local from tries=0
    from=$(domu_console_size "$1")
    until xl migrate -s /tmp/wrapper "$1" localhost >/tmp/migrated 2>&1; do
        cat /tmp/migrated
        ! no_log_dirty /tmp/migrated || return 0
        tries=$((tries + 1))
        grep -q 'Mapping of pfn .* failed -16' /tmp/migrated && [ $tries -lt 10 ] || return 1
    done
    cat /tmp/migrated
    domu_until 120 domu_says_from "$1" "$from" '^.\?Test result: '
}

# During the migration the guest changes shared_info.p2m_generation, so the toolstack must give up;
# the guest stays.
migrate_fails() {
    local id
    id=$(xl domid "$1") || return
    echo "/local/domain/$id/data/command" >/tmp/command_path
    fails xl migrate -s /tmp/command_wrapper "$1" localhost >/tmp/migrated 2>&1 || return
    cat /tmp/migrated
    no_log_dirty /tmp/migrated || [ "$(xl domid "$1")" = "$id" ]
}

dump() {
    xl dump-core "$1" "/tmp/$1.core" && cp "/tmp/$1.core" "/out/$1.$steps.core"
    local code=$?
    rm -f "/tmp/$1.core"
    return $code
}

mfndump() {
    xen-mfndump dump-p2m "$(xl domid "$1")" >"/out/$1.$steps.mfns"
}

pause_idle() {
    xl pause "$1" && sleep "$2" && xl unpause "$1"
}

# Pauses the guest during a run of its self-tests: the run has no result when the guest is unpaused.
# A run that was too fast is followed by another.
pause_tests() {
    local from tries=0
    while [ $tries -lt 5 ]; do
        from=$(domu_console_size "$1")
        domu_node "$1" data/command test && xl pause "$1" && sleep "$2" || return
        domu_says_from "$1" "$from" '^.\?Test result: ' || break
        xl unpause "$1"
        tries=$((tries + 1))
    done
    echo "paused during run $((tries + 1))"
    domu_tests "$1" xl unpause "$1"
}

# The guest is paused for as long as xl dump-core writes, and suspended for as long as xl save -c
# writes: the reader of the file begins after $2 seconds.
slow_dump() {
    slowly "$2" "$1" xl dump-core "$1"
}

slow_checkpoint() {
    domu_tests "$1" slowly "$2" "$1" xl save -c "$1"
}

slowly() {
    local seconds=$1 pipe=/tmp/$2.pipe reader code=0
    shift 2
    mkfifo "$pipe"
    { sleep "$seconds" && cat; } <"$pipe" >/dev/null &
    reader=$!
    "$@" "$pipe" || code=$?
    wait $reader
    rm "$pipe"
    return $code
}

guest_command() {
    domu_command "$1" "$2"
}

tests() {
    domu_tests "$1" domu_command "$1" test
}

# The command test, typed on the guest's console.
typed() {
    local tty
    tty=$(domu_node "$1" console/tty) && domu_tests "$1" type_in "$tty" test
}

type_in() {
    echo "$2" >"$1"
}

mem_set() {
    domu_mem "$1" "$2" && domu_node "$1" data/balloon
}

# Sets a size of $2 MiB that the guest cannot reach, and waits until it has gone as near as it can: to
# $3 pages.
aim() {
    local node
    node=/local/domain/$(xl domid "$1")/data/balloon || return
    xl mem-set "$1" "$2" && domu_until 60 domu_has_come_to "$node" "$3 of"
    local code=$?
    domu_node "$1" data/balloon
    return $code
}

# The new domain has another memory map than the old one.
restore_elsewhere() {
    save_restore "$1"
}

mem_max() {
    xl mem-max "$1" "$2"
}

counts() {
    domu_counts "$1"
}

# Prints the seconds of waiting, and the guest's processor time before and after. While other programs
# have the processors of the real host, Xen counts their time as that of the guest which was running:
# of ten waits, the first in which the guest used at most 1 % counts. A guest that polls has none.
idle() {
    local before after tries=0
    while [ $tries -lt 10 ]; do
        before=$(processor_time "$1")
        sleep "$2"
        after=$(processor_time "$1")
        echo "idle $2 $before $after"
        awk "BEGIN { exit !($after - $before <= $2 / 100) }" && break
        tries=$((tries + 1))
    done
    return 0
}

processor_time() {
    xl list "$1" | awk 'NR == 2 { print $6 }'
}

shutdown() {
    xl shutdown -w "$1" && domu_end "$1" 10 && grep -x poweroff "/out/$1.end"
}

reboot_guest() {
    local id
    id=$(xl domid "$1") || return
    domu_tests "$1" xl reboot "$1" && [ "$(xl domid "$1")" != "$id" ]
}

# Daemons of the toolstack that stand still. In each function $2 is the daemon, or "daemons" for all of
# them and for the xl that waits for the end of the guest, and $3 the number of seconds for which it is
# stopped.

# shellcheck disable=SC2086 # pids is a list of words
stop_daemon() {
    local pids
    pids=$(pids_of "$1") || return
    kill -STOP $pids && sleep "$2"
    kill -CONT $pids
}

pids_of() {
    local file pid
    if [ "$1" != daemons ]; then
        pidof "$1"
        return
    fi
    pidof xenstored xenconsoled
    for file in "$domu_run"/*.pid; do # xl waits there no more after a checkpoint
        read -r pid <"$file" && kill -0 "$pid" 2>/dev/null && echo "$pid"
    done
    return 0
}

stopped_idle() {
    stop_daemon "$2" "$3"
}

# Stopped $4 seconds after the self-tests have begun. data/command is emptied although the kernel could
# not do so while it had no answer.
stopped_tests() {
    domu_tests "$1" begin_tests_and_stop "$@" && domu_until 60 domu_has_no_command "$1"
}

begin_tests_and_stop() {
    domu_node "$1" data/command test && sleep "$4" && stop_daemon "$2" "$3"
}

domu_has_no_command() {
    [ -z "$(domu_node "$1" data/command)" ]
}

# Stopped $4 seconds after xl save has begun. libxl gives a guest a minute to suspend: if its time is
# over, the save fails, and the next one must succeed.
stopped_save() {
    domu_tests "$1" save_and_restore "$@"
    local code=$?
    cat "/out/$1.xl"
    rm -f "/tmp/$1.save"
    return $code
}

save_and_restore() {
    xl save "$1" "/tmp/$1.save" &
    sleep "$4"
    stop_daemon "$2" "$3"
    if ! wait $!; then
        [ "$3" -gt 50 ] && echo "xl save failed" || return
        domu_until 60 domu_obeys "$1" || return
        xl save "$1" "/tmp/$1.save" || return
    fi
    domu_start "$1" restore "/tmp/$1.save"
}

# Does the guest do what is written to data/command?
domu_obeys() {
    domu_command "$1" generation
}

# xenstored has $2 events for the guest while the guest is busy with its self-tests.
event_storm() {
    domu_tests "$1" begin_tests_and_write "$@" && domu_until 60 domu_has_no_command "$1"
}

begin_tests_and_write() {
    domu_node "$1" data/command test && write_events "$1" "$2"
}

# Writes the size of the guest, in KiB, to memory/target $2 times.
write_events() {
    local path count=0 kib
    path=/local/domain/$(xl domid "$1")/memory/target && kib=$(xenstore-read "$path") || return
    while [ $count -lt "$2" ]; do
        xenstore-write "$path" "$kib" || return
        count=$((count + 1))
    done
}

# The guest is paused for $3 seconds. $2 events of memory/target fill its ring (1 KiB), and then it gets a
# command, whose event has no room: xenstored drops an event that has waited for 20 seconds.
paused_storm() {
    local from
    from=$(domu_console_size "$1")
    xl pause "$1" && write_events "$1" "$2" && domu_node "$1" data/command generation && sleep "$3" &&
        xl unpause "$1" && domu_until 60 domu_says_from "$1" "$from" '^data/command: .*generation.* is done' &&
        domu_until 60 domu_has_no_command "$1"
}

# Stopped as soon as the guest has a new memory target of $4 MiB.
stopped_mem_set() {
    xl mem-set "$1" "$4" &
    sleep 0.3
    stop_daemon "$2" "$3"
    wait $! || return
    mem_set "$1" "$4"
}

# xenconsoled is stopped during a run of the self-tests, for so long that output is lost.
console_lost() {
    begin_tests_and_stop "$1" xenconsoled "$2" 0.3 && domu_until 120 domu_has_no_command "$1" &&
        domu_until 60 domu_is_quiet "$1"
}

tests_after_loss() {
    tests "$1"
}

# xenconsoled is killed, the guest obeys without it, and another one takes its place.
console_killed() {
    kill -KILL "$(pidof xenconsoled)" && domu_until 10 fails pidof xenconsoled || return
    mem_set "$1" "$2"
    local code=$?
    xenconsoled --log=all --log-dir=/var/log/xen/console || return
    return $code
}

# xl destroy during boot: as soon as the console has a line that matches $2.
destroy_at() {
    local from
    from=$(domu_console_size "$1")
    domu_start "$1" create "/job/$1.cfg" && domu_until 60 domu_says_from "$1" "$from" "$2" &&
        xl destroy "$1" && domu_until 10 fails xl domid "$1" && domu_end "$1" && grep -x destroyed "/out/$1.end"
}

# No program reads the console of the guest. Its ring is full after two thirds of the kernel's output; a
# kernel that waits for a reader would wait forever. xl create waits for xenconsoled, so the guest is
# created paused, and runs after xenconsoled stops. Prints the reason of the shutdown.
mute() {
    xl create -p "/job/$1.cfg" "name='$1'" && kill -STOP "$(pidof xenconsoled)" && xl unpause "$1" || return
    domu_until 60 domu_is_down "$1"
    domu_column "$1"
    kill -CONT "$(pidof xenconsoled)"
}

domu_is_down() {
    [ "$(domu_column "$1")" != - ]
}

gone() {
    xl destroy "$1" && domu_until 10 fails xl domid "$1"
}

# The host

host_memory() {
    xl list && xl info | grep -E '^(free_memory|outstanding_claims) '
}

# Memory that Xen still scrubs is not free yet, so host_end waits.
host_is_as_before() {
    host_memory | sed 1d | awk '$1 == "Domain-0" { $6 = "" } { print }' | cmp -s - /tmp/host
}

host_begin() {
    host_memory | sed 1d | awk '$1 == "Domain-0" { $6 = "" } { print }' >/tmp/host
    cat /tmp/host
}

host_end() {
    domu_until 60 host_is_as_before
    local code=$?
    cat /tmp/host
    host_memory
    return $code
}
