"""Retries, time-outs and broken connections, against a server that misbehaves on request."""

import http.server
import json
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from countersign_client import (  # noqa: E402
    Client,
    Conflict,
    ConnectionFailed,
    RateLimited,
    Retries,
    ServerError,
    TimedOut,
)


class Moody(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: list = []
    seen: list = []
    let_go = threading.Event()

    def do_POST(self):
        if self.headers.get("transfer-encoding") == "chunked":
            return self.answer_a_stream()
        self.sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        Moody.seen.append(dict(self.headers))
        step = Moody.script.pop(0) if Moody.script else (200, {}, {"id": "x", "result": "received"})
        if step == "drop":
            self.close_connection = True
            self.connection.close()
            return
        if step == "hang":
            Moody.let_go.wait()
            self.close_connection = True
            return
        status, headers, body = step
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def answer_a_stream(self):
        Moody.seen.append(dict(self.headers))
        step = Moody.script.pop(0)
        if step == "hang":
            Moody.let_go.wait()
            self.close_connection = True
            return
        # One answer, and nothing more is read.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"id\": 0}\n")
        Moody.let_go.wait(1)
        self.close_connection = True

    do_GET = do_POST

    def log_message(self, *_):
        pass


BUSY = {"status": 429, "code": "busy", "detail": "later"}


class Retrying(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        Moody.let_go.clear()
        self.addCleanup(Moody.let_go.set)
        Moody.seen.clear()
        self.slept = []
        self.client = Client(f"http://127.0.0.1:{self.server.server_port}", "k")
        self.client._http._sleep = self.slept.append
        self.addCleanup(self.client.close)

    def script(self, *steps):
        Moody.script[:] = steps

    def test_waits_at_least_as_long_as_it_is_told(self):
        self.script((429, {"retry-after": "3"}, BUSY), (503, {"retry-after": "1"}, {}))
        self.assertEqual(self.client.messages.create({})["id"], "x")
        self.assertGreaterEqual(self.slept[0], 3)
        self.assertGreaterEqual(self.slept[1], 1)
        keys = {s["idempotency-key"] for s in Moody.seen}
        self.assertEqual((len(Moody.seen), len(keys)), (3, 1))

    def test_a_broken_connection_and_a_first_request_that_still_runs(self):
        running = {"status": 409, "code": "idempotency_running"}
        self.script("drop", (409, {"retry-after": "1"}, running))
        self.assertEqual(self.client.messages.create({})["id"], "x")
        self.assertEqual(len(self.slept), 2)

    def test_pauses_grow(self):
        self.script(*[(503, {}, {})] * 4)
        self.client.mask("x")
        for n, pause in enumerate(self.slept):
            self.assertTrue(0.1 * 2**n <= pause <= 0.2 * 2**n, self.slept)

    def test_gives_up(self):
        self.script(*[(429, {"retry-after": "1"}, BUSY)] * 9)
        with self.assertRaises(RateLimited) as caught:
            self.client.mask("x")
        self.assertEqual((len(Moody.seen), caught.exception.retry_after), (5, 1.0))
        Moody.seen.clear()
        self.script((429, {"retry-after": "3600"}, BUSY))
        with self.assertRaises(RateLimited):
            self.client.mask("x")
        self.assertEqual(len(Moody.seen), 1)

    def test_a_429_for_ever_is_not_repeated_and_batches_fit_the_burst(self):
        self.script((429, {}, {"code": "rate_limited"}))
        with self.assertRaises(RateLimited):
            self.client.mask("x")
        self.assertEqual((len(Moody.seen), self.slept), (1, []))
        Moody.seen.clear()
        never = (429, {}, {"code": "rate_limited", "burst": 2})
        self.script(never, *[(200, {}, {"items": [{"id": 0}] * n}) for n in (2, 2, 1)])
        self.assertEqual(len(self.client.classify_batch(list("abcde"))), 5)
        self.assertEqual(len(Moody.seen), 4)
        self.script(never)
        with self.assertRaises(RateLimited):
            self.client.mask_batch([{"text": "a"}, {"text": "b"}])

    def test_a_stream_keeps_to_its_connection(self):
        # The answer says that the connection ends; what is not sent yet doesn't go over another one.
        self.script("one")
        sent = []

        def items():
            for n in range(2000):
                sent.append(n)
                yield {"id": n, "text": "x" * 10_000}

        self.assertEqual(next(self.client.classify_stream(items())), {"id": 0})
        Moody.let_go.set()
        self.server.shutdown()
        self.assertEqual(len(Moody.seen), 1)
        self.assertLess(len(sent), 2000)

    def test_a_bad_item_raises_at_once(self):
        def items(late):
            yield "one"
            if late:
                threading.Event().wait(0.2)
            raise KeyError("mine")

        for late in (False, True):
            self.script("hang")
            begun = time.monotonic()
            with self.assertRaises(KeyError):
                list(self.client.classify_stream(items(late)))
            self.assertLess(time.monotonic() - begun, 10, "the service would not have answered for 30 s")
            # The server may come to this request only now, and must not take the next one's step for it.
            while Moody.script and time.monotonic() - begun < 30:
                time.sleep(0.01)
            self.assertEqual(Moody.script, [])

    def test_what_is_no_use_is_not_repeated(self):
        for status, kind in ((409, Conflict), (500, ServerError), (507, ServerError)):
            Moody.seen.clear()
            self.script((status, {}, {"code": "internal"}))
            with self.assertRaises(kind):
                self.client.mask("x")
            self.assertEqual(len(Moody.seen), 1)

    def test_time_is_bounded(self):
        self.script("hang", "hang")
        client = Client(
            f"http://127.0.0.1:{self.server.server_port}", timeout=0.2, retries=Retries(attempts=2, first=0)
        )
        with client, self.assertRaises(TimedOut):
            client.mask("x")

    def test_nobody_there(self):
        client = Client("http://127.0.0.1:9", retries=Retries(attempts=2, first=0))
        with client, self.assertRaises(ConnectionFailed):
            client.mask("x")
        with self.assertRaises(ValueError):
            Client("ftp://example.com")


if __name__ == "__main__":
    unittest.main()
