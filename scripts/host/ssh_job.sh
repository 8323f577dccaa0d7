# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# The job that scripts/boot --host runs on a machine with Xen, with any sh. The current
# directory is used by this job alone; the domain has its name. The directory has
# guest.cfg, the files that guest.cfg names, and xenolith.sh, which waits for the end
# of the guest.
#
#     sh job.sh SECONDS
#
#   standard input    no data; when it ends, scripts/boot has ended, and so does the job
#   standard output   the console of the guest
#   standard error    lines for scripts/boot (SshHost.pm):
#            @@ cannot SENTENCE   why the guest was not started; the exit code is 4
#            @@ end HOW           the word of NAME.end (xenolith.sh)
#            @@ xl LINE           a line of xl
#            @@ xen LINE          a line that Xen printed meanwhile

name=${PWD##*/}
export domu_out="$PWD" domu_run="$PWD"
# shellcheck source=scripts/host/dom0.d/lib/xenolith.sh
. ./xenolith.sh
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/xen/bin # not every login has these directories in its PATH

cannot() {
    echo "@@ cannot $*" >&2
    exit 4
}

[ "$(id -u)" = 0 ] || cannot "expected the user root, which xl needs, found $(id -un)"
command -v xl >/dev/null || cannot 'expected xl on the PATH, found none; is this a machine that runs Xen?'
said=$(xl info 2>&1 >/dev/null) ||
    cannot "expected xl info to succeed, but xl says: $(echo "$said" | head -n 1); does this machine run Xen?"

watch=
console=
show=
finish() {
    trap '' HUP INT TERM PIPE
    [ -z "$watch" ] || kill "$watch"
    kill "$(cat "$name.pid")" && wait "$(cat "$name.pid")" # xl create may still be making the domain
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

# The domain starts paused, so that its console has a reader from the first byte on.
: >"$name.log"
lines=$(xl dmesg | wc -l)
xl create -F -p guest.cfg "name='$name'" >"$name.xl" 2>&1 &
echo $! >"$name.pid"
domu_until 300 is_made || cannot 'expected xl create to make the domain in 300 s; it has not'
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
