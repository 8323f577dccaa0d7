# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# Types lines at the shells of two domUs, through xl's console program: xenconsole reads from a pipe
# only with --interactive. Each line of /job/lines is a format of printf.
# shellcheck source=scripts/host/dom0.d/lib/xenolith.sh
. /lib/xenolith.sh

# begin NAME: creates the domU NAME; its console is /out/NAME.con, its input the pipe /tmp/NAME.in
begin() {
    domu_start "$1" create /job/guest.cfg
    domu_says "$1" '"help" prints the commands' || return
    mkfifo "/tmp/$1.in"
    sleep 1000 >"/tmp/$1.in" & # keeps the pipe open
    xenconsole --interactive "$(xl domid "$1")" <"/tmp/$1.in" >"/out/$1.con" 2>&1 &
    domu_until 10 prompts_are "$1" 1
}

prompts_are() {
    [ "$(grep -ao 'xenolith> ' "/out/$1.con" | wc -l)" -ge "$2" ]
}

asked=1
ask() {
    asked=$((asked + 1))
    printf '%b\r' "$2" >"/tmp/$1.in"
    domu_until 30 prompts_are "$1" "$asked"
}

begin talker || exit
while read -r line; do
    ask talker "$line" || exit
done </job/lines
printf 'poweroff\r' >/tmp/talker.in
domu_end talker 10

begin sleeper || exit
printf 'suspend\r' >/tmp/sleeper.in
domu_end sleeper 10
xl list -v sleeper >/out/list
