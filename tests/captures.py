#!/usr/bin/env python3
"""captures.py FOLDER ... - are the packets of captures those that tshark finds?

Each NAME.pcap, .pcapng or .cap of the folders is read by build/print_capture, and compared, field
by field, with NAME.pcap.tsv beside it, if tshark has made one; else tshark is asked (4.0 or later).
Prints what differs, then how often it did for which known reason (see reason), and ends with
"N packets, N differ".
"""
import collections
import os
import subprocess
import sys

FIELDS = """frame.number frame.time_epoch frame.len frame.protocols ip.src ip.dst ipv6.src ipv6.dst
ip.proto ipv6.nxt tcp.srcport tcp.dstport tcp.flags udp.srcport udp.dstport sctp.srcport sctp.dstport
icmp.type icmp.code icmpv6.type icmpv6.code""".split()
OPTIONS = ["-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
           "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "header=y",
           "-E", "separator=/t", "-E", "occurrence=a"]
NUMBER = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58}


def expected_text(path):
    if os.path.exists(path + ".tsv"):
        with open(path + ".tsv", encoding="utf-8", errors="replace") as file:
            text = file.read()
        if text.startswith("frame.number"):
            return text
    command = ["tshark", "-r", path] + OPTIONS + [a for f in FIELDS for a in ("-e", f)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout


def values(row, name):
    return [v for v in row.get(name, "").split(",") if v]


def nth(row, name, n):
    """Occurrence n of a field (from 1), or None."""
    found = values(row, name)
    return found[n - 1] if 0 < n <= len(found) else None


def expect(row):
    """What tshark says of the innermost packet, or None if there is none."""
    stack = row["frame.protocols"].split(":")
    for i, name in enumerate(stack):
        if name in ("icmp", "icmpv6"):
            stack = stack[:i + 1]  # what follows is a quotation
            break
    at = max((i for i, name in enumerate(stack) if name in ("ip", "ipv6")), default=-1)
    while at >= 0:
        version, n = stack[at], stack[:at + 1].count(stack[at])
        out = {"src": nth(row, version + ".src", n), "dst": nth(row, version + ".dst", n)}
        if out["src"]:
            break
        at = max((i for i in range(at) if stack[i] in ("ip", "ipv6")), default=-1)
    if at < 0:
        return None
    for i in range(at + 1, len(stack)):
        name = stack[i]
        if name in ("tcp", "udp", "sctp"):
            n = stack[:i + 1].count(name)
            out["src_port"] = nth(row, name + ".srcport", n)
            out["dst_port"] = nth(row, name + ".dstport", n)
            if name == "tcp":
                out["flags"] = nth(row, "tcp.flags", n)
        elif name in ("icmp", "icmpv6"):
            n = stack[:i + 1].count(name)
            out["icmp_type"] = nth(row, name + ".type", n)
            out["icmp_code"] = nth(row, name + ".code", n)
        elif name.startswith("ipv6."):
            continue
        else:
            if version == "ip" and i == at + 1:
                out["transport"] = nth(row, "ip.proto", n)
            break
        out["transport"] = str(NUMBER[name])
        break
    else:
        out["transport"] = nth(row, "ip.proto", n) if version == "ip" else None
    if out.get("flags"):
        bits = int(out["flags"], 16)
        out["flags"] = "0x%03x" % (bits & 0x1ff | (0x200 if bits & 0xe00 else 0))
    return out


NAMES = ["frame", "time", "length", "src", "dst", "transport", "src_port", "dst_port", "flags",
         "icmp_type", "icmp_code", "icmp_id", "payload", "notes", "protocol"]


def ours(path):
    run = subprocess.run(["build/print_capture", path], capture_output=True, text=True,
                         errors="replace")
    packets, tail = {}, []
    for line in run.stdout.splitlines():
        if line[:1] in "#!":
            tail.append(line)
        else:
            packet = dict(zip(NAMES, line.split("\t")))
            packets[packet["frame"]] = packet
    if run.stderr:
        tail.append(run.stderr[:2000])
    return packets, tail


def differences(want, got):
    for name in ("src", "dst", "transport", "src_port", "dst_port", "flags", "icmp_type",
                 "icmp_code"):
        w, g = want.get(name), got[name]
        if w is None:
            if name == "transport":
                continue
            w = "0x000" if name == "flags" else "0"
        if w != g:
            yield "%s %s, here %s" % (name, w, g)


def reason(row, want, got):
    """Why a packet rightly differs, or None."""
    if row["frame.protocols"].endswith(":gre:data") and got:
        return "within GRE, an Ethertype that tshark does not look into"
    if want and not want["dst"] and got and got["src"] == want["src"]:
        return "IP options that are cut off, for which tshark leaves out the destination"
    if want and not want["dst"]:
        return "an IP header that is not whole, of which tshark gives one address"
    return None


def same_time(text, ours):
    """To the bit; but of units finer than nanoseconds tshark cuts off the rest."""
    return not text or float(text) == float(ours) or 0 < float(ours) - float(text) < 1e-9


def compare(path, counts, report):
    lines = expected_text(path).splitlines()
    head = lines[0].split("\t") if lines else []
    packets, tail = ours(path)
    seen = set()
    for line in lines[1:]:
        row = dict(zip(head, line.split("\t")))
        frame = row["frame.number"]
        counts["frames"] += 1
        want, got = expect(row), packets.get(frame)
        seen.add(frame)
        found = []
        if want is None and got is None:
            counts["neither"] += 1
            continue
        counts["packets"] += 1
        if want is None:
            found = ["no packet, here %s > %s %s" % (got["src"], got["dst"], got["transport"])]
        elif got is None:
            found = ["%s > %s, here none" % (want["src"], want["dst"])]
        else:
            if not same_time(row["frame.time_epoch"], got["time"]):
                found.append("time %s, here %s" % (row["frame.time_epoch"], got["time"]))
            if row["frame.len"] != got["length"]:
                found.append("length %s, here %s" % (row["frame.len"], got["length"]))
            found += differences(want, got)
        why = found and reason(row, want, got)
        if why:
            counts[why] += 1
        elif found:
            counts["differ"] += 1
            report.append("%s %s %s: %s" % (os.path.basename(path), frame,
                                            row["frame.protocols"][-120:], "; ".join(found)))
    for frame in packets:
        if frame not in seen:
            counts["differ"] += 1
            report.append("%s %s: not in tshark's list" % (os.path.basename(path), frame))
    for line in tail:
        if not line.startswith("#"):
            report.append("%s: %s" % (os.path.basename(path), line))


def main():
    counts, report = collections.Counter(), []
    for folder in sys.argv[1:]:
        for name in sorted(os.listdir(folder)):
            if name.endswith((".pcap", ".pcapng", ".cap")):
                counts["files"] += 1
                compare(os.path.join(folder, name), counts, report)
    for line in report:
        print(line)
    for name in sorted(counts):
        if " " in name:
            print("%d packets: %s" % (counts[name], name))
    print("%d files, %d frames, %d packets, %d differ" % (counts["files"], counts["frames"],
                                                         counts["packets"], counts["differ"]))
    return counts["differ"] != 0 or counts["packets"] == 0


if __name__ == "__main__":
    sys.exit(main())
