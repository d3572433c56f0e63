"""Coders that FFmpeg lacks, from the shared libraries of Debian by ctypes: for codec_phone.py and test_audio.py. Each has encode(int16 samples of
whole frames) and decode(payload), of RTP's payload. AMR's encoders give storage frames (RFC 4867 section 5.3)."""
import ctypes

import numpy as np


class Library:
    """One coder: NAME is the library's file, what open() gives is freed by close()."""
    NAME = ""

    def __init__(self):
        self.lib = ctypes.CDLL(self.NAME)
        self.states = []

    def state(self, init, free, *args):
        """What init(args) gives, freed at the end."""
        fn = getattr(self.lib, init)
        fn.restype = ctypes.c_void_p
        p = ctypes.c_void_p(fn(*args))
        assert p.value, init
        self.states.append((free, p))
        return p

    def __del__(self):
        for free, p in self.states:
            getattr(self.lib, free)(p)


def shorts(x):
    return (ctypes.c_int16 * len(x)).from_buffer_copy(np.asarray(x, np.int16).tobytes())


def samples(buf, n):
    return np.frombuffer(buf, np.int16, n).astype(float)


class Bcg729(Library):
    """G.729. with_dtx: annex B, silence is 2 bytes or nothing."""
    NAME = "libbcg729.so.0"

    def __init__(self, with_dtx=False):
        super().__init__()
        self.channel = self.state("initBcg729EncoderChannel", "closeBcg729EncoderChannel", ctypes.c_uint8(with_dtx))

    def encode(self, x):
        out, size, bits = b"", ctypes.c_uint8(), (ctypes.c_uint8 * 10)()
        for i in range(0, len(x), 80):
            self.lib.bcg729Encoder(self.channel, shorts(x[i:i + 80]), bits, ctypes.byref(size))
            out += bytes(bits)[:size.value]
        return out


class AmrNb(Library):
    NAME, FRAME = "libopencore-amrnb.so.0", 160

    def __init__(self, mode=7):
        super().__init__()
        self.mode, self.enc = mode, self.state("Encoder_Interface_init", "Encoder_Interface_exit", 0)

    def encode(self, x):
        out = (ctypes.c_uint8 * 64)()
        return bytes(out[:self.lib.Encoder_Interface_Encode(self.enc, self.mode, shorts(x), out, 0)])


class AmrWb(Library):
    NAME, FRAME = "libvo-amrwbenc.so.0", 320

    def __init__(self, mode=8):
        super().__init__()
        self.mode, self.enc = mode, self.state("E_IF_init", "E_IF_exit")

    def encode(self, x):
        out = (ctypes.c_uint8 * 64)()
        return bytes(out[:self.lib.E_IF_encode(self.enc, self.mode, shorts(x), out, 0)])


class Spandsp(Library):
    """what: "g726" (bits: of a code word; is_aal2: I.366.2's order), "lpc10", "ima_adpcm" (DVI4)."""
    NAME = "libspandsp.so.2"

    def __init__(self, what, bits=4, is_aal2=False):
        super().__init__()
        self.what = what
        if what == "g726":
            self.enc, self.dec = (self.state("g726_init", "g726_free", None, bits * 8000, 0, 1 if is_aal2 else 2) for _ in "ed")
        elif what == "lpc10":
            self.enc = self.state("lpc10_encode_init", "lpc10_encode_free", None, 1)
            self.dec = self.state("lpc10_decode_init", "lpc10_decode_free", None, 1)
        else:
            self.enc, self.dec = (self.state("ima_adpcm_init", "ima_adpcm_free", None, 1, 0) for _ in "ed")

    def encode(self, x):
        out = (ctypes.c_uint8 * 4000)()
        return bytes(out[:getattr(self.lib, self.what + "_encode")(self.enc, out, shorts(x), len(x))])

    def decode(self, payload):
        out = (ctypes.c_int16 * 8000)()
        return samples(out, getattr(self.lib, self.what + "_decode")(self.dec, out, payload, len(payload)))


class Opus(Library):
    """Packets of 20 ms or what they are, one channel."""
    NAME = "libopus.so.0"

    def __init__(self, rate):
        super().__init__()
        error = ctypes.byref(ctypes.c_int())
        self.enc = self.state("opus_encoder_create", "opus_encoder_destroy", rate, 1, 2048, error)  # for speech
        self.dec = self.state("opus_decoder_create", "opus_decoder_destroy", rate, 1, error)

    def encode(self, x):
        out = (ctypes.c_uint8 * 1500)()
        n = self.lib.opus_encode(self.enc, shorts(x), len(x), out, len(out))
        assert n > 0, n
        return bytes(out)[:n]

    def decode(self, packet):
        out = (ctypes.c_int16 * 5760)()
        n = self.lib.opus_decode(self.dec, packet, len(packet), out, len(out), 0)
        assert n > 0, n
        return samples(out, n)


class Codec2(Library):
    """Codec 2 at 2400 bit/s."""
    NAME = "libcodec2.so.1.0"

    def __init__(self, mode=1):
        super().__init__()
        self.enc, self.dec = (self.state("codec2_create", "codec2_destroy", mode) for _ in "ed")
        self.frame = self.lib.codec2_samples_per_frame(self.enc)
        self.size = (self.lib.codec2_bits_per_frame(self.enc) + 7) // 8

    def encode(self, x):
        out, bits = b"", (ctypes.c_uint8 * 16)()
        for i in range(0, len(x), self.frame):
            self.lib.codec2_encode(self.enc, bits, shorts(x[i:i + self.frame]))
            out += bytes(bits)[:self.size]
        return out

    def decode(self, payload):
        parts, out = [], (ctypes.c_int16 * self.frame)()
        for i in range(0, len(payload), self.size):
            self.lib.codec2_decode(self.dec, out, payload[i:i + self.size])
            parts.append(samples(out, self.frame))
        return np.concatenate(parts)


def native(name):
    """(encoder, decoder) of a codec by codec_phone's name; None: FFmpeg's, or none is needed."""
    if name == "G729":
        return Bcg729(), None
    if name.startswith("AMR"):
        return (AmrWb() if "WB" in name else AmrNb()), None
    both = Codec2() if name == "CODEC2" else None
    if name.startswith("DVI4"):
        both = Spandsp("ima_adpcm")
    elif name == "LPC":
        both = Spandsp("lpc10")
    elif name.endswith("G726-40"):  # FFmpeg's differs
        both = Spandsp("g726", 5, name.startswith("AAL2"))
    return both, both
