#!/usr/bin/env python3
"""A voice bot in fifty lines: it greets with a tone, then says back what the caller said, and stops at once when he speaks again
(barge-in). Needs Debian's python3-websockets.

    python3 examples/bot/echo_bot.py            listens on ws://127.0.0.1:8765
    uuid_audio_stream UUID start ws://127.0.0.1:8765/ mono 8k

In the dialplan: answer, then set `api_result=${uuid_audio_stream(${uuid} start ws://127.0.0.1:8765/ mono 8k)}`, then park.
docs/bots.md tells the protocol."""
import array
import asyncio
import json
import math
import sys

import websockets

RATE = 8000
LOUD = 600        # mean amplitude of a frame that counts as speech
PAUSE_FRAMES = 30  # frames of 20 ms of silence that end a sentence


def tone(hz, seconds):
    return array.array("h", (int(6000 * math.sin(2 * math.pi * hz * i / RATE)) for i in range(int(seconds * RATE)))).tobytes()


async def call(ws, path=None):
    said, quiet, is_answering = bytearray(), 0, False
    await ws.send(tone(440, 1))
    await ws.send(json.dumps({"type": "mark", "name": "greeting"}))
    async for message in ws:
        if isinstance(message, str):
            word = json.loads(message)
            print(word, flush=True)
            if word.get("type") == "mark" and word["name"] == "answer":
                is_answering = False  # played to its end, or cleared
            continue
        samples = array.array("h", message)
        if sum(map(abs, samples)) / max(1, len(samples)) > LOUD:
            if is_answering:
                await ws.send(json.dumps({"type": "clear"}))
            said += message
            quiet = 0
        elif said:
            said += message
            quiet += 1
        if said and quiet >= PAUSE_FRAMES:
            await ws.send(bytes(said))
            await ws.send(json.dumps({"type": "mark", "name": "answer"}))
            said, quiet, is_answering = bytearray(), 0, True


async def main(port):
    async with websockets.serve(call, "127.0.0.1", port, max_size=None, compression=None):
        print(f"listening on ws://127.0.0.1:{port}", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
