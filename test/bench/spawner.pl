# Starts plugins one after another, or many at once, and measures them: see spawner.ts.
#
# Standard input carries batches: a line with the number of bytes, then that many bytes, fields ended by NUL:
#   workers, jobs, then per job: steps, then per step: words, word..., variables, NAME=value..., stdin
# In a step's stdin @PREV@ stands for what the job's first step wrote. Per job one line is answered, in the order they end:
#   job number, exit code, microseconds of each step joined by commas, microseconds in all, when it began
#   (microseconds of CLOCK_MONOTONIC),
#   what the first step wrote or, when a step failed, its words and what it wrote, in one line
# and after the last job "end" with the microseconds from the first start to the last end.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

$| = 1;
binmode STDIN;
# A plugin may end without reading its input.
$SIG{PIPE} = 'IGNORE';
my @fields;

sub now { return int(clock_gettime(CLOCK_MONOTONIC) * 1e6) }
sub several { return map { shift @fields } 1 .. shift @fields }

sub read_job {
    my @steps;
    for (1 .. shift @fields) {
        my @argv = several();
        my @environment = several();
        push @steps, { argv => \@argv, environment => \@environment, input => shift @fields };
    }
    return \@steps;
}

# From before fork to after wait, the output read to its end: what a runtime waits for.
sub run_step {
    my ($step, $previous) = @_;
    (my $input = $step->{input}) =~ s/\@PREV\@/$previous/;
    pipe(my $in_read, my $in_write) or die "pipe: $!";
    pipe(my $out_read, my $out_write) or die "pipe: $!";
    my $start = now();
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        $SIG{PIPE} = 'DEFAULT';
        open(STDIN, '<&', $in_read) or die "stdin: $!";
        open(STDOUT, '>&', $out_write) or die "stdout: $!";
        %ENV = map { split /=/, $_, 2 } @{ $step->{environment} };
        exec { $step->{argv}[0] } @{ $step->{argv} } or die "exec $step->{argv}[0]: $!";
    }
    close $in_read;
    close $out_write;
    syswrite $in_write, $input;
    close $in_write;
    my $output = do { local $/; <$out_read> } // '';
    waitpid $pid, 0;
    return (now() - $start, $?, $output);
}

sub run_job {
    my ($number, $job) = @_;
    my ($first, @times, $failure);
    my $code = 0;
    my $start = now();
    for my $step (@$job) {
        (my $time, $code, my $output) = run_step($step, $first // '');
        push @times, $time;
        $first //= $output;
        if ($code != 0) { $failure = "@{$step->{argv}}: $output"; last }
    }
    my $all = now() - $start;
    (my $said = $failure // $first) =~ s/\s+/ /g;
    # One write of up to 4096 bytes to a pipe is not mixed with others'.
    return join("\t", $number, $code, join(',', @times), $all, $start, substr($said, 0, 3500)) . "\n";
}

# Each worker has its process before the first may begin: the gate is a pipe that all read and that opens by closing.
# Of W workers the k-th does the jobs k, k + W, k + 2W, ...
sub run_jobs {
    my ($workers, @jobs) = @_;
    pipe(my $gate_read, my $gate_write) or die "pipe: $!";
    my @children;
    for my $worker (0 .. $workers - 1) {
        my $pid = fork() // die "fork: $!";
        if ($pid == 0) {
            close $gate_write;
            sysread($gate_read, my $nothing, 1);
            for (my $number = $worker; $number < @jobs; $number += $workers) {
                syswrite STDOUT, run_job($number, $jobs[$number]);
            }
            require POSIX;
            POSIX::_exit(0);
        }
        push @children, $pid;
    }
    my $start = now();
    close $gate_write;
    waitpid $_, 0 for @children;
    return now() - $start;
}

while (defined(my $size = <STDIN>)) {
    read(STDIN, my $batch, $size);
    @fields = split /\0/, $batch, -1;
    my $workers = shift @fields;
    my @jobs = map { read_job() } 1 .. shift @fields;
    my $wall = run_jobs($workers, @jobs);
    syswrite STDOUT, "end\t$wall\n";
}
