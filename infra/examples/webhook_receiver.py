"""A receiver of webhooks in plain Python, nothing else installed: SECRET=whsec_… python webhook_receiver.py 8099"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
seen: set[str] = set()  # deliveries come at least once; their ids tell which have come


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        expected = base64.b64encode(hmac.digest(KEY, f"{message}.{at}.".encode() + body, hashlib.sha256))
        signatures = [s.removeprefix("v1,").encode() for s in self.headers["webhook-signature"].split(" ")]
        good = any(hmac.compare_digest(s, expected) for s in signatures) and abs(time.time() - int(at)) < 300
        if good and message not in seen:
            seen.add(message)
            print(json.dumps(json.loads(body)), flush=True)
        self.send_response(204 if good else 401)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
