"""A phone's media over ICE: aioice (Debian's python3-aioice) in a thread, between a scripted phone's RTP socket and the switch. What the
phone sends to `port` goes by the nominated pair, what comes by it goes to the phone's socket."""
import asyncio
import re
import socket
import threading

import pytest

aioice = pytest.importorskip("aioice")


class IcePeer:
    def __init__(self, phone, controlling, host="127.0.0.1", more_hosts=()):
        self.phone, self.controlling, self.host, self.more_hosts = phone, controlling, host, more_hosts
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.relay.bind(("127.0.0.1", 0))
        self.relay.setblocking(False)
        self.port = self.relay.getsockname()[1]
        self.heard = 0
        self.tasks = []
        self._do(self._gather())

    def _do(self, coro, timeout=15):
        return asyncio.run_coroutine_threadsafe(coro, self.loop).result(timeout)

    async def _gather(self):
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [self.host, *self.more_hosts]  # aioice leaves loopback out
        self.conn = aioice.Connection(ice_controlling=self.controlling, components=1, use_ipv6=False)
        await self.conn.gather_candidates()

    def attributes(self, candidates=True, extra=""):
        """The media-level lines of this side."""
        lines = [f"a=ice-ufrag:{self.conn.local_username}", f"a=ice-pwd:{self.conn.local_password}", "a=rtcp-mux"]
        if candidates:
            lines += [f"a=candidate:{c.to_sdp()}" for c in self.conn.local_candidates]
        return "\r\n".join(lines) + "\r\n" + extra

    def fragment(self, *candidates):
        return (f"a=ice-ufrag:{self.conn.local_username}\r\na=ice-pwd:{self.conn.local_password}\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
                + "".join(f"a=candidate:{c}\r\n" for c in candidates) + "a=end-of-candidates\r\n")

    def connect(self, body, timeout=15):
        """With what the switch's SDP says."""
        self._do(self._connect(body), timeout)

    async def _connect(self, body):
        one = lambda name: re.search(rf"a={name}:(\S+)", body).group(1)  # noqa: E731
        self.conn.remote_username, self.conn.remote_password = one("ice-ufrag"), one("ice-pwd")
        self.conn.remote_is_lite = "a=ice-lite" in body
        for c in re.findall(r"a=candidate:([^\r\n]+)", body):
            await self.conn.add_remote_candidate(aioice.Candidate.from_sdp(c))
        await self.conn.add_remote_candidate(None)
        await self.conn.connect()
        self.tasks = [self.loop.create_task(self._out()), self.loop.create_task(self._in())]

    async def _out(self):
        while True:
            await self.conn.send(await self.loop.sock_recv(self.relay, 2000))

    async def _in(self):
        while True:
            p = await self.conn.recv()
            self.heard += 1
            self.relay.sendto(p, ("127.0.0.1", self.phone.rtp_port))

    def send_by(self, host, data, port):
        """From the candidate at that host, whatever is nominated."""
        there, = [p for p in self.conn._protocols if p.local_candidate.host == host]
        self.loop.call_soon_threadsafe(there.transport.sendto, data, ("127.0.0.1", port))

    def pair(self):
        p = self.conn._nominated[1]
        return p.local_candidate, p.remote_candidate

    def leave(self):
        """Its network is gone: nothing comes from it any more, and nothing is told."""
        async def end():
            for t in self.tasks:
                t.cancel()
            await self.conn.close()
        self._do(end())

    def close(self):
        self.leave()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.relay.close()
