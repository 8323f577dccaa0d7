# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# What scripts/ssh-domu runs on a machine with Xen, by whatever sh it has, in a
# directory of its own, by whose name the domain goes. There are guest.cfg, what
# it names, and xenolith.sh, which knows how guests end.
#
#     sh job.sh SECONDS
#
#   input    nothing: its end is the word to end, whatever became of who gave it
#   output   the guest's console
#   errors   lines for scripts/ssh-domu:
#            @@ cannot SENTENCE   then the exit code is 4
#            @@ end HOW           as in NAME.end of xenolith.sh
#            @@ xl LINE           what xl said
#            @@ xen LINE          what Xen said meanwhile

name=${PWD##*/}
export domu_out="$PWD" domu_run="$PWD"
# shellcheck source=scripts/dom0.d/lib/xenolith.sh
. ./xenolith.sh
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/xen/bin # not in that of every login

cannot() {
    echo "@@ cannot $*" >&2
    exit 4
}

[ "$(id -u)" = 0 ] || cannot "expected root, which xl needs, found $(id -un)"
command -v xl >/dev/null || cannot 'expected a machine that runs Xen, found no xl'
said=$(xl info 2>&1 >/dev/null) ||
    cannot "expected a machine that runs Xen, but xl says: $(echo "$said" | head -n 1)"

watch=
console=
show=
finish() {
    trap '' HUP INT TERM PIPE
    [ -z "$watch" ] || kill "$watch"
    kill "$(cat "$name.pid")" && wait "$(cat "$name.pid")" # before there is a domain to be found
    xl destroy "$name"
    [ -z "$console" ] || kill "$console"
    [ -z "$show" ] || wait "$show"
} >/dev/null 2>&1
trap finish EXIT
trap 'exit 1' HUP INT TERM PIPE

exec 3<&0 </dev/null
(
    cat <&3
    kill $$
) >/dev/null 2>&1 &
watch=$!

is_made() {
    grep -q '^Waiting for domain ' "$name.xl" || ! domu_lives "$name"
}

# Paused, so that its console has a reader from the first byte on.
: >"$name.log"
lines=$(xl dmesg | wc -l)
xl create -F -p guest.cfg "name='$name'" >"$name.xl" 2>&1 &
echo $! >"$name.pid"
domu_until 300 is_made || cannot 'xl has not made the domain in 300 s'
if domu_lives "$name"; then
    mkfifo pipe
    tee "$name.log" <pipe &
    show=$!
    xl console "$name" >pipe 2>console.err &
    console=$!
    xl unpause "$name"
fi
domu_end "$name" "$1" >/dev/null
[ -s "$name.log" ] || ! [ -s console.err ] || cannot "xl console says: $(head -n 1 console.err)"
sed 's/^/@@ xl /' "$name.xl" >&2
xl dmesg | tail -n "+$((lines + 1))" | sed 's/^/@@ xen /' >&2
echo "@@ end $(cat "$name.end")" >&2
