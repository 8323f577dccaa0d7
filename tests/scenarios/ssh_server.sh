# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# A job of scripts/host/dom0: starts an ssh server, which accepts the key /job/key.pub, on
# QEMU's user network. The job ends when the file /out/stop exists.

cd / || exit
for archive in net dropbear; do
    cpio -idu <"/job/$archive.cpio" 2>/dev/null
done
while read -r module; do
    insmod "/lib/modules/$module.ko"
done </lib/modules/net
ifconfig eth0 10.0.2.15 up # the address to which QEMU forwards connections

mkdir -p /root/.ssh /etc/dropbear
chmod 700 /root/.ssh
cp /job/key.pub /root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
echo 'root:x:0:0::/root:/bin/sh' >/etc/passwd
dropbearkey -t ed25519 -f /etc/dropbear/key >/dev/null 2>&1
dropbear -r /etc/dropbear/key -s -E 2>/out/dropbear
echo >/out/ready
until [ -e /out/stop ]; do
    sleep 0.2
done
