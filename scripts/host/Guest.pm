# SPDX-License-Identifier: MIT
#
# A guest that xl starts: its configuration file.

package Guest;

use strict;
use warnings;
use Exporter 'import';

use Options;

our @EXPORT = qw(xl_config xl_load);

# A string in double quotes, as xl's configuration file has it
sub quoted {
    return '"' . ($_[0] =~ s/(["\\])/\\$1/gr) . '"';
}

# xl_config(GUEST, LINE, ...): the lines of a configuration file. A guest is a hash: mem and maxmem
# (sizes), vcpus, guest_config (more lines). The lines in the call say what to start. A domain stays after
# its end ("preserve") until its console has been read, and Xen need not free the pages of a large guest
# if that is the last one.
sub xl_config {
    my ($guest, @load) = @_;
    return (
        (map { "on_$_=\"preserve\"" } qw(poweroff reboot crash watchdog)), @load,
        'memory=' . mib('--mem', $guest->{mem}),
        defined $guest->{maxmem} ? 'maxmem=' . mib('--maxmem', $guest->{maxmem}) : (),
        "vcpus=" . ($guest->{vcpus} // 1), @{$guest->{guest_config} // []}
    );
}

# xl_load(KERNEL, ARGUMENTS, RAMDISK): the lines that start a PV kernel.
sub xl_load {
    my ($kernel, $args, $initrd) = @_;
    return ('kernel=' . quoted($kernel), defined $initrd ? 'ramdisk=' . quoted($initrd) : (), 'extra=' . quoted($args));
}

1;
