# Tells when IPv6 addresses in other network namespaces become usable: see watcher.ts.
#
# Runs in the namespace of the peer that tries them. Standard input carries lines:
#   watch NUMBER PATH   notices what happens in the namespace at PATH; answered by "watching NUMBER"
#   forget NUMBER
# Per number two lines are answered, times in microseconds of CLOCK_MONOTONIC:
#   pinged NUMBER TIME ADDRESS   a global address, final or optimistic, has answered the peer's echo request
#   final NUMBER TIME ADDRESS    a global address is not, or no longer, tentative
use strict;
use warnings;
use Socket qw(:all);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant { AF_NETLINK => 16, ICMPV6 => 58, SYS_SETNS => 308, CLONE_NEWNET => 0x40000000 };
use constant { RTM_NEWLINK => 16, RTM_NEWADDR => 20, IFLA_IFNAME => 3, IFA_ADDRESS => 1, IFA_FLAGS => 8 };
use constant { RUNNING => 0x10001, OPTIMISTIC => 0x04, DADFAILED => 0x08, TENTATIVE => 0x40 };
# The groups RTMGRP_LINK and RTMGRP_IPV6_IFADDR of rtnetlink.h.
use constant GROUPS => 0x1 | 0x100;
use constant { ECHO_REQUEST => 128, ECHO_REPLY => 129 };
# Seconds.
use constant REPEAT => 0.01;

$| = 1;
my %watched;
open(my $home, '<', '/proc/self/ns/net') or die "own namespace: $!";

sub now { return int(clock_gettime(CLOCK_MONOTONIC) * 1e6) }

sub enter {
    my ($namespace) = @_;
    syscall(SYS_SETNS, fileno($namespace), CLONE_NEWNET) == 0 or die "setns: $!";
}

socket(my $icmp, AF_INET6, SOCK_RAW, ICMPV6) or die "ICMPv6: $!";
# All but echo replies stay out (ICMP6_FILTER, RFC 3542 3.2).
my $filter = "\xff" x 32;
vec($filter, ECHO_REPLY, 1) = 0;
setsockopt($icmp, ICMPV6, 1, $filter) or die "filter: $!";

sub watch {
    my ($number, $path) = @_;
    open(my $namespace, '<', $path) or die "$path: $!";
    enter($namespace);
    socket(my $socket, AF_NETLINK, SOCK_RAW, 0) or die "netlink: $!";
    bind($socket, pack('SSLL', AF_NETLINK, 0, 0, GROUPS)) or die "bind: $!";
    enter($home);
    $watched{$number} = { socket => $socket, up => 0 };
    print "watching $number\n";
}

sub attributes {
    my ($bytes) = @_;
    my %found;
    while (length $bytes >= 4) {
        my ($length, $type) = unpack 'SS', $bytes;
        last if $length < 4 || $length > length $bytes;
        $found{ $type & 0x3fff } = substr $bytes, 4, $length - 4;
        my $whole = ($length + 3) & ~3;
        $bytes = $whole < length $bytes ? substr($bytes, $whole) : '';
    }
    return \%found;
}

sub on_link {
    my ($one, $body) = @_;
    my $flags = unpack 'x8L', $body;
    my $name = attributes(substr $body, 16)->{ +IFLA_IFNAME } // '';
    $one->{up} = ($flags & RUNNING) == RUNNING if $name eq "eth0\0";
}

sub on_address {
    my ($number, $one, $body) = @_;
    my ($family, undef, undef, $scope) = unpack 'CCCC', $body;
    return if $family != AF_INET6 || $scope != 0;
    my $found = attributes(substr $body, 8);
    my $flags = unpack 'L', $found->{ +IFA_FLAGS };
    return if $flags & DADFAILED || ($flags & TENTATIVE && !($flags & OPTIMISTIC));
    $one->{address} = $found->{ +IFA_ADDRESS };
    return if $flags & TENTATIVE || $one->{final}++;
    print "final $number ", now(), ' ', inet_ntop(AF_INET6, $one->{address}), "\n";
}

# The kernel of the peer keeps the request until it has found the neighbour; one that is lost all the same is repeated.
sub ping {
    my ($number, $one, $again) = @_;
    return if ($one->{asked} && !$again) || !$one->{up} || !$one->{address};
    $one->{asked} = 1;
    my $request = pack 'CCnnn', ECHO_REQUEST, 0, 0, $number, 1;
    send($icmp, $request, 0, pack_sockaddr_in6(0, $one->{address})) or die "echo request: $!";
}

sub on_messages {
    my ($number, $one) = @_;
    recv($one->{socket}, my $bytes, 65536, 0) // die "netlink of $number: $!";
    while (length $bytes >= 16) {
        my ($length, $type) = unpack 'LS', $bytes;
        my $body = substr $bytes, 16, $length - 16;
        on_link($one, $body) if $type == RTM_NEWLINK;
        on_address($number, $one, $body) if $type == RTM_NEWADDR;
        my $whole = ($length + 3) & ~3;
        $bytes = $whole < length $bytes ? substr($bytes, $whole) : '';
    }
    ping($number, $one);
}

sub on_reply {
    my $from = recv($icmp, my $bytes, 2048, 0) // die "ICMPv6: $!";
    my ($type, undef, undef, $number) = unpack 'CCnn', $bytes;
    my (undef, $address) = unpack_sockaddr_in6($from);
    my $one = $watched{$number} or return;
    print "pinged $number ", now(), ' ', inet_ntop(AF_INET6, $address), "\n" unless $one->{pinged}++;
}

# Read byte for byte: what perl had taken into its buffer, select would not tell of.
my $input = '';

sub on_input {
    sysread(STDIN, $input, 65536, length $input) or exit 0;
    while ($input =~ s/^(\w+) (\d+)(?: (\S+))?\n//) {
        $1 eq 'watch' ? watch($2, $3) : delete $watched{$2};
    }
}

for (;;) {
    my %by = (fileno(STDIN) => \&on_input, fileno($icmp) => \&on_reply);
    for my $number (keys %watched) {
        my $one = $watched{$number};
        $by{ fileno $one->{socket} } = sub { on_messages($number, $one) };
    }
    my $wanted = '';
    vec($wanted, $_, 1) = 1 for keys %by;
    my @unanswered = grep { $watched{$_}{asked} && !$watched{$_}{pinged} } keys %watched;
    my $ready = $wanted;
    if (select($ready, undef, undef, @unanswered ? REPEAT : undef) <= 0) {
        ping($_, $watched{$_}, 1) for @unanswered;
        next;
    }
    for my $descriptor (keys %by) { $by{$descriptor}->() if vec($ready, $descriptor, 1) }
}
