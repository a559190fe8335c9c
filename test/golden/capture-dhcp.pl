#!/usr/bin/env perl
# Writes down DHCP messages heard on an interface, each at once: its name, a space, the Ethernet frame in hexadecimal digits.
#   capture-dhcp.pl IFNAME FILE
use strict;
use warnings;
use Socket;

my @NAMES4 = qw(- discover offer request decline ack nak release inform);
my @NAMES6 = qw(- solicit advertise request confirm renew rebind reply release decline reconfigure
  information-request relay-forw relay-repl);
my ($AF_PACKET, $ETH_P_ALL) = (17, 3);

my ($ifname, $file) = @ARGV;
open(my $index, '<', "/sys/class/net/$ifname/ifindex") or die $!;
socket(my $ear, $AF_PACKET, SOCK_RAW, unpack('S', pack('n', $ETH_P_ALL))) or die $!;
bind($ear, pack('Snix12', $AF_PACKET, $ETH_P_ALL, <$index>)) or die $!;
open(my $out, '>>', $file) or die $!;
$out->autoflush(1);
print "listening\n";
STDOUT->flush();

# A checksum is the network card's business, and a veth has none that would do it: the frames have only its first part
# (CHECKSUM_PARTIAL). Here it becomes what would have been on a wire.
sub complete {
  my ($frame, $ip, $addresses, $udp) = @_;
  my $length = unpack('n', substr($frame, $udp + 4, 2));
  substr($frame, $udp + 6, 2) = "\0\0";
  my $sum = 17 + $length;
  my $bytes = substr($frame, $ip + $addresses->[0], $addresses->[1]) . substr($frame, $udp, $length);
  $sum += $_ for unpack('n*', $bytes . (length($bytes) % 2 ? "\0" : ''));
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  substr($frame, $udp + 6, 2) = pack('n', 0xffff - $sum || 0xffff);
  return $frame;
}

# The option that has the type may stand anywhere (RFC 2132, 9.6).
sub name4 {
  my ($options) = @_;
  while (length $options) {
    my $code = unpack('C', $options);
    last if $code == 255;
    if ($code == 0) { $options = substr($options, 1); next }
    my ($length, $value) = unpack('xCC', $options);
    return $NAMES4[$value] if $code == 53;
    $options = substr($options, 2 + $length);
  }
  return 'bootp';
}

while (defined recv($ear, my $frame, 65536, 0)) {
  my $type = unpack('n', substr($frame, 12, 2));
  next if length($frame) < 62;
  if ($type == 0x0800 && unpack('C', substr($frame, 23, 1)) == 17) {
    my $udp = 14 + 4 * (unpack('C', substr($frame, 14, 1)) & 15);
    next unless grep { $_ == 67 || $_ == 68 } unpack('nn', substr($frame, $udp, 4));
    $frame = complete($frame, 14, [12, 8], $udp);
    print $out name4(substr($frame, $udp + 8 + 240)), ' ', unpack('H*', $frame), "\n";
  } elsif ($type == 0x86dd && unpack('C', substr($frame, 20, 1)) == 17) {
    next unless grep { $_ == 546 || $_ == 547 } unpack('nn', substr($frame, 54, 4));
    $frame = complete($frame, 14, [8, 32], 54);
    print $out $NAMES6[unpack('C', substr($frame, 62, 1))], ' ', unpack('H*', $frame), "\n";
  }
}
