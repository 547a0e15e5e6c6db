"""What the generator can't know: how JSON Lines are written, and which reviews there are to act on."""

import json
import os
import time
import urllib.request

import schemathesis

BASE, KEY = os.environ["COUNTERSIGN_URL"], os.environ["COUNTERSIGN_KEY"]
_known = {"at": 0.0, "ids": {}}


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


def get(path):
    request = urllib.request.Request(BASE + path, headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def known(kind):
    """Ids that there are, read again every few seconds."""
    if time.monotonic() - _known["at"] > 3:
        reviews = get("/v1/reviews?state=all&limit=200")["items"]
        _known["ids"] = {
            "reviews": [r["id"] for r in reviews],
            "messages": [r["message"] for r in reviews],
            "threads": [r["thread"] for r in reviews],
            "knowledge": [a["id"] for a in get("/v1/knowledge?limit=200")["items"]],
        }
        _known["at"] = time.monotonic()
    return _known["ids"].get(kind, [])


@schemathesis.hook
def map_case(ctx, case):
    """Three in four requests about one thing are about one that is there; what signs, signs what it saw.
    Not where answers are followed: there the id is the one that was just made, and others are taken away. Nor may a
    write carry a key there: drawn twice, it gives the first answer again and changes nothing."""
    if case.meta is not None and case.meta.phase.name == "stateful":
        if case.headers:
            case.headers.pop("Idempotency-Key", None)
        return case
    given = case.path_parameters or {}
    if case.operation.path == "/v1/messages" and isinstance(case.body, dict):
        if len(str(case.body)) % 4:
            case.body["channel"] = "chat"
        return case
    kind = case.operation.path.split("/")[2] if "{id}" in case.operation.path else None
    pick = sum(str(given.get("id", "")).encode("utf-8", "surrogatepass"))
    ids = known(kind) if kind and pick % 4 else []
    if not ids:
        return case
    chosen = ids[pick % len(ids)]
    case.path_parameters["id"] = chosen
    if kind == "reviews" and isinstance(case.body, dict) and pick % 3:
        for field in {"digest", "revision"} & set(case.body):
            case.body[field] = get(f"/v1/reviews/{chosen}")[field]
        if "until" in case.body:
            tomorrow = time.gmtime(time.time() + 86_400)
            case.body["until"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", tomorrow)
    return case
