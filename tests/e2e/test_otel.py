"""OpenTelemetry traces at a collector of the tests, which checks OTLP's JSON: a tree for each call and registration; a dead
collector costs nothing."""
import http.server
import json
import re
import threading
import time

import pytest
import tandem as t


def check_attributes(attributes):
    for a in attributes:
        assert set(a) == {"key", "value"} and len(a["value"]) == 1, a
        kind, value = next(iter(a["value"].items()))
        assert kind in ("stringValue", "intValue") and isinstance(value, str), a
        assert kind != "intValue" or re.fullmatch(r"-?\d+", value), a


def check(body):
    """The fields and types of opentelemetry/proto/trace/v1 in its JSON form (ids in hex, 64-bit numbers as texts)."""
    spans = []
    assert set(body) == {"resourceSpans"}
    for resource in body["resourceSpans"]:
        assert set(resource) <= {"resource", "scopeSpans", "schemaUrl"}
        check_attributes(resource["resource"]["attributes"])
        names = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
        assert names["service.name"] == "tandem-under-test" and names["host.name"]
        for scope in resource["scopeSpans"]:
            assert set(scope) <= {"scope", "spans"} and scope["scope"]["name"] == "tandem"
            for s in scope["spans"]:
                assert set(s) <= {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                                  "attributes", "status"}, s
                assert re.fullmatch("[0-9a-f]{32}", s["traceId"]) and re.fullmatch("[0-9a-f]{16}", s["spanId"])
                assert re.fullmatch("[0-9a-f]{16}", s.get("parentSpanId", "0" * 16)) and s["kind"] in (1, 2, 3)
                assert int(s["startTimeUnixNano"]) <= int(s["endTimeUnixNano"]) and isinstance(s["startTimeUnixNano"], str)
                check_attributes(s["attributes"])
                assert s["status"] == {} or s["status"]["code"] == 2
                s["a"] = {a["key"]: next(iter(a["value"].values())) for a in s["attributes"]}
                spans.append(s)
    return spans


class Collector:
    def __init__(self, port=0):
        self.spans, self.errors, self.posts = [], [], 0
        self.answer = 200
        self.new = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.new:
                    outer.posts += 1
                    try:
                        assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                        assert self.headers["X-Token"] == "secret"
                        spans = check(json.loads(body))
                        if outer.answer == 200:
                            outer.spans += spans
                    except Exception as e:
                        outer.errors.append(repr(e))
                    outer.new.notify_all()
                self.send_response(outer.answer)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def wait(self, fits, timeout=15):
        """What fits(spans) returns once it is something."""
        deadline = time.monotonic() + timeout
        with self.new:
            while True:
                assert not self.errors, self.errors
                got = fits(self.spans)
                if got:
                    return got
                left = deadline - time.monotonic()
                assert left > 0, [(s["name"], s["a"].get("call.uuid")) for s in self.spans]
                self.new.wait(left)

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def configure(sw, port, **more):
    params = {"endpoint": f"http://127.0.0.1:{port}/v1/traces", "service-name": "tandem-under-test", "headers": "X-Token=secret",
              "flush-interval": 50, "propagate": "true", **more}
    (sw.root / "conf/autoload_configs/otel.conf.xml").write_text(
        '<configuration name="otel.conf"><settings>' + "".join(f'<param name="{k}" value="{v}"/>' for k, v in params.items())
        + "</settings></configuration>")
    internal = sw.root / "conf/sip_profiles/internal.xml"
    internal.write_text(internal.read_text().replace("<settings>", '<settings>\n<param name="trust-traceparent" value="true"/>', 1))


@pytest.fixture(scope="module")
def collector():
    c = Collector()
    yield c
    c.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, collector):
    sw = t.Tandem(tmp_path_factory.mktemp("otel") / "instance")
    configure(sw, collector.port)
    sw.start()
    yield sw
    sw.stop()


def tree_of(spans, call_id):
    """The spans of the trace of the leg with that Call-ID; None while its root is not there."""
    leg = next((s for s in spans if s["name"] == "leg" and s["a"].get("sip.call_id") == call_id), None)
    return leg and [s for s in spans if s["traceId"] == leg["traceId"]]


def test_one_tree_a_call(sw, collector, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    invite = b.take()
    a.answered()
    rows = [l.split(",") for l in sw.api("show channels").splitlines() if ",inbound," in l or ",outbound," in l]
    uuid = {r[1]: r[0] for r in rows}
    trace_id = sw.api(f"uuid_getvar {uuid['inbound']} otel_trace_id")
    b_span = sw.api(f"uuid_getvar {uuid['outbound']} otel_span_id")
    assert sw.api(f"uuid_getvar {uuid['outbound']} otel_trace_id") == trace_id
    assert invite.get("traceparent") == f"00-{trace_id}-{b_span}-01"
    a.bye()
    b.expect(method="BYE")
    sw.api("hupall")
    tree = collector.wait(lambda spans: (lambda x: x if x and sum(s["name"] == "leg" for s in x) == 2 else None)(tree_of(spans, a.call_id)))
    assert {s["traceId"] for s in tree} == {trace_id}
    by_id = {s["spanId"]: s for s in tree}
    assert len(by_id) == len(tree)
    roots = [s for s in tree if "parentSpanId" not in s]
    assert len(roots) == 1 and roots[0]["name"] == "leg" and roots[0]["kind"] == 2
    root = roots[0]
    assert root["a"]["call.uuid"] == uuid["inbound"] and root["a"]["call.hangup_cause"] == "NORMAL_CLEARING"
    assert root["a"]["call.caller"] == "1000" and root["a"]["call.destination"] == "1001" and root["status"] == {}
    under = lambda s: by_id[s["parentSpanId"]]["name"]  # noqa: E731
    called = next(s for s in tree if s["spanId"] == b_span)
    assert called["name"] == "leg" and called["kind"] == 3 and under(called) == "application bridge"
    names = [s["name"] for s in tree]
    assert names.count("invite") == 2 and names.count("media") == 2 and names.count("hunt") == 1 and "application set" in names
    for s in tree:
        if s["name"] in ("invite", "hunt", "media") or s["name"].startswith("application"):
            assert under(s) == "leg"
        if "parentSpanId" in s:
            assert int(s["startTimeUnixNano"]) >= int(by_id[s["parentSpanId"]]["startTimeUnixNano"])
            assert int(s["endTimeUnixNano"]) <= int(root["endTimeUnixNano"]) + 10**9


def test_a_call_that_fails(sw, collector, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.expect(486)
    tree = collector.wait(lambda spans: tree_of(spans, a.call_id))
    root = next(s for s in tree if "parentSpanId" not in s)
    assert root["status"] == {"code": 2, "message": "USER_BUSY"} and not any(s["name"] == "media" and
                                                                            s["parentSpanId"] == root["spanId"] for s in tree)


def test_registration_is_its_own_tree(sw, collector, phone):
    p = phone("1002")
    span = collector.wait(lambda spans: next((s for s in spans if s["name"] == "register" and s["a"]["register.user"] == "1002"), None))
    assert "parentSpanId" not in span and span["a"]["network.peer.port"] == str(p.port) and span["kind"] == 2
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])


def test_what_a_stranger_says_is_cut(sw, collector, phone):
    """A phone's name for itself does not fill the queue."""
    phone("1003").register(extra=f"User-Agent: long-{'x' * 5000}\n")
    agent = lambda s: s["a"].get("user_agent.original", "")  # noqa: E731
    span = collector.wait(lambda spans: next((s for s in spans if agent(s).startswith("long-")), None))
    assert len(agent(span)) == 1024


def test_a_trace_goes_on_where_it_is_trusted(sw, collector, phone):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    a = phone("1000")
    for header, is_taken in ((f"00-{trace}-{parent}-01", True), (f"00-{trace}-{parent}", False), (f"00-{'0' * 32}-{parent}-01", False)):
        a.invite("9196", extra=f"traceparent: {header}\n")
        a.answered()
        a.bye()
        tree = collector.wait(lambda spans: tree_of(spans, a.call_id))
        root = next(s for s in tree if s["name"] == "leg" and s["a"]["sip.call_id"] == a.call_id)
        assert (root["traceId"] == trace and root["parentSpanId"] == parent) == is_taken
    a.invite("9196", extra=f"traceparent: 00-{trace}-{parent}-00\n")  # the caller does not want it traced
    a.answered()
    uuid = next(l.split(",")[0] for l in sw.api("show channels").splitlines() if ",inbound," in l)
    assert sw.api(f"uuid_getvar {uuid} otel_trace_id") == "_undef_"
    a.bye()


def test_collector_that_is_away(fresh, phone):
    """It comes late: what waited arrives. It answers 503: again. It answers 400: the batch is dropped, and nobody waits."""
    port = t.free_port()
    configure(fresh, port)
    fresh.start()
    p = phone("1000", switch=fresh)
    fresh.wait_log("otel: http://127.0.0.1")
    c = Collector(port)
    c.answer = 503
    with c.new:
        c.new.wait_for(lambda: c.posts >= 1, 20)
    c.answer = 200
    c.wait(lambda spans: any(s["name"] == "register" for s in spans), 30)
    c.answer = 400
    p.invite("9196")
    p.answered()
    p.bye()
    posts = c.posts
    with c.new:
        assert c.new.wait_for(lambda: c.posts > posts, 20)
    c.answer = 200
    p.invite("9196")
    p.answered()
    p.bye()
    c.wait(lambda spans: tree_of(spans, p.call_id))
    c.close()


def test_off_unless_configured(fresh, phone):
    fresh.start()
    p = phone("1000", switch=fresh)
    p.invite("9196")
    p.answered()
    uuid = next(l.split(",")[0] for l in fresh.api("show channels").splitlines() if ",inbound," in l)
    assert fresh.api(f"uuid_getvar {uuid} otel_trace_id") == "_undef_"
    p.bye()
