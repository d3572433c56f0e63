"""Parity of RTP packets (ULPFEC, RFC 5109) as a scripted phone makes and uses it, independent of the switch's; whole packets as bytes."""
import struct


def _bits(packet):
    """Section 8.2: what of a packet is protected, as (first 8 bytes, length behind the head, the rest)."""
    return packet[:8], len(packet) - 12, packet[12:]


def _xor(parts):
    out = bytearray(max(map(len, parts)))
    for p in parts:
        for i, x in enumerate(p):
            out[i] ^= x
    return bytes(out)


def seq_of(packet):
    return struct.unpack("!H", packet[2:4])[0]


def protect(packets, is_long=False):
    """The payload of one packet of parity over these."""
    base = seq_of(packets[0])
    heads, lengths, rests = zip(*map(_bits, packets))
    head, rest = _xor(heads), _xor(rests)
    n = 0
    for x in lengths:
        n ^= x
    width = 48 if is_long else 16
    mask = sum(1 << width - 1 - (seq_of(p) - base & 65535) for p in packets)
    return (bytes([head[0] & 0x3f | (0x40 if is_long else 0), head[1]]) + struct.pack("!H", base) + head[4:8] + struct.pack("!HH", n, len(rest)) +
            mask.to_bytes(width // 8, "big") + rest)


def covers(payload):
    """The numbers that it protects."""
    is_long, base = payload[0] & 0x40, struct.unpack("!H", payload[2:4])[0]
    width = 48 if is_long else 16
    mask = int.from_bytes(payload[12:12 + width // 8], "big")
    return [base + i & 65535 for i in range(width) if mask >> width - 1 - i & 1]


def recover(payload, others, ssrc):
    """The one packet that others (whole packets by number) lacks."""
    lost, = [n for n in covers(payload) if n not in others]
    heads, lengths, rests = zip(*[_bits(others[n]) for n in covers(payload) if n != lost])
    n = struct.unpack("!H", payload[8:10])[0]
    for x in lengths:
        n ^= x
    head = _xor([payload[:2] + b"\0\0" + payload[4:8], *heads])
    rest = _xor([payload[18 if payload[0] & 0x40 else 14:], *rests])[:n]
    return bytes([0x80 | head[0] & 0x3f, head[1]]) + struct.pack("!H", lost) + head[4:8] + struct.pack("!I", ssrc) + rest


def red(packet, pt):
    """The packet in RED of that payload type: behind its head (without CSRC) and extension one byte, its own type."""
    at = 12
    if packet[0] & 0x10:
        at += 4 + 4 * struct.unpack("!H", packet[at + 2:at + 4])[0]
    return packet[:1] + bytes([packet[1] & 0x80 | pt]) + packet[2:at] + bytes([packet[1] & 0x7f]) + packet[at:]


def unred(packet):
    """(payload type inside, the packet without RED)."""
    at = 12
    if packet[0] & 0x10:
        at += 4 + 4 * struct.unpack("!H", packet[at + 2:at + 4])[0]
    pt = packet[at] & 0x7f
    return pt, packet[:1] + bytes([packet[1] & 0x80 | pt]) + packet[2:at] + packet[at + 1:]
