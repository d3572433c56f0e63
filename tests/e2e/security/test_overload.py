"""More calls than can be done: what is accepted is served, the rest is refused at once, and what was there before (calls, phones)
does not notice."""
import re
import threading

from http_client import Door
from sayer import sayers
from strangers import params
from test_udp_floods import SDP, drain, request, udp
from wire import Message, Phone


def test_overload_refuses_new_calls_and_keeps_the_rest(fresh):
    for name in ("internal", "external"):
        params(fresh, f"sip_profiles/{name}.xml", overload_delay=1)
    sw = fresh.start()
    events = sw.esl()
    events.subscribe("CUSTOM tandem::overload")
    phone = Phone(sw, "1000")
    phone.register()
    with sayers(sw) as make:
        caller = make("ext", sw.ext_port)
        (sw.root / "conf/dialplan/public/park.xml").write_text(
            '<include><extension name="p"><condition field="destination_number" expression="^7999$"><action application="answer"/>'
            '<action application="park"/></condition></extension></include>')
        assert sw.api("reloadxml").startswith("+OK")
        caller.call("7999")
        caller.answered()
        floods = [udp(f"127.0.7.{i}") for i in range(2, 6)]
        stop = threading.Event()

        def flood():
            n = 0
            while not stop.is_set():
                for _ in range(200):
                    n += 1
                    floods[n % 4].sendto(request("INVITE", f"o{n}", f"127.0.7.{2 + n % 4}", number="none", body=SDP),
                                         ("127.0.0.1", sw.ext_port))
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            assert events.wait_event("CUSTOM", Action="begin", timeout=30)["Delay-Milliseconds"]
            phone.register()  # known, and on another profile of the same loop
            caller.request("INFO", body="Signal=1\r\n", ctype="application/dtmf-relay")
            assert caller.expect(200)  # inside a dialog
            caller.bye()
        finally:
            stop.set()
            thread.join()
        refused = [Message(d.decode(errors="replace")) for s in floods for d in drain(s, 0.3) if d.startswith(b"SIP/2.0 503 Overload")]
        assert refused and all(2 <= int(m.get("Retry-After")) <= 10 and "tag=" in m.get("To") for m in refused)
        count = re.search(r'tandem_sip_refused_total\{profile="external",why="overload"\} (\d+)', Door(sw).call("GET", "/metrics")[2].decode())
        assert int(count.group(1)) >= len(refused)
        sw.api("hupall")
        sw.wait_calls(0, timeout=30)
    phone.close()
    events.close()
