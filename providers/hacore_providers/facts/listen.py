"""Listens on an interface for routers of VRRP, and asks who has an address, in the languages that hosts have.

Debian has perl in its essential set, Red Hat has Python as /usr/libexec/platform-python. Both programs do the same:
with the arguments INTERFACE SECONDS ADDRESS... they print

    advert NUMBER SOURCE    a router with this virtual router id sends (RFC 5798, section 5.2; also inside of AH)
    taken ADDRESS MAC       a machine answers for the address: a probe of ARP (RFC 5227, section 2.1.1) or a neighbour
                            solicitation (RFC 4861, section 4.3), which change no table of others
    heard                   the whole time is over

A packet socket (packet(7)) hears what the firewall of the host drops, and nothing of other VLANs or of the host itself.
A filter lets only protocols 112, 51 and 58 and ARP pass, so that a busy interface costs nothing.
"""

from __future__ import annotations

from hacore.contract import quote

PERL = r"""
use Socket qw(:DEFAULT inet_pton inet_ntop);
my ($if, $secs, @want) = @ARGV; my (%asked, %shown, %by);
sub line { open(my $f, "<", "/sys/class/net/$if/$_[0]") or exit 1; my $l = <$f>; $l =~ s/[\s:]//g; $l }
my $ix = line("ifindex") + 0; my $mac = pack("H12", line("address"));
my $w = length pack("P", "");
my $filter = join "", map { pack("SCCL", @$_) } ([0x30, 0, 0, 0], [0x15, 2, 0, 112], [0x15, 1, 0, 51],
  [0x15, 0, 1, 58], [6, 0, 0, 65535], [6, 0, 0, 0]);
for my $p (0x0800, 0x86dd, 0x0806) {
  socket(my $h, 17, 2, unpack("S", pack("n", $p))) or exit 1;
  substr($filter, 4, 4) = pack("L", $p == 0x0800 ? 9 : 6);
  setsockopt($h, 1, 26, pack("Sx!${w}P", 6, $filter)) if $p != 0x0806;
  bind($h, pack("SnlSCCa8", 17, $p, $ix, 0, 0, 0, "")) or exit 1;
  setsockopt($h, 263, 1, pack("lSSa8", $ix, 0, 6, pack("H12", $_))) for "01005e000012", "333300000012";
  $by{fileno $h} = [$h, $p];
}
my ($arp) = map { $_->[0] } grep { $_->[1] == 0x0806 } values %by;
sub ask {
  for my $a (@want) {
    my $six = $a =~ /:/; my $t = inet_pton($six ? AF_INET6 : AF_INET, $a); defined $t or next; $asked{$t} = $a;
    if (!$six) {
      send($arp, pack("nnCCn", 1, 0x800, 6, 4, 1) . $mac . "\0" x 10 . $t, 0,
        pack("SnlSCCa8", 17, 0x0806, $ix, 0, 0, 6, "\xff" x 6));
      next;
    }
    socket(my $n, AF_INET6, SOCK_RAW, 58) or next;
    setsockopt($n, 41, 18, pack("i", 255)); setsockopt($n, 41, 17, pack("i", $ix));
    my $to = substr(inet_pton(AF_INET6, "ff02::1:ff00:0"), 0, 13) . substr($t, 13);
    send($n, pack("CCnN", 135, 0, 0, 0) . $t . "\1\1" . $mac, 0, pack_sockaddr_in6(0, $to, $ix));
  }
}
sub show { my $l = join " ", @_; print "$l\n" unless $shown{$l}++ }
sub taken { show("taken", $asked{$_[0]}, join ":", unpack("(H2)6", $_[1])) if $asked{$_[0]} && $_[1] ne $mac }
my $end = time + $secs + 1; my $next = 0;
while ((my $now = time) < $end) {
  if ($now > $next) { ask(); $next = $now }
  my $r = ""; vec($r, $_, 1) = 1 for keys %by;
  select($r, undef, undef, 0.5) > 0 or next;
  for (grep { vec($r, $_, 1) } keys %by) {
    my ($h, $p) = @{$by{$_}};
    defined(my $from = recv($h, my $b, 2048, 0)) or next;
    my (undef, undef, $on, undef, $type, $len, $hw) = unpack("SnlSCCa8", $from);
    next if $on != $ix || $type > 2;
    if ($p == 0x0806) { taken(substr($b, 14, 4), substr($b, 8, 6)) if length $b >= 28; next }
    my $four = $p == 0x0800; length $b >= ($four ? 20 : 40) or next;
    my ($proto, $src, $at) = $four ? (ord substr($b, 9, 1), substr($b, 12, 4), (ord($b) & 15) * 4)
      : (ord substr($b, 6, 1), substr($b, 8, 16), 40);
    my $d = substr($b, $at);
    if ($proto == 51 && length $d > 1) {
      ($proto, my $skip) = unpack("CC", $d); $skip = ($skip + 2) * 4; $d = length $d > $skip ? substr($d, $skip) : "";
    }
    show("advert", ord substr($d, 1, 1), inet_ntop($four ? AF_INET : AF_INET6, $src))
      if $proto == 112 && length $d > 1 && (ord($d) & 15) == 1;
    taken(substr($d, 8, 16), substr($hw, 0, 6)) if $proto == 58 && length $d >= 24 && ord($d) == 136;
  }
}
print "heard\n";
"""

PYTHON = r"""
import ctypes, select, socket, struct, sys, time
name, secs, want = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
asked, shown, by = {}, set(), {}
def line(what):
    with open("/sys/class/net/%s/%s" % (name, what)) as f:
        return f.read().strip().replace(":", "")
ix, mac = int(line("ifindex")), bytes.fromhex(line("address"))
for p in (0x0800, 0x86dd, 0x0806):
    h = socket.socket(17, 2, socket.htons(p))
    code = ((0x30, 0, 0, 9 if p == 0x0800 else 6), (0x15, 2, 0, 112), (0x15, 1, 0, 51), (0x15, 0, 1, 58),
            (6, 0, 0, 65535), (6, 0, 0, 0))
    kept = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
    if p != 0x0806:
        h.setsockopt(1, 26, struct.pack("@HP", len(code), ctypes.addressof(kept)))
    h.bind((name, p))
    for group in ("01005e000012", "333300000012"):
        h.setsockopt(263, 1, struct.pack("iHH8s", ix, 0, 6, bytes.fromhex(group)))
    by[h] = p
arp = [h for h in by if by[h] == 0x0806][0]
def ask():
    for a in want:
        six = ":" in a
        t = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, a)
        asked[t] = a
        if not six:
            probe = struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + mac + bytes(10) + t
            arp.sendto(probe, (name, 0x0806, 0, 0, b"\xff" * 6))
            continue
        n = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
        n.setsockopt(41, 18, 255)
        n.setsockopt(41, 17, ix)
        to = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + t[13:])
        try:
            n.sendto(struct.pack(">BBHI", 135, 0, 0, 0) + t + b"\1\1" + mac, (to, 0, 0, ix))
        except OSError:
            pass
        n.close()
def show(*words):
    if words not in shown:
        shown.add(words)
        print(*words)
def taken(t, hw):
    if t in asked and hw != mac:
        show("taken", asked[t], ":".join("%02x" % b for b in hw))
end, again = time.monotonic() + secs, 0.0
while time.monotonic() < end:
    if time.monotonic() >= again:
        ask()
        again = time.monotonic() + 1
    for h in select.select(list(by), [], [], 0.5)[0]:
        b, (on, p, kind, _, hw) = h.recvfrom(2048)
        if on != name or kind > 2:
            continue
        if p == 0x0806:
            if len(b) >= 28:
                taken(b[14:18], b[8:14])
            continue
        four = p == 0x0800
        if len(b) < (20 if four else 40):
            continue
        proto, src, d = (b[9], b[12:16], b[(b[0] & 15) * 4:]) if four else (b[6], b[8:24], b[40:])
        if proto == 51 and len(d) > 1:
            proto, d = d[0], d[(d[1] + 2) * 4:]
        if proto == 112 and len(d) > 1 and d[0] & 15 == 1:
            show("advert", d[1], socket.inet_ntop(socket.AF_INET if four else socket.AF_INET6, src))
        if proto == 58 and len(d) >= 24 and d[0] == 136:
            taken(d[8:24], hw[:6])
print("heard")
"""

LISTEN = f"""__listen() {{ # interface, seconds, addresses
  if perl -MSocket -e 1 2>/dev/null; then perl -e {quote(PERL)} "$@"; return; fi
  for p in python3 /usr/libexec/platform-python; do
    command -v "$p" >/dev/null 2>&1 || continue
    "$p" -I -c {quote(PYTHON)} "$@"; return # -I: no module of the current folder
  done
}}"""
"""Shell: listens by what the host has; prints nothing if it has neither, or may not open packet sockets."""
