"""A scripted phone's media under SRTP, by libsrtp2: a socket that Talker takes for a plain one."""
import base64
import os

from pylibsrtp import Error, Policy, Session

SUITES = {  # bytes of master key and salt, libsrtp2's name
    "AES_CM_128_HMAC_SHA1_80": (30, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    "AES_CM_128_HMAC_SHA1_32": (30, Policy.SRTP_PROFILE_AES128_CM_SHA1_32),
    "AEAD_AES_128_GCM": (28, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    "AEAD_AES_256_GCM": (44, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
}


def new_key(suite):
    return os.urandom(SUITES[suite][0])


def line(tag, suite, key, params=""):
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(key).decode()}{params}"


def lines_of(text):
    """Of an SDP: [(protocol, port, {tag: (suite, key)})], one of each m= line."""
    out = []
    for l in text.splitlines():
        if l.startswith("m="):
            out.append((l.split()[2], int(l.split()[1]), {}))
        elif l.startswith("a=crypto:"):
            tag, suite, how = l[9:].split()[:3]
            assert how.startswith("inline:")
            out[-1][2][int(tag)] = (suite, base64.b64decode(how[7:]))
    return out


class Srtp:
    def __init__(self, sock, suite, key_out, key_in):
        self.sock, self.refused, self.opened = sock, 0, 0
        self.key_in_set(suite, key_in)
        self.key_out_set(suite, key_out)

    def key_in_set(self, suite, key):
        self.inside = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=SUITES[suite][1]))

    def key_out_set(self, suite, key):
        self.outside = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=SUITES[suite][1]))

    def sendto(self, data, to):
        return self.sock.sendto(self.outside.protect(bytes(data)), to)

    def recv(self, n):
        while True:
            data = self.sock.recv(n)
            try:
                plain = self.inside.unprotect(data)
            except Error:
                self.refused += 1
                continue
            self.opened += 1
            return plain

    def __getattr__(self, name):
        return getattr(self.sock, name)
