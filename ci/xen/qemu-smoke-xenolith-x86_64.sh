#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A smoke test for Xen's own CI: Xen boots Xenolith as dom0 in QEMU. Copy this file to automation/scripts
# of Xen's tree. ci/xen/test.yaml has the jobs.
#
# Usage, at the top of Xen's tree: automation/scripts/qemu-smoke-xenolith-x86_64.sh [ARGUMENT OF THE KERNEL]...
#
# Input:  binaries/xen, binaries/xenolith; TEST_TIMEOUT_OVERRIDE: seconds
# Output: smoke.serial, the console
# Exit:   0 if the console has the line "Test result: SUCCESS", any other number if not

set -ex -o pipefail

rm -f smoke.serial
arguments=${*:+ $*}

# In -initrd, a comma begins the next module, and two commas stand for one.
export TEST_CMD="qemu-system-x86_64 \
    -no-reboot \
    -nographic \
    -monitor none \
    -serial stdio \
    -m 2048 \
    -smp 2 \
    -kernel binaries/xen \
    -initrd \"binaries/xenolith${arguments//,/,,}\" \
    -append \"loglvl=all noreboot console_timestamps=boot console=com1\""
export TEST_LOG="smoke.serial"
export PASSED="Test result: SUCCESS"

if [ -e automation/scripts/console.exp ]; then
    ./automation/scripts/console.exp |& sed 's/\r\+$//'
else # Xen 4.18 and older; the kernel reboots after its result, and so ends QEMU
    eval "timeout --foreground -k 1 ${TEST_TIMEOUT_OVERRIDE:-120} ${TEST_CMD}" </dev/null |
        tee "${TEST_LOG}" | sed 's/\r\+$//'
    grep -q "${PASSED}" "${TEST_LOG}"
fi
