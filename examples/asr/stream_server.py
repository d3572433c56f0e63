#!/usr/bin/env python3
"""A server for detect_speech's engine ws: it gets the sound as it is said, over a WebSocket, and answers while it hears. Needs Debian's
python3-websockets.

    python3 examples/asr/stream_server.py                            listens on ws://127.0.0.1:8767
    <param name="stream-url" value="ws://127.0.0.1:8767/"/>          in autoload_configs/http_asr.conf.xml
    play_and_detect_speech <file> detect:ws numbers                  in the dialplan

Instead of recognising anything it tells how long it was loud: put your recogniser into Recogniser. docs/speech.md tells the protocol."""
import argparse
import array
import asyncio
import json

import websockets

LOUD = 600  # mean amplitude of a frame that counts as speech


class Recogniser:
    """Of one utterance."""

    def __init__(self, grammar, rate):
        self.rate, self.loud, self.told = rate, 0, 0

    def hear(self, sound):
        """int16, little-endian. What is known so far, when that is more than before."""
        samples = array.array("h", sound)
        if samples and sum(map(abs, samples)) / len(samples) > LOUD:
            self.loud += len(samples)
        if self.loud - self.told < self.rate // 2:
            return None
        self.told = self.loud
        return self.text()

    def text(self):
        return f"{self.loud / self.rate:.1f} seconds" if self.loud else ""


async def call(ws, path=None):
    one = None
    async for message in ws:
        if isinstance(message, bytes):
            part = one.hear(message) if one else None
            if part:
                await ws.send(json.dumps({"text": part, "final": False}))
            continue
        word = json.loads(message)
        if word["type"] == "start":
            one = Recogniser(word["grammar"], word["rate"])
        elif word["type"] == "end" and one:
            await ws.send(json.dumps({"text": one.text(), "confidence": 0.9}))
            one = None
        elif word["type"] == "cancel":
            one = None


async def main(port):
    async with websockets.serve(call, "127.0.0.1", port, compression=None) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--port", type=int, default=8767)
    asyncio.run(main(options.parse_args().port))
