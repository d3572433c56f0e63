"""A scripted phone with a second m= line: what it sends there the test writes packet by packet, what comes is kept whole."""
import re
import socket
import struct
import time

from trunk import Trunk

H264 = "profile-level-id=42e01f;packetization-mode=1"
FB = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")


class VideoPhone(Trunk):
    """video: {payload number: (rtpmap, fmtp)}; fb: its a=rtcp-fb words; exts: {number: URI}."""

    def __init__(self, sw, user, at, video=None, fb=FB, exts=None, mux=False, rsize=False, ssrc=0x1000):
        super().__init__(sw, user, at)
        self.video, self.fb, self.exts, self.mux, self.rsize = {96: ("H264/90000", H264)} if video is None else video, fb, exts or {}, mux, rsize
        self.pt, self.ssrc, self.seq, self.ts = next(iter(self.video), 96), ssrc, 100, 5000
        while True:
            self.v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.v.bind(("127.0.0.1", 0))
            self.video_port = self.v.getsockname()[1]
            self.vc = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.vc.bind(("127.0.0.1", self.video_port + 1))
                break
            except OSError:
                self.v.close()
                self.vc.close()
        self.remote_video = 0

    def lines(self, port=None, dir="sendrecv", kind="video"):
        port = self.video_port if port is None else port
        text = f"m={kind} {port} RTP/AVP {' '.join(map(str, self.video))}\r\n"
        for pt, (rtpmap, fmtp) in self.video.items():
            text += f"a=rtpmap:{pt} {rtpmap}\r\n" + (f"a=fmtp:{pt} {fmtp}\r\n" if fmtp else "")
            text += "".join(f"a=rtcp-fb:{pt} {w}\r\n" for w in self.fb) if kind == "video" else ""
        text += "".join(f"a=extmap:{n} {uri}\r\n" for n, uri in self.exts.items())
        return text + ("a=rtcp-mux\r\n" if self.mux else "") + ("a=rtcp-rsize\r\n" if self.rsize else "") + f"a={dir}\r\n"

    def description(self, more=None, version=1, dir="sendrecv"):
        more = self.lines(dir=dir) if more is None else more
        return (f"v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {self.rtp_port} RTP/AVP 0 101\r\n"
                f"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={dir}\r\n" + more)

    def learn(self, body, kind="video"):
        m = re.search(rf"m={kind} (\d+) \S+ ([\d ]+)", body)
        self.remote_video, self.remote_pts = (int(m.group(1)), [int(x) for x in m.group(2).split()]) if m else (0, [])
        return self.remote_video

    # ---- packets
    def packet(self, payload=b"\x65picture", marked=False, pt=None, ext=None, seq=None):
        if seq is None:
            seq, self.seq = self.seq, self.seq + 1 & 65535
        head = struct.pack("!BBHII", 0x90 if ext else 0x80, (self.remote_pts[0] if pt is None else pt) | (0x80 if marked else 0), seq, self.ts, self.ssrc)
        if ext:
            ext += b"\0" * (-len(ext) % 4)
            head += struct.pack("!HH", 0xbede, len(ext) // 4) + ext
        return head + payload

    def show(self, *args, **kw):
        p = self.packet(*args, **kw)
        self.v.sendto(p, ("127.0.0.1", self.remote_video))
        return p

    def sees(self, timeout=3):
        """The next RTP packet."""
        until = time.monotonic() + timeout
        while True:
            self.v.settimeout(max(0.01, until - time.monotonic()))
            p = self.v.recv(4096)
            if not 192 <= p[1] <= 223:
                return Packet(p)
            self.kept = p

    def rtcp(self, p, timeout=3):
        if self.mux:
            self.v.sendto(p, ("127.0.0.1", self.remote_video))
        else:
            self.vc.sendto(p, ("127.0.0.1", self.remote_video + 1))

    def hears(self, kind, timeout=3):
        """The next RTCP packet for which kind(type, fmt) holds: (whole datagram, that packet)."""
        until = time.monotonic() + timeout
        s = self.v if self.mux else self.vc
        while True:
            s.settimeout(max(0.01, until - time.monotonic()))
            p = s.recv(4096)
            if not 192 <= p[1] <= 223:
                continue
            for one in compound(p):
                if kind(one[1], one[0] & 31):
                    return p, one

    def close(self):
        super().close()
        self.v.close()
        self.vc.close()


class Packet:
    def __init__(self, p):
        self.whole, self.pt, self.marked = p, p[1] & 127, bool(p[1] & 128)
        self.seq, self.ts, self.ssrc = struct.unpack("!HII", p[2:12])
        at, self.ext = 12 + 4 * (p[0] & 15), b""
        if p[0] & 0x10:
            n = struct.unpack("!H", p[at + 2:at + 4])[0] * 4
            self.ext, at = p[at + 4:at + 4 + n], at + 4 + n
        self.payload = p[at:]


def compound(p):
    out = []
    while p:
        n = 4 * (struct.unpack("!H", p[2:4])[0] + 1)
        out.append(p[:n])
        p = p[n:]
    return out


def feedback(kind, fmt, sender, media, fci=b""):
    return struct.pack("!BBHII", 0x80 | fmt, kind, 2 + len(fci) // 4, sender, media) + fci


def is_pli(kind, fmt):
    return (kind, fmt) == (206, 1)


def is_fir(kind, fmt):
    return (kind, fmt) == (206, 4)


def is_nack(kind, fmt):
    return (kind, fmt) == (205, 1)


def is_remb(kind, fmt):
    return (kind, fmt) == (206, 15)


def is_tcc(kind, fmt):
    return (kind, fmt) == (205, 15)
