"""A web server for tests that says what it is told to: keeps each request, answers by a function of the test, stalls, dies, comes back."""
import http.server
import socket
import threading
import time
import urllib.parse


class Request:
    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        text = body.decode(errors="replace") if body else urllib.parse.urlparse(handler.path).query
        self.pairs = [tuple(urllib.parse.unquote(x) for x in (k, v)) for k, _, v in (p.partition("=") for p in text.split("&"))] if text else []
        self.fields = dict(self.pairs)

    def __getitem__(self, name):
        return self.fields.get(name)


class WebServer:
    """answer(request) gives (code, content type, body) or (code, content type, body, headers); body bytes or text."""

    def __init__(self, answer=None, port=0):
        self.answer = answer or (lambda r: (404, "text/plain", "not found"))
        self.requests, self.may_go, self.port = [], threading.Event(), port
        self.may_go.set()
        self.http, self.sockets = None, []
        self.start()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self, body)
                outer.requests.append(request)
                outer.may_go.wait(60)
                code, ctype, data, *more = outer.answer(request)
                data = data.encode() if isinstance(data, str) else data
                try:
                    self.send_response(code)
                    self.send_header("Content-Type", ctype)
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in (more[0] if more else {}).items():
                        self.send_header(name, value)
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(data)
                except OSError:
                    pass

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            allow_reuse_address = True

            def get_request(self):
                got = super().get_request()
                outer.sockets.append(got[0])
                return got

            def handle_error(self, *args):
                pass

        self.http = Server(("127.0.0.1", self.port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        """Nobody listens any more; start() brings it back at the same port."""
        if self.http:
            self.http.shutdown()
            self.http.server_close()
            self.http = None
        for s in self.sockets:  # connections that are kept end too
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        del self.sockets[:]
        self.may_go.set()

    def wait(self, fits, count=1, timeout=10):
        """The requests that fit, when there are so many."""
        deadline = time.monotonic() + timeout
        while True:
            got = [r for r in list(self.requests) if fits(r)]
            if len(got) >= count:
                return got
            assert time.monotonic() < deadline, [(r.method, r.path, r.pairs[:12]) for r in self.requests[-5:]]
            time.sleep(0.02)


NOT_FOUND = ('<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<document type="freeswitch/xml">\n  <section name="result">\n'
             '    <result status="not found"/>\n  </section>\n</document>\n')


def document(section, xml):
    return f'<?xml version="1.0"?>\n<document type="freeswitch/xml"><section name="{section}">{xml}</section></document>\n'


def user(name, domain="127.0.0.1", password=None, params="", variables="", more=""):
    return document("directory", f'<domain name="{domain}"><params><param name="dial-string" '
                    'value="${sofia_contact(*/${dialed_user}@${dialed_domain})}"/></params><groups><group name="web"><users>'
                    f'<user id="{name}" {more}><params><param name="password" value="{password or "pw" + name}"/>{params}</params><variables>'
                    f'<variable name="user_context" value="default"/><variable name="of_web" value="{name}"/>{variables}</variables></user>'
                    '</users></group></groups></domain>')


def route(number, *actions, context="default"):
    xml = "".join(f'<action application="{a.split(" ", 1)[0]}" data="{a.partition(" ")[2]}"/>' for a in actions)
    return document("dialplan", f'<context name="{context}"><extension name="web"><condition field="destination_number" '
                    f'expression="^{number}$">{xml}</condition></extension></context>')


def dead_port():
    """A port nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
