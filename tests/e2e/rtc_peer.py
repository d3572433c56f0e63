"""A browser's media side: aiortc (Debian's python3-aiortc) in a thread, ICE, DTLS-SRTP and all. It says one tone and keeps what it hears."""
import asyncio
import fractions
import threading
import time

import numpy as np
import pytest
from talk import amplitude

aiortc = pytest.importorskip("aiortc")
import aioice  # noqa: E402
import av  # noqa: E402


class Tone(aiortc.MediaStreamTrack):
    kind = "audio"

    def __init__(self, hz, rate=48000):
        super().__init__()
        self.hz, self.rate, self.at, self.began = hz, rate, 0, None

    async def recv(self):
        n = self.rate // 50
        if self.began is None:
            self.began = time.monotonic()
        await asyncio.sleep(max(0, self.began + self.at / self.rate - time.monotonic()))
        t = (np.arange(n) + self.at) * 2 * np.pi * self.hz / self.rate
        f = av.AudioFrame.from_ndarray((8000 * np.sin(t)).astype(np.int16).reshape(1, -1), "s16", "mono")
        f.sample_rate, f.pts, f.time_base = self.rate, self.at, fractions.Fraction(1, self.rate)
        self.at += n
        return f


class RtcPeer:
    def __init__(self, hz, codec="PCMU", host="127.0.0.1"):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.lock, self.got, self.rate = threading.Lock(), [], 48000
        self.hz, self.codec, self.host = hz, codec, host
        self._do(self._make())

    def _do(self, coro, timeout=20):
        return asyncio.run_coroutine_threadsafe(coro, self.loop).result(timeout)

    async def _make(self):
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [self.host]  # aioice leaves loopback out
        self.pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))

        @self.pc.on("track")
        def on_track(track):
            self.listener = asyncio.ensure_future(self._listen(track))

    async def _listen(self, track):
        while True:
            try:
                f = await track.recv()
            except aiortc.mediastreams.MediaStreamError:
                return
            x = f.to_ndarray().reshape(-1)[::len(f.layout.channels)].astype(float)
            with self.lock:
                self.rate = f.sample_rate
                self.got.append(x)

    def _add(self):
        self.pc.addTrack(Tone(self.hz))
        want = [c for c in aiortc.RTCRtpSender.getCapabilities("audio").codecs if c.mimeType == f"audio/{self.codec}"]
        self.pc.getTransceivers()[0].setCodecPreferences(want)

    async def _offer(self):
        self._add()
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    def offer(self):
        return self._do(self._offer())

    def accept(self, body):
        self._do(self.pc.setRemoteDescription(aiortc.RTCSessionDescription(body, "answer")))

    async def _answer(self, body):
        await self.pc.setRemoteDescription(aiortc.RTCSessionDescription(body, "offer"))
        self.pc.addTrack(Tone(self.hz))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return self.pc.localDescription.sdp

    def answer(self, body):
        return self._do(self._answer(body))

    def dtls_state(self):
        return self.pc.getTransceivers()[0].sender.transport.state

    def hears(self, hz, timeout=15):
        until = time.monotonic() + timeout
        share = 0
        while time.monotonic() < until:
            with self.lock:
                last = self.got[-10:]
            if len(last) == 10:
                x = np.concatenate(last)
                share = amplitude(x, hz, self.rate) / (np.sqrt(2 * np.mean(x * x)) + 1)
                if share > 0.5:
                    return
            time.sleep(0.05)  # what comes has no event
        raise AssertionError(f"{hz} Hz is not heard: {len(self.got)} frames, share {share:.2f}, DTLS {self.dtls_state()}")

    def close(self):
        async def end():
            await self.pc.close()
            others = [x for x in asyncio.all_tasks() if x is not asyncio.current_task()]
            for x in others:
                x.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
