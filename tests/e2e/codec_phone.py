"""A scripted phone that speaks any codec: PyAV (FFmpeg's own coders, another maker's than ours) encodes a tone and decodes what comes, in
its RTP framing; several packet times, payload numbers of its own."""
import re
import socket
import struct
import threading
import time

import av
import coders
import numpy as np
from talk import ULAW, amplitude, ulaw

# name: (rtpmap, payload number, sampling rate, encoder, decoder, fmtp)
CODECS = {
    "PCMU": ("PCMU/8000", 0, 8000, None, None, ""),
    "G722": ("G722/8000", 9, 16000, "g722", "g722", ""),
    "G726-16": ("G726-16/8000", 97, 8000, "g726le", "g726le", ""),
    "G726-24": ("G726-24/8000", 97, 8000, "g726le", "g726le", ""),
    "G726-32": ("G726-32/8000", 97, 8000, "g726le", "g726le", ""),
    "G726-40": ("G726-40/8000", 97, 8000, "native", "native", ""),
    "AAL2-G726-32": ("AAL2-G726-32/8000", 97, 8000, "g726", "g726", ""),
    "GSM": ("GSM/8000", 3, 8000, "libgsm", "gsm", ""),
    "opus": ("opus/48000/2", 111, 48000, "libopus", "opus", "useinbandfec=1"),
    "speex": ("speex/16000", 98, 16000, "libspeex", "libspeex", ""),
    "speex-8": ("speex/8000", 98, 8000, "libspeex", "libspeex", ""),
    "speex-32": ("speex/32000", 98, 32000, "libspeex", "libspeex", ""),
    "AMR": ("AMR/8000", 112, 8000, "native", "amrnb", ""),
    "AMR-OA": ("AMR/8000", 112, 8000, "native", "amrnb", "octet-align=1"),
    "AMR-WB": ("AMR-WB/16000", 113, 16000, "native", "amrwb", ""),
    "PCMA": ("PCMA/8000", 8, 8000, "pcm_alaw", "pcm_alaw", ""),
    "L16-8": ("L16/8000", 118, 8000, None, None, ""),
    "L16": ("L16/16000", 118, 16000, None, None, ""),
    "L16-48": ("L16/48000", 118, 48000, None, None, ""),
    "L16-two": ("L16/48000/2", 118, 48000, None, None, ""),
    "G729": ("G729/8000", 18, 8000, "native", "g729", "annexb=no"),
    "DVI4": ("DVI4/8000", 5, 8000, "native", "native", ""),
    "DVI4-16": ("DVI4/16000", 6, 16000, "native", "native", ""),
    "LPC": ("LPC/8000", 7, 8000, "native", "native", ""),
    "CODEC2": ("CODEC2/8000", 119, 8000, "native", "native", "mode=2400"),
}
AMR_BITS = {8000: (95, 103, 118, 134, 148, 159, 204, 244, 39), 16000: (132, 177, 253, 285, 317, 365, 397, 461, 477, 40)}


def bits_of(data):
    return "".join(f"{b:08b}" for b in data)


def bytes_of(bits):
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def amr_unpack(payload, rate, is_aligned):
    """(mode request, [storage frame, ...]): RFC 4867 by its text."""
    b, at, toc = bits_of(payload), 8 if is_aligned else 4, []
    while True:
        more, kind, good = b[at] == "1", int(b[at + 1:at + 5], 2), b[at + 5]
        toc.append((kind, good))
        at += 8 if is_aligned else 6
        if not more:
            break
    frames = []
    for kind, good in toc:
        n = AMR_BITS[rate][kind] if kind < len(AMR_BITS[rate]) else 0
        frames.append(bytes([kind << 3 | (4 if good == "1" else 0)]) + bytes_of(b[at:at + n]))
        at += (n + 7) // 8 * 8 if is_aligned else n
    assert at <= len(b) and (is_aligned or len(b) - at < 8), (at, len(b))
    return int(b[:4], 2), frames


def amr_pack(cmr, frame, rate, is_aligned):
    """A packet of one storage frame."""
    kind, good = frame[0] >> 3, frame[0] >> 2 & 1
    speech = bits_of(frame[1:])[:AMR_BITS[rate][kind]]
    if is_aligned:
        return bytes_of(f"{cmr:04b}0000" + f"0{kind:04b}{good}00") + bytes_of(speech)
    return bytes_of(f"{cmr:04b}0{kind:04b}{good}{speech}")


class Coder:
    def __init__(self, name, seconds=0.02):
        self.name = name
        self.rtpmap, self.pt, self.rate, self.enc_name, self.dec_name, self.fmtp = CODECS[name]
        self.clock = int(self.rtpmap.split("/")[1])
        self.frame = int(self.rate * seconds)
        self.enc, self.dec = coders.native(name)
        self.is_amr = name.startswith("AMR")
        self.modes, self.cmr = [], 15
        if self.dec_name and not self.dec:
            self.dec = self._context(self.dec_name, "r")
        if self.enc_name and not self.enc:
            self.enc = self._context(self.enc_name, "w")
        self.fifo = b""

    def _context(self, name, mode):
        c = av.CodecContext.create(name, mode)
        c.sample_rate = self.rate
        c.layout = "mono"
        if mode == "w":
            c.format = "s16"
        if "g726" in name:
            bits = str(int(self.name[-2:]) // 8)
            c.options = {"code_size": bits} if mode == "w" else {"bits_per_coded_sample": bits}
            if mode == "w":
                c.bit_rate = int(self.name[-2:]) * 1000
        if name == "libopus":
            c.options = {"frame_duration": str(int(1000 * self.frame / self.rate)), "vbr": "on"}
            c.bit_rate = 32000
        return c

    def encode(self, samples):
        """RTP payloads of one frame of samples; none while the encoder fills up."""
        x = np.clip(samples, -32768, 32767).astype(np.int16)
        if self.name == "PCMU":
            return [ulaw(samples)]
        if self.name.startswith("L16"):
            return [x.astype(">i2").tobytes()]
        if self.is_amr:
            return [amr_pack(self.cmr, self.enc.encode(x), self.rate, "octet-align=1" in self.fmtp)]
        if self.enc_name == "native":
            return [self.enc.encode(x)]
        f = av.AudioFrame.from_ndarray(x.reshape(1, -1), "s16", "mono")
        f.sample_rate = self.rate
        got = [bytes(p) for p in self.enc.encode(f)]
        if self.enc_name not in ("g722", "g726", "g726le"):
            return got
        self.fifo += b"".join(got)  # it comes in blocks of its own
        n = self.frame // 2 if self.name == "G722" else self.frame * (int(self.name[-2:]) // 8) // 8
        if len(self.fifo) < n:
            return []
        out, self.fifo = self.fifo[:n], self.fifo[n:]
        return [out]

    def decode(self, payload):
        if self.name == "PCMU":
            return ULAW[np.frombuffer(payload, np.uint8)]
        if self.name.startswith("L16"):
            return np.frombuffer(payload, ">i2").astype(float)
        if self.dec_name == "native":
            return self.dec.decode(payload)
        parts = [payload]
        if self.is_amr:
            _, parts = amr_unpack(payload, self.rate, "octet-align=1" in self.fmtp)
            self.modes += [p[0] >> 3 for p in parts]
        if self.name == "GSM":
            parts = [payload[i:i + 33] for i in range(0, len(payload), 33)]
        if self.name == "G729":
            parts = [payload[i:i + 10] for i in range(0, len(payload), 10)]
        out = []
        for p in parts:
            for f in self.dec.decode(av.Packet(p)):
                y = f.to_ndarray()
                y = y.astype(float) * (32768 if "flt" in f.format.name else 1)
                out.append(y.reshape(-1) if f.format.is_planar or len(f.layout.channels) == 1 else y.reshape(-1)[::len(f.layout.channels)])
        return np.concatenate(out) if out else np.zeros(0)


class TwoChannels(Coder):
    """Opus in stereo, or L16 of two channels in packets of 10 ms: what it is given on the left, the tone right on the right."""

    def __init__(self, right, fmtp="useinbandfec=1; stereo=1; sprop-stereo=1", name="opus"):
        super().__init__(name, 0.01 if name == "L16-two" else 0.02)
        self.right, self.at = right, 0
        if name == "opus":
            self.fmtp = fmtp
            self.enc = av.CodecContext.create("libopus", "w")
            self.enc.sample_rate, self.enc.layout, self.enc.format, self.enc.bit_rate = 48000, "stereo", "s16", 64000
            self.enc.options = {"frame_duration": "20"}
            self.dec = av.CodecContext.create("opus", "r")
            self.dec.sample_rate, self.dec.layout = 48000, "stereo"

    def encode(self, samples):
        t = np.arange(self.at, self.at + len(samples)) / self.rate
        self.at += len(samples)
        both = np.stack([samples, 8000 * np.sin(2 * np.pi * self.right * t)], 1).astype(np.int16)
        if self.name == "L16-two":
            return [both.astype(">i2").tobytes()]
        f = av.AudioFrame.from_ndarray(both.reshape(1, -1), "s16", "stereo")
        f.sample_rate = self.rate
        return [bytes(p) for p in self.enc.encode(f)]

    def decode(self, payload):
        """The left one."""
        if self.name == "L16-two":
            return super().decode(payload)[::2]
        frames = [f.to_ndarray() for f in self.dec.decode(av.Packet(payload))]
        return np.concatenate([np.zeros(0), *((y[0] if len(y) == 2 else y.reshape(-1)[::2]) * (32768.0 if y.dtype.kind == "f" else 1) for y in frames)])

    def sides(self, packets):
        """Left and right, by a decoder of its own: the phone's is at work in its thread."""
        if self.name == "L16-two":
            return np.frombuffer(b"".join(packets), ">i2").astype(float).reshape(-1, 2).T
        out, dec = [], av.CodecContext.create("opus", "r")
        dec.sample_rate, dec.layout = 48000, "stereo"
        for p in packets:
            for f in dec.decode(av.Packet(p)):
                y = f.to_ndarray()
                y = y.astype(float) * (32768 if "flt" in f.format.name else 1)
                out.append(y if f.format.is_planar else y.reshape(-1, 2).T)
        return np.concatenate(out, 1)


class CodecTalker:
    """On a wire.Phone: says a tone in its codec every frame, keeps what it hears."""

    def __init__(self, phone, coder, hz, level=8000, sdp=""):
        """sdp: the other side's, which says by which payload number it wants the codec."""
        self.phone, self.coder, self.hz, self.level = phone, coder, hz, level
        theirs = re.search(rf"a=rtpmap:(\d+) {re.escape(coder.rtpmap)}", sdp, re.I)
        self.pt_send = int(theirs.group(1)) if theirs else coder.pt
        self.heard, self.sizes, self.payloads, self.pts, self.stamps = [], [], [], set(), []
        self.lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        c, seq, ts, at, due = self.coder, 0, 1000, 0, time.monotonic()
        step = c.frame * c.clock // c.rate if c.name != "G722" else c.frame // 2
        while not self._stop.is_set():
            t = np.arange(at, at + c.frame)
            for payload in c.encode(self.level * np.sin(2 * np.pi * self.hz * t / c.rate)):
                head = struct.pack("!BBHII", 0x80, self.pt_send, seq & 65535, ts & 0xffffffff, 99)
                seq, ts = seq + 1, ts + step
                try:
                    if payload is None:  # lost
                        continue
                    self.phone.media.sendto(head + payload, ("127.0.0.1", self.phone.remote_rtp))
                except OSError:
                    pass
            at += c.frame
            due += c.frame / c.rate
            while (left := due - time.monotonic()) > 0 and not self._stop.is_set():
                self.phone.media.settimeout(left)
                try:
                    self._take(self.phone.media.recv(4000))
                except (TimeoutError, socket.timeout):
                    break
                except OSError:
                    time.sleep(left)

    def _take(self, p):
        self.pts.add(p[1] & 127)
        if p[1] & 127 != self.coder.pt:  # a digit; the rest of a call whose phone had this port before
            return
        x = self.coder.decode(p[12:])
        with self.lock:
            self.sizes.append(len(x))
            self.payloads.append(len(p) - 12)
            self.stamps.append(struct.unpack("!HI", p[2:8]))
            self.heard.append(x)

    def stop(self):
        self._stop.set()
        self._thread.join()

    def samples(self):
        with self.lock:
            return np.concatenate(self.heard) if self.heard else np.zeros(0)

    def wait(self, seconds, timeout=15):
        """So much sound from now on."""
        deadline, start = time.monotonic() + timeout, len(self.samples())
        while len(self.samples()) < start + seconds * self.coder.rate:
            assert time.monotonic() < deadline, f"{self.phone.user}: {len(self.samples()) - start} samples in {timeout} s"
            time.sleep(0.02)
        return self.samples()[-int(seconds * self.coder.rate):]

    def hears(self, hz, level=8000, within_db=3, seconds=0.4, snr_db=None, timeout=12):
        """Until a stretch has the tone at that level, and little else."""
        deadline = time.monotonic() + timeout
        while True:
            x = self.wait(seconds)
            found = amplitude(x, hz, self.coder.rate)
            t = np.arange(len(x)) / self.coder.rate
            m = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)], 1)
            rest = x - m @ np.linalg.lstsq(m, x, rcond=None)[0]
            snr = 10 * np.log10((np.sum(x * x) + 1) / (np.sum(rest * rest) + 1))
            if abs(20 * np.log10((found + 1e-9) / level)) < within_db and (snr_db is None or snr > snr_db):
                return snr
            assert time.monotonic() < deadline, f"{self.phone.user} ({self.coder.name}): {hz} Hz at {found:.0f}, SNR {snr:.1f} dB"


def body(phone, coders, ptime=20, maxptime=None):
    """An offer or answer with these codecs."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
             f"m=audio {phone.rtp_port} RTP/AVP {' '.join(str(c.pt) for c in coders)} 101"]
    for c in coders:
        lines.append(f"a=rtpmap:{c.pt} {c.rtpmap}")
        if c.fmtp:
            lines.append(f"a=fmtp:{c.pt} {c.fmtp}")
    lines += ["a=rtpmap:101 telephone-event/8000", f"a=ptime:{ptime}", *([f"a=maxptime:{maxptime}"] if maxptime else []), "a=sendrecv", ""]
    return "\r\n".join(lines)
