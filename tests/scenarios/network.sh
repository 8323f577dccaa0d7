# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# A Linux dom0 with a network card, and an ssh server that accepts the key /job/key.pub. /job also has the
# archives net.cpio and dropbear.cpio (scripts/fetch/xen), and the key itself if this dom0 is a client.

# join_network ADDRESS: leaves the log of the server in /out/dropbear, and the key for dbclient in /root/.ssh/key.
join_network() {
    local archive module
    for archive in net dropbear; do
        (cd / && cpio -idu <"/job/$archive.cpio" 2>/dev/null)
    done
    while read -r module; do
        insmod "/lib/modules/$module.ko" || return
    done </lib/modules/net
    ifconfig eth0 "$1" up || return

    export HOME=/root
    mkdir -p /root/.ssh /etc/dropbear
    chmod 700 /root/.ssh
    cp /job/key.pub /root/.ssh/authorized_keys
    chmod 600 /root/.ssh/authorized_keys
    echo 'root:x:0:0::/root:/bin/sh' >/etc/passwd
    dropbearkey -t ed25519 -f /etc/dropbear/key >/dev/null 2>&1 && dropbear -r /etc/dropbear/key -s -E 2>/out/dropbear ||
        return
    [ -e /job/key ] || return 0
    dropbearconvert openssh dropbear /job/key /root/.ssh/key && chmod 600 /root/.ssh/key
}
