#!/usr/bin/env python3
"""A server for detect_speech's engine http: it gets each utterance whole, as a wav file by POST, and answers what was said. Needs Python only.

    python3 examples/asr/post_server.py                      listens on http://127.0.0.1:8766
    <param name="url" value="http://127.0.0.1:8766/"/>       in autoload_configs/http_asr.conf.xml
    play_and_detect_speech <file> detect:http numbers        in the dialplan

Instead of recognising anything it tells how long was spoken: put your recogniser into recognise(). docs/speech.md tells the protocol."""
import argparse
import http.server
import io
import json
import wave

BYTES_MAX = 4 << 20  # 60 s at 16 kHz are less than two


def recognise(samples, rate, grammar):
    """(text, how sure from 0 to 1); "": nothing that it knows. samples: bytes of int16, little-endian."""
    return f"{len(samples) / 2 / rate:.1f} seconds", 0.9


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        count = int(self.headers.get("Content-Length") or 0)
        if not 0 < count <= BYTES_MAX:
            self.send_error(413)
            return
        try:
            with wave.open(io.BytesIO(self.rfile.read(count))) as w:
                text, confidence = recognise(w.readframes(w.getnframes()), w.getframerate(), self.headers.get("X-Grammar", ""))
        except (wave.Error, EOFError) as e:
            self.send_error(400, str(e))
            return
        body = json.dumps({"text": text, "confidence": confidence}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--port", type=int, default=8766)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.parse_args().port), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()
