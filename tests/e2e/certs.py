"""Certificates made by openssl's command line, and an HTTPS server that also stalls, lies and is huge."""
import base64
import http.server
import json
import ssl
import subprocess
import threading
import time

TN_LIST = "1.3.6.1.5.5.7.1.26"


def openssl(*args, data=None):
    return subprocess.run(["openssl", *map(str, args)], input=data, check=True, capture_output=True).stdout


class Authority:
    """Signs what it is asked to: servers, and callers with the numbers they may speak for."""

    def __init__(self, root, name="ca"):
        self.root, self.name = root, name
        self.key, self.pem = root / f"{name}.key", root / f"{name}.pem"
        root.mkdir(parents=True, exist_ok=True)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.pem,
                "-days", "3650", "-subj", f"/CN={name}")

    def issue(self, name, extensions, days=3650, curve="P-256"):
        key, csr, pem, conf = (self.root / f"{self.name}-{name}.{e}" for e in ("key", "csr", "pem", "cnf"))
        conf.write_text("[x]\nbasicConstraints=critical,CA:FALSE\n" + extensions)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-nodes", "-keyout", key, "-out", csr,
                "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", csr, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-days", days, "-out", pem,
                "-extfile", conf, "-extensions", "x")
        return key, pem

    def server(self, name="server"):
        return self.issue(name, "subjectAltName=IP:127.0.0.1,DNS:localhost\n")

    def caller(self, name, spc=None, numbers=(), ranges=(), **how):
        """spc: a provider's code; numbers; ranges of (first, count)."""
        lines, n = [], 0
        sections = ""
        if spc:
            lines.append(f"a=EXPLICIT:0,IA5STRING:{spc}")
        for first, count in ranges:
            n += 1
            lines.append(f"b{n}=EXPLICIT:1,SEQUENCE:range{n}")
            sections += f"[range{n}]\ns=IA5STRING:{first}\nc=INTEGER:{count}\n"
        for number in numbers:
            n += 1
            lines.append(f"c{n}=EXPLICIT:2,IA5STRING:{number}")
        ext = f"{TN_LIST}=ASN1:SEQUENCE:list\n[list]\n" + "\n".join(lines) + "\n" + sections if lines else ""
        return self.issue(name, ext, **how)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_signature(der):
    """r and s of 32 bytes each out of the DER that openssl writes."""
    def integer(at):
        n = der[at + 1]
        return int.from_bytes(der[at + 2:at + 2 + n], "big"), at + 2 + n
    r, at = integer(2)
    s, _ = integer(at)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(key, url, orig, dest, attest="A", iat=None, header=None, claims=None, ppt="shaken"):
    head = {"alg": "ES256", "ppt": ppt, "typ": "passport", "x5u": url, **(header or {})}
    body = {"attest": attest, "dest": {"tn": [dest]}, "iat": int(time.time()) if iat is None else iat, "orig": {"tn": orig},
            "origid": "123e4567-e89b-12d3-a456-426655440000", **(claims or {})}
    if ppt == "div":
        del body["attest"], body["origid"]
    text = ".".join(b64(json.dumps(part, separators=(",", ":"), sort_keys=True).encode()) for part in (head, body))
    return text + "." + b64(raw_signature(openssl("dgst", "-sha256", "-sign", key, data=text.encode())))


def identity(key, url, *args, **how):
    return f"Identity: {token(key, url, *args, **how)};info=<{url}>;alg=ES256;ppt={how.get('ppt', 'shaken')}\n"


class HttpsServer:
    """files: path -> bytes, or a function of the handler. It counts what it is asked."""

    def __init__(self, key, pem):
        self.files, self.asked = {}, []
        self.release = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append(self.path)
                what = outer.files.get(self.path.split("?")[0])
                if callable(what):
                    return what(self)
                self.send_response(200 if what is not None else 404)
                self.send_header("Content-Length", str(len(what or b"")))
                self.end_headers()
                self.wfile.write(what or b"")

            def log_message(self, *args):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stall(self, handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.flush()
        self.release.wait(30)

    @staticmethod
    def huge(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(4000):
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass
        handler.close_connection = True

    @staticmethod
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", "/good.pem")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self):
        self.release.set()
        self.http.shutdown()
        self.http.server_close()
