# shellcheck shell=dash disable=SC2154
# SPDX-License-Identifier: MIT
#
# What is done to a living guest by the toolstack, as steps (scripts/dom0.d/lib/xenolith.sh) that
# ../Life.pm looks at. Each function's first word is the guest's name; where it tests itself
# afterwards, it has done so when the function returns.

# What migrate takes for ssh: it comes back to this host.
cat >/tmp/wrapper <<'END'
#!/bin/sh
shift
exec "$@"
END

# The same, and when a megabyte has gone through, a command for the guest that is being sent.
cat >/tmp/ordering_wrapper <<'END'
#!/bin/sh
shift
{
    dd bs=64k count=16 iflag=fullblock 2>/dev/null
    xenstore-write "$(cat /tmp/command_path)" generation
    until [ -z "$(xenstore-read "$(cat /tmp/command_path)")" ]; do sleep 0.1; done
    cat
} | "$@"
END
chmod +x /tmp/wrapper /tmp/ordering_wrapper
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

checkpoint() {
    domu_tests "$1" xl save -c "$1" "/tmp/$1.save"
    local code=$?
    rm -f "/tmp/$1.save"
    return $code
}

# A save that fails when the guest has suspended already.
save_fails() {
    mount -t tmpfs -o size=1m small /tmp/small || return
    domu_tests "$1" fails xl save "$1" /tmp/small/save
    local code=$?
    umount /tmp/small
    return $code
}

# The guest does not suspend at all, and says why; the tool waits for a minute.
save_refused() {
    fails xl save "$1" "/tmp/$1.save" && domu_node "$1" data/suspend
}

fails() {
    ! "$@"
}

# To this host, which takes the place of another. A guest that gives back a page just when the
# toolstack is to map it makes it give up (write_batch of xg_sr_save.c); then it is asked again.
migrate() {
    local before tries=0
    before=$(domu_results "$1")
    until xl migrate -s /tmp/wrapper "$1" localhost >/tmp/migrated 2>&1; do
        cat /tmp/migrated
        tries=$((tries + 1))
        grep -q 'Mapping of pfn .* failed -16' /tmp/migrated && [ $tries -lt 5 ] || return 1
    done
    cat /tmp/migrated
    domu_until 120 results_are_past "$1" "$before"
}

results_are_past() {
    [ "$(domu_results "$1")" -gt "$2" ]
}

# The guest says, while it is sent, that its list has changed; so it stays.
migrate_fails() {
    local id
    id=$(xl domid "$1") || return
    echo "/local/domain/$id/data/command" >/tmp/command_path
    fails xl migrate -s /tmp/ordering_wrapper "$1" localhost && [ "$(xl domid "$1")" = "$id" ]
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

# What it says is on its console a little later.
guest_command() {
    domu_command "$1" "$2" || return
    [ "$2" = churn ] || domu_until 60 console_rests "$1"
}

console_rests() {
    local size
    size=$(domu_console_size "$1")
    sleep 0.5
    [ "$(domu_console_size "$1")" = "$size" ]
}

tests() {
    domu_tests "$1" domu_command "$1" test
}

# The same order, typed on its console.
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

mem_max() {
    xl mem-max "$1" "$2"
}

counts() {
    domu_counts "$1"
}

# Its own processor time, over so many seconds of doing nothing.
idle() {
    local before
    before=$(processor_time "$1")
    sleep "$2"
    echo "idle $2 $before $(processor_time "$1")"
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

# While it boots: after the first line of its console that holds this.
destroy_at() {
    local from
    from=$(($(domu_console_size "$1") + 1))
    domu_start "$1" create "/job/$1.cfg" && domu_until 60 says_from "$1" "$from" "$2" &&
        xl destroy "$1" && domu_until 10 fails xl domid "$1"
}

says_from() {
    tail -c "+$2" "/out/$1.log" | grep -q "$3"
}

gone() {
    xl destroy "$1" && domu_until 10 fails xl domid "$1"
}

# The host

host_memory() {
    xl list && xl info | grep -E '^(free_memory|outstanding_claims) '
}

# What Xen scrubs is not free yet.
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
