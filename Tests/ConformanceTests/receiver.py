"""The other end of a subscription over HTTP."""

import http.server
import json
import queue as threads
import threading


class Receiver:
    """A web server that keeps what it gets, and answers what it is told."""

    def __init__(self, tls=None, port=0):
        self.requests = threads.Queue()
        self.answers = threads.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status = receiver.answers.get_nowait()
                except threads.Empty:
                    status = 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.requests.put((self.path, self.headers, body.decode()))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, within=10):
        return self.requests.get(timeout=within)

    def envelope(self):
        return json.loads(self.next()[2])

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
