# One small TCP exchange after another, each with a connection of its own: see exchange.ts.
#
#   serve PORT                     answers 100 bytes to whatever comes, and closes first; says "ready"
#   ask ADDRESS PORT WORKERS SECONDS
#                                  says, in one line: exchanges, failures, and the microseconds that half of the
#                                  exchanges and that 99 of 100 took no longer than
use strict;
use warnings;
use IO::Socket::INET;
use Socket;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

$| = 1;
$SIG{PIPE} = 'IGNORE';

sub now { return clock_gettime(CLOCK_MONOTONIC) * 1e6 }

sub serve {
    my ($port) = @_;
    my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 1024, ReuseAddr => 1) or die "listen: $!";
    print "ready\n";
    my $answer = 'a' x 100;
    while (accept(my $peer, $listener)) {
        sysread $peer, my $question, 1000;
        syswrite $peer, $answer;
        close $peer;
    }
}

sub exchange {
    my ($to) = @_;
    socket(my $peer, PF_INET, SOCK_STREAM, 0) or return 0;
    connect($peer, $to) or return 0;
    syswrite $peer, 'q' x 100;
    my ($answer, $length) = ('', 0);
    while (my $read = sysread $peer, $answer, 1000) { $length += $read }
    return $length == 100;
}

sub ask {
    my ($address, $port, $workers, $seconds) = @_;
    my $to = pack_sockaddr_in($port, inet_aton($address));
    my $end = now() + $seconds * 1e6;
    my @readers;
    for (1 .. $workers) {
        pipe(my $reader, my $writer) or die "pipe: $!";
        push @readers, $reader;
        my $pid = fork() // die "fork: $!";
        next if $pid != 0;
        my (@times, $failures);
        for (my $start = now(); $start < $end; $start = now()) {
            if (exchange($to)) { push @times, int(now() - $start) } else { $failures++ }
        }
        print $writer join(' ', $failures // 0, @times), "\n";
        close $writer;
        require POSIX;
        POSIX::_exit(0);
    }
    my (@all, $failures);
    for my $reader (@readers) {
        my ($failed, @times) = split ' ', scalar(<$reader>) // '0';
        $failures += $failed;
        push @all, @times;
    }
    1 while wait() != -1;
    @all = sort { $a <=> $b } @all;
    my $at = sub { return $all[int($_[0] * $#all)] // -1 };
    print join("\t", scalar(@all), $failures, $at->(0.5), $at->(0.99)), "\n";
}

my ($what, @arguments) = @ARGV;
$what eq 'serve' ? serve(@arguments) : ask(@arguments);
