# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# Steps of ../GrantPair.pm for guests that grant pages to each other (kernel/selftest/grant_pair.h),
# in addition to those of ../life/jobs.sh. The first argument of each function is the guest's name.

# The domain ID is kept in a file: xl domid is slow, and the ID is still needed when the domain is
# gone.
begin() {
    create "$1" && xl domid "$1" >"/run/$1.id"
}

come_back() {
    save_restore "$1" && xl domid "$1" >"/run/$1.id"
}

# node NAME PATH [VALUE]: reads or writes a xenstore node of the guest.
node() {
    local id
    read -r id <"/run/$1.id" || return
    if [ $# = 2 ]; then
        xenstore-read "/local/domain/$id/$2" 2>/dev/null
    else
        xenstore-write "/local/domain/$id/$2" "$3"
    fi
}

node_has_text() {
    [ -n "$(node "$1" "$2")" ]
}

# tell NAME COMMAND...: gives the guest a command, in which @PEER stands for PEER's domain ID, and
# waits until the command is done.
tell() {
    local name=$1 from command='' id
    shift
    from=$(domu_console_size "$name")
    for word in "$@"; do
        case $word in
        @*) read -r id <"/run/${word#@}.id" && command="$command $id" ;;
        *) command="$command $word" ;;
        esac
    done
    echo "command:$command"
    node "$name" data/command "${command# }" && domu_until 120 domu_says_from "$name" "$from" '^data/command: .* is done'
}

# The granter's reference in xenstore: keep_reference saves it, put_reference writes the saved one
# or REF back, and put_reference_of ID REF writes one for a domain ID that has no domain.
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

# Requests a suspend as xl save does, and returns when the guest refuses: xl save itself waits for a
# minute.
ask_to_suspend() {
    node "$1" data/suspend '' && node "$1" control/shutdown suspend &&
        domu_until 30 node_has_text "$1" data/suspend && node "$1" data/suspend
}

# The same by xl save.
save_is_refused() {
    save_refused "$1"
}

# Destroys the guest. It stays in the list of domains, dying, as long as others map its pages.
vanish() {
    xl destroy "$1" && xl list
}

grants_are_printed() {
    xl dmesg | grep -q 'gnttab_usage_print_all \]'
}

# Fails if, by Xen's debug key g, a domain other than dom0 uses an entry of the guest's grant table.
no_grant_in_use() {
    local id
    read -r id <"/run/$1.id" || return
    xl dmesg -c >/dev/null
    xl debug-keys g
    domu_until 60 grants_are_printed || return
    xl dmesg | tr -d '\r' | awk -v "id=$id" '
        /grant-table for remote/ { is_it = $0 ~ "remote d" id " "; next }
        is_it && /\[0x/ { sub(/^\(XEN\) */, ""); split($0, w, " "); if (w[2] != 0) { print; n++ } }
        END { exit n > 0 }'
}

# Waits until no dying domain is left: no other domain maps a page of it any more.
vanished() {
    domu_until 20 fails dying_is_listed
}

dying_is_listed() {
    xl list | grep '(null)'
}
