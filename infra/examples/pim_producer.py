"""A PIM's products into Packshot in plain Python: API=https://… KEY=psk_… python pim_producer.py < products.jsonl"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

headers = {"Authorization": f"Bearer {os.environ['KEY']}", "Content-Type": "application/x-ndjson"}
request = urllib.request.Request(f"{os.environ['API']}/v1/products:batch", sys.stdin.buffer.read(), headers)
failed = 0
while True:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            for each in map(json.loads, answer):  # a line for each event, in their order
                failed += each["status"] != 202
                print(each["line"], each["status"], each.get("subject") or f"{each.get('field', '')}: {each['detail']}")
        sys.exit(1 if failed else 0)
    except urllib.error.HTTPError as error:  # a problem: it says what is wrong, and whether to ask again
        problem = json.load(error)
        if not problem.get("retryable"):
            sys.exit(f"{problem['code']}: {problem.get('detail') or problem['title']}")
        time.sleep(float(error.headers.get("Retry-After", 2)))
