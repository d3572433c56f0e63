#!/usr/bin/env python3
"""A server for Tandem's speech engine `http`: it speaks with espeak-ng and answers with a wav file. Nothing but Python 3 and espeak-ng.

    python3 examples/tts/espeak_server.py [PORT]        listens on http://127.0.0.1:9001/speak

tts_http.conf: url http://127.0.0.1:9001/speak; dialplan: `speak http|cmn|TEXT`. docs/speech.md tells the protocol.
To speak with something better, write another synthesise()."""
import http.server
import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

BODY_MAX, SECONDS_MAX, AT_ONCE = 64 << 10, 20, threading.BoundedSemaphore(2)
VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+_-]{0,40}")


def synthesise(text, voice, language):
    """A wav file's bytes. The text is espeak-ng's input, never a word of a command line."""
    name = next((n for n in (voice, language) if VOICE.fullmatch(n)), "en")
    with tempfile.TemporaryDirectory() as d, AT_ONCE:
        wav = Path(d) / "speech.wav"
        subprocess.run(["espeak-ng", "-v", name, "-w", str(wav), "--stdin"], input=text.encode(), check=True, timeout=SECONDS_MAX,
                       stderr=subprocess.DEVNULL)
        return wav.read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def answer(self, code, ctype, body):
        self.send_response(code)
        self.send_header("Content-Type", ctype)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def asked(self):
        """text, voice, language; ValueError: it is not what was asked for."""
        size = int(self.headers.get("Content-Length", -1))
        if not 0 <= size <= BODY_MAX:
            self.close_connection = True
            raise ValueError("no body, or one that is too long")
        request = json.loads(self.rfile.read(size))
        words = [request.get(name, "") for name in ("text", "voice", "language")] if isinstance(request, dict) else [None]
        if not all(isinstance(w, str) for w in words) or not words[0].strip():
            raise ValueError('{"text": "...", "voice": "...", "language": "..."} was expected')
        return words

    def do_POST(self):
        try:
            self.answer(200, "audio/wav", synthesise(*self.asked()))
        except ValueError as e:
            self.answer(400, "text/plain", f"{e}\n".encode())
        except (OSError, subprocess.SubprocessError) as e:
            self.answer(500, "text/plain", f"espeak-ng: {e}\n".encode())


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9001
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"http://127.0.0.1:{server.server_port}/speak", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
