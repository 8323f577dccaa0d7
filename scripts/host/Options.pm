# SPDX-License-Identifier: MIT
#
# The options of all commands, in one table. A command names the options that it has, with its own
# defaults.

package Options;

use strict;
use warnings;
use Cwd 'realpath';
use Exporter 'import';
use File::Spec ();
use File::Basename 'dirname';
use Getopt::Long qw(:config no_auto_abbrev no_ignore_case bundling);
use Text::Wrap ();

use Machine;

our @EXPORT = qw(parse_options check_value check_file check_tool on_path fetch mib top writable);

my $top     = realpath(dirname(__FILE__) . '/../..');
my $program = File::Spec->abs2rel(realpath($0), $top);

sub top { return $top }

# What a value must be: a pattern, and its description. The default of an option of kind "ours" is a
# file of this tree.
my $size  = '[1-9][0-9]*[KMGT]';
my $bound = "(?:(?:min|max):)?-?$size";
my %kinds = (
    size    => [qr/^$size$/,              'a number followed by K, M, G or T'],
    number  => [qr/^[1-9]\d*$/,           'a number from 1'],
    seconds => [qr/^[1-9]\d*$/,           'a number of seconds from 1'],
    bounds  => [qr/^$bound(?:,$bound)*$/, "a value of Xen's dom0_mem= with units K, M, G or T, as in 1G,max:2G"],
);

# Name, value (none: a switch; *: may be given several times), kind of value, and help, in which % is
# the default.
my @table = (
    [as => 'dom0|domU|shim|grub', '',
        'who starts the kernel%: dom0: Xen; domU: xl in a Linux dom0; shim, grub: the PV shim or GRUB, ' .
        'which xl starts in a Linux dom0'],
    [builder => 'NAME', '',
        "who builds the PV domain of the kernel%: xl: libxenguest, the domain builder of xl; shim: Xen's " .
        'PV shim in a PVH domain, of which the shim keeps a part of the memory; grub: GRUB, which xl starts'],
    [xen => 'VERSION|FILE', '', 'a version of Xen%, 4.14, 4.20, 4.17-debug, or a multiboot ELF file'],
    ['xen-dist' => 'DIR', '',
        "Xen and its toolstack in DIR: dist/install of Xen's tree after make dist, or the root of a machine " .
        'with Xen, as in --xen-dist / (XENOLITH_XEN_DIST)'],
    [toolstack => 'VERSION', '', 'version of xl, which must be that of Xen (that of --xen VERSION; for a FILE, 4.17)'],
    [firmware => 'bios|uefi', '',
        'what starts Xen%. UEFI leaves a more fragmented memory map; kernel and ramdisk may have up to 450 MiB'],
    ['host-mem' => 'SIZE', 'size', 'memory of the host%. QEMU allocates what is touched'],
    [e820 => 'FILE|random[:SEED]', '',
        'the host has the memory map in FILE: a boot log of Linux or Xen, /proc/iomem, /sys/firmware/memmap ' .
        '(docs/hosts.md), or a random map'],
    ['e820-fit' => '', '', 'what QEMU or Xen cannot have of the map becomes reserved or unusable, and is reported'],
    [print => '', '', 'print the map of --e820, and end'],
    ['dom0-mem' => 'SIZE', 'size', 'memory of the Linux dom0%'],
    [smp => 'N', 'number', "number of the host's processors%"],
    [machine => 'OPTS', '', "more options for QEMU's -machine: max-ram-below-4g=1G, q35,..."],
    [cpu => 'MODEL', '', "QEMU's -cpu%; none: no -cpu"],
    ['xen-args' => 'S', '', 'more arguments for Xen'],
    ['qemu-args' => 'S', '', 'more arguments for QEMU'],
    [kernel => 'FILE', 'ours', 'the kernel%'],
    [args => 'S', '', 'command line of the kernel'],
    [initrd => 'FILE', 'file', 'ramdisk of the kernel'],
    [mem => 'SIZE', 'size', 'memory of the guest, in whole MiB%'],
    [maxmem => 'SIZE', 'size', 'size up to which the memory of the guest may grow'],
    [vcpus => 'N', 'number', 'number of vCPUs of the guest%'],
    ['guest-config' => 'LINE*', '',
        "a line for xl's configuration file, as in e820_host=1; may be given several times"],
    [timeout => 'SECONDS', 'seconds', 'end the machine after this time%'],
    [out => 'DIR', '', 'keep the results in DIR'],
    [json => 'FILE', '', "write the kernel's reports to FILE, one a line, as JSON"],
    [log => 'FILE', '', 'write the console to FILE'],
    ['host-log' => 'FILE', '', 'write the console of Xen and Linux to FILE'],
    [quiet => '', '', 'do not show the console'],
    [plain => '', '', 'do not use rlwrap'],
    [tag => 'TAG,...', '', 'run only the rows with one of these tags (check, full, heavy)'],
    [without => 'TAG,...', '', 'leave out the rows with one of these tags'],
    [shard => 'I/N', '', 'run the I-th of N parts, which take about the same time each'],
    [list => '', '', 'print the rows that are selected, and run none'],
    [j => 'N', 'number', 'run N rows at the same time%'],
    [junit => 'FILE', '', 'write the results to FILE as JUnit XML'],
    [logs => 'DIR', '', 'keep of each row its TAP (NAME.tap) and, of a boot, the console (NAME.log)'],
    [table => 'FILE', 'ours', 'read the rows from FILE%'],
    [twice => '', '', 'boot each SIZE twice; fail if their totals differ by more than 1/1000'],
    [grants => '1|2', '', 'version of the grant table%'],
);
my %row_of = map { $_->[0] => $_ } @table;

# parse_options(%command) reads @ARGV and returns the options, with _ for - in their names. A wrong
# option ends the program with one sentence.
#     usage     the text of --help, in which a line "OPTIONS" stands for the options
#     options   the command's options: NAME, [NAME, DEFAULT, HELP, KIND, VALUE], or a text for the help
#     more      options of this command alone, as Getopt::Long has them
#     store     called with NAME and VALUE, instead of storing the value
# Arguments that are no options stay in @ARGV. Those after "--" are in @{{kernel_args}}; {given} has the
# names of the options that were given.
sub parse_options {
    my (%command) = @_;
    my %option    = (kernel_args => after_dashes(), given => {});
    my %spec      = (%{$command{more} // {}}, 'help|h' => sub { print usage(%command); exit 0 });
    my $store     = $command{store} // sub {
        my ($key, $given) = @_;
        if   (ref $option{$key}) { push @{$option{$key}}, $given }
        else                     { $option{$key} = $given }
    };
    for my $own (grep { ref || $row_of{$_} } @{$command{options}}) {
        my ($name, $default, undef, $kind, $value) = option_of($own);
        my $key = $name =~ tr/-/_/r;
        $option{$key} = $value =~ /\*$/ ? [] : $kind eq 'ours' && defined $default ? "$top/$default" : $default;
        $spec{$name . ($value ? '=s' : '')} = sub {
            my (undef, $given) = @_;
            check_value(dashes($name), $kind, $given);
            $option{given}{$key} = 1;
            $store->($key, $given);
        };
    }
    local $SIG{__WARN__} = sub { bad(sentence(@_)) };
    GetOptions(%spec) or exit 2;
    return %option;
}

# An option as a command has it: name, default, help, kind and value.
sub option_of {
    my ($own) = @_;
    my ($name, $default, @own) = ref $own ? @$own : $own;
    my (undef, $value, $kind, $help) = @{$row_of{$name}};
    return ($name, $default, $own[0] // $help, $own[1] // $kind, $own[2] // $value);
}

sub dashes {
    my ($name) = @_;
    return (length $name > 1 ? '--' : '-') . $name;
}

# Getopt::Long stops at "--", but would not say which arguments came after it.
sub after_dashes {
    my ($at) = grep { $ARGV[$_] eq '--' } 0 .. $#ARGV;
    return [] if !defined $at;
    my (undef, @rest) = splice @ARGV, $at;
    return \@rest;
}

sub sentence {
    my ($complaint) = @_;
    return "unknown option --$1 ($program --help lists the options)" if $complaint =~ /^Unknown option: (.*)/;
    return "--$1 needs a value" if $complaint =~ /^Option (\S+) requires an argument/;
    return $complaint =~ s/\n//r;
}

# check_value(OPTION, KIND, VALUE)
sub check_value {
    my ($option, $kind, $value) = @_;
    return check_file($value, $option) if $kind eq 'file';
    my ($pattern, $expected) = @{$kinds{$kind} // [qr//, '']};
    return $value =~ $pattern || bad("$option $value: expected $expected");
}

sub check_file {
    my ($path, $option, $hint) = @_;
    -f $path && -r _ or bad(($option ? "$option " : '') . "$path: no such file" . ($hint // ''));
    return;
}

# A file of the user, emptied.
sub writable {
    my ($path) = @_;
    open my $file, '>', $path or bad("$path: cannot write to this file");
    return $file;
}

sub usage {
    my (%command) = @_;
    my $options = join '', map { help($_) } @{$command{options}};
    return $command{usage} =~ s/^OPTIONS\n/$options/mr;
}

sub help {
    my ($own) = @_;
    return $own if !ref $own && !$row_of{$own};
    my ($name, $default, $help, undef, $value) = option_of($own);
    $default = defined $default ? " ($default)" : '';
    local $Text::Wrap::columns  = 81;
    local $Text::Wrap::unexpand = 0;
    local $Text::Wrap::huge     = 'overflow';
    my $text = Text::Wrap::wrap(' ' x 25, ' ' x 25, $help =~ s/%/$default/r) . "\n";
    my $left = '    ' . dashes($name) . ($value ? ' ' . $value =~ s/\*//r : '');
    return length $left < 25 ? $left . substr($text, length $left) : "$left\n$text";
}

# mib(OPTION, SIZE): the size in MiB.
sub mib {
    my ($option, $size) = @_;
    my ($n, $unit) = $size =~ /^(\d+)(.)$/;
    my $kib = $n * {K => 1, M => 1 << 10, G => 1 << 20, T => 1 << 30}->{$unit};
    $kib % 1024 == 0 or bad("$option $size: expected a multiple of 1 MiB, the unit of xl");
    return $kib / 1024;
}

sub check_tool {
    my ($tool) = @_;
    no_host("$tool is not on the PATH; scripts/fetch/deps run installs it")
        if !on_path($tool);
    return;
}

sub on_path {
    my ($tool) = @_;
    return scalar grep { -x "$_/$tool" } split /:/, $ENV{PATH};
}

# fetch(PART, VERSION): the path of a part in the cache of scripts/fetch/xen.
sub fetch {
    my ($code, @lines) = run("$top/scripts/fetch/xen", grep { defined } @_);
    exit($code == 2 ? 2 : 4) if $code; # 2: scripts/fetch/xen does not have this version
    return $lines[0];
}

1;
