# SPDX-License-Identifier: MIT
#
# A guest that xl starts: its configuration file.

package Guest;

use strict;
use warnings;
use Exporter 'import';

use Machine;
use Options;

our @EXPORT = qw(xl_config xl_load);

# A string in double quotes, as xl's configuration file has it
sub quoted {
    return '"' . ($_[0] =~ s/(["\\])/\\$1/gr) . '"';
}

# xl_config(%guest): the text of a configuration file. load: lines that say what to start; mem, maxmem:
# MiB; vcpus; config: more lines. A domain stays after its end ("preserve") until its console has been
# read, and Xen need not free the pages of a large guest if that is the last one.
sub xl_config {
    my (%guest) = @_;
    return join '', map { "$_\n" } (map { "on_$_=\"preserve\"" } qw(poweroff reboot crash watchdog)), @{$guest{load}},
        "memory=$guest{mem}", defined $guest{maxmem} ? "maxmem=$guest{maxmem}" : (),
        defined $guest{vcpus} ? "vcpus=$guest{vcpus}" : (), @{$guest{config} // []};
}

# xl_load(KERNEL, ARGUMENTS, RAMDISK): the lines that start a PV kernel.
sub xl_load {
    my ($kernel, $args, $initrd) = @_;
    return ('kernel=' . quoted($kernel), defined $initrd ? 'ramdisk=' . quoted($initrd) : (), 'extra=' . quoted($args));
}

1;
