# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# What is asked of guests that share pages (kernel/selftest/grant_pair.h), as steps for ../GrantPair.pm, beside those
# of ../life/jobs.sh. Each function's first word is the guest's name.

# A domain's number is asked of xl once, which is slow, and is known when it is gone.
begin() {
    create "$1" && xl domid "$1" >"/run/$1.id"
}

come_back() {
    save_restore "$1" && xl domid "$1" >"/run/$1.id"
}

# node NAME PATH [VALUE]
node() {
    local id
    read -r id <"/run/$1.id" || return
    if [ $# = 2 ]; then
        xenstore-read "/local/domain/$id/$2" 2>/dev/null
    else
        xenstore-write "/local/domain/$id/$2" "$3"
    fi
}

node_is() {
    [ "$(node "$1" "$2")" = "$3" ]
}

node_says() {
    [ -n "$(node "$1" "$2")" ]
}

# tell NAME COMMAND...: in which @PEER is PEER's number. It is done when the guest says what came of it.
tell() {
    local name=$1 from command='' id
    shift
    from=$(($(domu_console_size "$name") + 1))
    for word in "$@"; do
        case $word in
        @*) read -r id <"/run/${word#@}.id" && command="$command $id" ;;
        *) command="$command $word" ;;
        esac
    done
    echo "command:$command"
    node "$name" data/command "${command# }" && domu_until 120 node_is "$name" data/command '' &&
        domu_until 10 has_answered "$name" "$from"
}

has_answered() {
    tail -c "+$2" "/out/$1.log" |
        grep -q '^{"report":.*}.$\|^error: grant[a-z]*: .*).$'
}

# What the granter has left for the grantee: kept, and put back; or left for a number of no domain.
keep_reference() {
    node "$1" data/granter >"/run/$1.granter" && cat "/run/$1.granter"
}

put_reference() {
    local id reference
    read -r id <"/run/$1.id" || return
    reference=${2:-$(cat "/run/$1.granter")}
    node "$1" data/granter "$reference" && xenstore-chmod "/local/domain/$id/data/granter" "r$id"
}

put_reference_of() {
    xenstore-write "/local/domain/$2/data/granter" "$3" &&
        xenstore-chmod "/local/domain/$2/data/granter" r0
}

# As xl save asks for it, but for the minute that it waits for a guest that says no.
ask_to_suspend() {
    node "$1" data/suspend '' && node "$1" control/shutdown suspend &&
        domu_until 30 node_says "$1" data/suspend && node "$1" data/suspend
}

# The same by xl.
save_is_refused() {
    save_refused "$1"
}

# Gone, but for what others have mapped of it.
vanish() {
    xl destroy "$1" && xl list
}

# Xen's own record: entries of its table that a domain other than dom0 has in use.
no_grant_in_use() {
    local id tries=0
    read -r id <"/run/$1.id" || return
    xl dmesg -c >/dev/null
    xl debug-keys g
    until xl dmesg | grep -q 'gnttab_usage_print_all \]'; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || return
        sleep 0.1
    done
    xl dmesg | tr -d '\r' | awk -v "id=$id" '
        /grant-table for remote/ { it = $0 ~ "remote d" id " "; next }
        it && /\[0x/ { sub(/^\(XEN\) */, ""); split($0, w, " "); if (w[2] != 0) { print; n++ } }
        END { exit n > 0 }'
}

# Gone for good: nobody has anything of it any more.
vanished() {
    domu_until 20 fails is_listed
}

is_listed() {
    xl list | grep '(null)'
}
