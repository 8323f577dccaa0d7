# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# A job of scripts/host/dom0: starts an ssh server on QEMU's user network. The job ends when the file /out/stop
# exists.
# shellcheck source=tests/scenarios/network.sh
. /job/network.sh

join_network 10.0.2.15 || exit # the address to which QEMU forwards connections
echo >/out/ready
until [ -e /out/stop ]; do
    sleep 0.2
done
