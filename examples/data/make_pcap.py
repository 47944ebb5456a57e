#!/usr/bin/env python3
"""make_pcap.py - normal.pcap and mixed.pcap: packets of the recordings as frames again.

python3 examples/data/make_pcap.py      writes both; the same bytes each time

A row of an export becomes a frame of headers without payload, cut off after the fixed part of the
TCP header. What a network also has, and the recordings lack, is made up and mixed in: DNS before
connections, pings of both versions, NTP, neighbours' addresses (ARP, ICMPv6), and in mixed.pcap two
things that do not belong there: a sweep of pings (second 262), and data in the names of DNS queries
(second 280).
"""
import csv
import ipaddress
import os
import random
import struct

BEGIN = 1772323200  # 2026-03-01
RESOLVER, PROBE, OUTSIDE = "172.16.112.1", "172.16.112.2", "203.0.113.66"
FLAGS = [("Reserved", 0x200), ("Nonce", 0x100), ("Congestion Window Reduced (CWR)", 0x80),
         ("ECN-Echo", 0x40), ("Urgent", 0x20), ("Acknowledgment", 0x10), ("Push", 8),
         ("Reset", 4), ("Syn", 2), ("Fin", 1)]


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def packet(src, dst, protocol, transport, length):
    """An Ethernet frame of `length` bytes on the wire, cut off after the transport header."""
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(a) == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, length - 14, 0, 0x4000, 64, protocol, 0) + a + b
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        kind = 0x0800
    else:
        ip = struct.pack("!IHBB", 0x60000000, length - 54, protocol, 64) + a + b
        kind = 0x86dd
    return b"\2\0" + b[-4:] + b"\2\0" + a[-4:] + struct.pack("!H", kind) + ip + transport, length


class Tcp:
    """Sequence numbers, and who sends timestamps, so that frames are those of real connections."""

    def __init__(self):
        self.next, self.stamps = {}, {}

    def frame(self, row):
        src, dst = row["Source"], row["Destination"]
        sport, dport, length = int(row["Source port"]), int(row["Dest port"]), int(row["Length"])
        flags = sum(bit for name, bit in FLAGS if row[name] == "Set")
        here, there = (src, sport, dst, dport), (dst, dport, src, sport)
        extra = length - (74 if ":" in src else 54)
        if flags & 2:
            options = min(extra, 40)
            self.stamps[here] = self.stamps[there] = options >= 20
        else:
            options = 12 if self.stamps.get(here, True) and extra >= 12 else 0
            if flags == 0x10 and extra - options in (12, 20, 28):
                options = extra  # selective acknowledgments
        payload = max(extra - options, 0)
        seq, ack = self.next.get(here, 1000), self.next.get(there, 1000)
        self.next[here] = (seq + payload + (flags & 2 and 1) + (flags & 1)) & 0xffffffff
        header = struct.pack("!HHIIHHHH", sport, dport, seq, ack if flags & 0x10 else 0,
                             (5 + options // 4) << 12 | flags, 64240, 0, 0)
        return packet(src, dst, 6, header, length)


def udp(src, dst, sport, dport, payload):
    base = 62 if ":" in src else 42
    return packet(src, dst, 17, struct.pack("!HHHH", sport, dport, payload + 8, 0), base + payload)


def echo(src, dst, kind, number, payload):
    six = ":" in src
    header = struct.pack("!BBHHH", kind, 0, 0, 7, number & 0xffff)
    return packet(src, dst, 58 if six else 1, header, (62 if six else 42) + payload)


def neighbour(src, dst, kind):
    return packet(src, dst, 58, struct.pack("!BBHI", kind, 0, 0, 0), 86)


def arp(src, dst, operation):
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    frame = b"\xff" * 6 + b"\2\0" + a + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
    return frame + b"\2\0" + a + a + bytes(6) + b, 60


def background(rows, rng):
    """What the recordings lack, as (time, frame)."""
    begin, end = float(rows[0]["Time"]), float(rows[-1]["Time"])
    four = sorted({r["Source"] for r in rows if r["Source"].startswith("172.16.112.")})
    six = sorted({r["Source"] for r in rows if ":" in r["Source"]})
    for r in rows:  # a name is looked up before half of the connections
        if r["Syn"] == "Set" and r["Acknowledgment"] != "Set" and "." in r["Source"]:
            if rng.random() < 0.5:
                at, port = float(r["Time"]) - rng.uniform(0.004, 0.03), rng.randint(32768, 60999)
                query = rng.randint(28, 44)
                yield at, udp(r["Source"], RESOLVER, port, 53, query)
                yield at + 0.0006, udp(RESOLVER, r["Source"], 53, port, query + 16)
    at, number = begin, 0
    while at < end:  # every host is asked whether it is there
        for hosts, probe, question, answer in ((four, PROBE, 8, 0), (six, "fd00:112::2", 128, 129)):
            host = hosts[number % len(hosts)]
            yield at, echo(probe, host, question, number, 56)
            yield at + 0.0004, echo(host, probe, answer, number, 56)
        if number % 6 == 0:
            yield at + 0.3, arp(PROBE, host if "." in host else four[0], 1)
            yield at + 0.3002, arp(four[0], PROBE, 2)
            yield at + 0.4, neighbour("fd00:112::2", six[number % len(six)], 135)
            yield at + 0.4003, neighbour(six[number % len(six)], "fd00:112::2", 136)
        if number % 8 == 0:
            client = four[number // 8 % len(four)]
            yield at + 0.7, udp(client, RESOLVER, 123, 123, 48)
            yield at + 0.7004, udp(RESOLVER, client, 123, 123, 48)
        at, number = at + 1.0, number + 1


def attacks(rng):
    for host in range(10, 250):
        yield 262 + host * 0.004, echo(OUTSIDE, "172.16.112.%d" % host, 8, host, 8)
    at = 280.0
    for _ in range(220):
        port, query = rng.randint(32768, 60999), rng.randint(180, 235)
        yield at, udp("172.16.112.104", OUTSIDE, port, 53, query)
        yield at + 0.03, udp(OUTSIDE, "172.16.112.104", 53, port, query + rng.randint(60, 200))
        at += rng.uniform(0.01, 0.05)


def write(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 74, 1))
        for at, (frame, length) in sorted(frames, key=lambda f: f[0]):
            whole = round(at * 1000000)
            out.write(struct.pack("<IIII", BEGIN + whole // 1000000, whole % 1000000, len(frame),
                                  length) + frame)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for name, first, count in (("normal", 0, 9500), ("mixed", 19000, 9500)):
        with open(os.path.join(here, name + "_export.csv"), newline="") as file:
            rows = list(csv.DictReader(file))[first:first + count]
        rng, tcp = random.Random(name), Tcp()
        frames = [(float(r["Time"]), tcp.frame(r)) for r in rows]
        frames += background(rows, rng)
        if name == "mixed":
            frames += attacks(rng)
        write(os.path.join(here, name + ".pcap"), frames)


if __name__ == "__main__":
    main()
