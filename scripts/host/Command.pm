# SPDX-License-Identifier: MIT
#
# Runs a command to its end, for programs that look at its output afterwards. (Machine.pm supervises
# commands whose lines are wanted at once.)

package Command;

use strict;
use warnings;
use Exporter 'import';
use File::Basename 'basename';

our @EXPORT = qw(output_of);

# output_of(COMMAND...): runs a command without input. Returns its exit code, or 128 and the number of
# the signal that ended it; and its output, standard error included.
sub output_of {
    my (@command) = @_;
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh', @command
        or die basename($0) . ": cannot run sh for @command: $!\n";
    my $said = do { local $/; <$out> } // '';
    close $out;
    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $said);
}

1;
