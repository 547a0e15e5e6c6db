"""The calls, grouped as the API's documentation groups them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from . import types as t
from .errors import RateLimited
from .transport import Retries, Transport, part

#: Most items of one request; `classify_batch` and `mask_batch` cut longer lists.
MAX_ITEMS = 256


class Client:
    """A countersign service.

    `timeout` is for one attempt, in seconds. `context` is for services with a certificate of their own.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: Retries = Retries(),
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._http = Transport(base_url, key, timeout=timeout, retries=retries, context=context)
        #: Messages in.
        self.messages = Messages(self._http)
        #: Conversations.
        self.threads = Threads(self._http)
        #: The queue.
        self.reviews = Reviews(self._http)
        #: Published articles.
        self.knowledge = Knowledge(self._http)
        #: Heads learnt from corrections, and topics that the taxonomy lacks.
        self.learning = Learning(self._http)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._http.close()

    def classify(
        self,
        item: str | t.ClassifyItem,
        *,
        outputs: Sequence[t.Output] | None = None,
        taxonomy: str | None = None,
        vip: bool | None = None,
    ) -> t.ClassifyAnswer:
        """Classifies a text, a message or a thread."""
        body = {**_item(item), **_given(outputs=outputs, taxonomy=taxonomy, vip=vip)}
        return self._http.call("POST", "/v1/classify", body)

    def classify_batch(
        self,
        items: Iterable[str | t.ClassifyItem],
        *,
        outputs: Sequence[t.Output] | None = None,
        taxonomy: str | None = None,
        vip: bool | None = None,
    ) -> list[t.ItemAnswer]:
        """Classifies several; one that can't be classified has an `error` in its place."""
        options = _given(outputs=outputs, taxonomy=taxonomy, vip=vip)
        answers = self._batches("/v1/classify", [_item(i) for i in items], options)
        # Indexes count in the whole list.
        for index, answer in enumerate(answers):
            if "error" in answer:
                cast("t.ItemError", answer)["index"] = index
        return answers

    def classify_stream(
        self,
        items: Iterable[str | t.ClassifyItem],
        *,
        outputs: Sequence[t.Output] | None = None,
        taxonomy: str | None = None,
        vip: bool | None = None,
    ) -> Iterator[t.ItemAnswer]:
        """Classifies any number, in bounded memory: answers come in order while items are still sent."""
        query = _given(outputs=",".join(outputs) if outputs else None, taxonomy=taxonomy, vip=vip)
        return self._http.lines("/v1/classify", (_item(i) for i in items), query=query)

    def mask(self, text: str, **options: Any) -> t.Masked:
        """Masks a text. Options: `language`, `entities`, `min_score`, `operators`, `values`, `explain`."""
        return self._http.call("POST", "/v1/mask", {"text": text, **options})

    def mask_json(self, document: Any, **options: Any) -> t.Masked:
        """Masks the strings and numbers of a document."""
        return self._http.call("POST", "/v1/mask", {"json": document, **options})

    def mask_batch(self, items: Iterable[t.MaskItem], **options: Any) -> list[t.MaskedItem]:
        """Masks several; a bad one has an `error` in its place. Items of one `thread` number their values
        together within one request, which is of 256 items or of what the key's burst allows."""
        return self._batches("/v1/mask", list(items), options)

    def _batches(self, path: str, items: list[Any], options: Mapping[str, Any]) -> list[Any]:
        """A list in as many requests as it takes, smaller ones where the key's burst asks for it."""
        answers: list[Any] = []
        at, size = 0, MAX_ITEMS
        while at < len(items):
            some = items[at : at + size]
            try:
                answers += self._http.call("POST", path, {"items": some, **options})["items"]
            except RateLimited as refused:
                burst = refused.problem.get("burst")
                if not isinstance(burst, int) or not 0 < burst < len(some):
                    raise
                size = burst
            else:
                at += len(some)
        return answers


class Messages:
    """Messages in by API."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def create(self, message: t.NewMessage, *, idempotency_key: str | None = None) -> t.Taken:
        """Hands a message in; `result` is `received` or `duplicate`."""
        return self._http.call(
            "POST", "/v1/messages", message, write=True, idempotency_key=idempotency_key
        )

    def get(self, id: str) -> t.Message:
        """A message, masked."""
        return self._http.call("GET", f"/v1/messages/{part(id)}")

    def edit(self, id: str, change: t.NewMessage) -> t.Taken:
        """Reports that the customer edited it."""
        return self._http.call("PATCH", f"/v1/messages/{part(id)}", change, write=True)

    def delete(self, id: str) -> None:
        """Reports that the customer deleted it."""
        self._http.call("DELETE", f"/v1/messages/{part(id)}", write=True)


class Threads:
    """Conversations."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self, *, page: int = 100) -> Iterator[t.ThreadSummary]:
        """All of them, newest first."""
        return _pages(self._http, "/v1/threads", {}, page)

    def get(self, id: str) -> t.ThreadView:
        """One, with its messages and reviews."""
        return self._http.call("GET", f"/v1/threads/{part(id)}")


class Reviews:
    """The queue. Acting needs a key that belongs to a person."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        state: Sequence[t.ReviewState] | Literal["all"] | None = None,
        snoozed: bool | None = None,
        page: int = 100,
    ) -> Iterator[t.ReviewSummary]:
        """All of them, the most urgent first; without `state` those that wait for a person."""
        states = state if state is None or isinstance(state, str) else ",".join(state)
        return _pages(self._http, "/v1/reviews", _given(state=states, snoozed=snoozed), page)

    def get(self, id: str) -> t.Review:
        """One, with its draft and the digest that `approve` needs."""
        return self._http.call("GET", f"/v1/reviews/{part(id)}")

    def evidence(self, id: str) -> t.Evidence:
        """The passages as they were when the draft was made."""
        return self._http.call("GET", f"/v1/reviews/{part(id)}/evidence")

    def claim(self, id: str) -> t.Review:
        """Keeps others from signing or changing it."""
        return self._act(id, "claim")

    def release(self, id: str) -> t.Review:
        """Gives it back."""
        return self._act(id, "release")

    def approve(self, id: str, digest: str) -> t.Review:
        """Signs exactly what was seen: `digest` is that of the review as it was shown."""
        return self._act(id, "approve", {"digest": digest})

    def edit(
        self, id: str, text: str, revision: int, *, subject: str | None = None, approve: bool = False
    ) -> t.Review:
        """Replaces the draft's text."""
        body = {"text": text, "revision": revision, "approve": approve, **_given(subject=subject)}
        return self._act(id, "edit", body)

    def respond(
        self, id: str, text: str, revision: int, *, subject: str | None = None, approve: bool = False
    ) -> t.Review:
        """Writes the reply by hand."""
        body = {"text": text, "revision": revision, "approve": approve, **_given(subject=subject)}
        return self._act(id, "respond", body)

    def reject(self, id: str, reason: str | None = None) -> t.Review:
        """Decides against an answer."""
        return self._act(id, "reject", _given(reason=reason))

    def escalate(self, id: str, reason: str | None = None) -> t.Review:
        """Hands it to a lead."""
        return self._act(id, "escalate", _given(reason=reason))

    def snooze(self, id: str, until: str) -> t.Review:
        """Hides it until a time (RFC 3339)."""
        return self._act(id, "snooze", {"until": until})

    def assign(self, id: str, to: str | None) -> t.Review:
        """Gives it to a person, by id, or to nobody."""
        return self._act(id, "assign", {"to": to})

    def undo(self, id: str) -> t.Review:
        """Takes the signature back while it is held."""
        return self._act(id, "undo")

    def settle(self, id: str, arrived: bool) -> t.Review:
        """Says whether a reply arrived whose outcome is unknown."""
        return self._act(id, "settle", {"arrived": arrived})

    def _act(self, id: str, action: str, body: Mapping[str, Any] | None = None) -> t.Review:
        path = f"/v1/reviews/{part(id)}/{action}"
        return self._http.call("POST", path, dict(body or {}), write=True)


class Knowledge:
    """Published articles."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def put(
        self,
        source: str,
        text: str,
        *,
        title: str | None = None,
        format: t.ArticleFormat = "text",
    ) -> t.ArticlePut:
        """Adds an article, or replaces the one of the same source."""
        body = {"source": source, "text": text, "format": format, **_given(title=title)}
        return self._http.call("POST", "/v1/knowledge", body, write=True)

    def list(self, *, page: int = 100) -> Iterator[t.ArticleSummary]:
        """All of them."""
        return _pages(self._http, "/v1/knowledge", {}, page)

    def get(self, id: str) -> t.ArticleView:
        """One, with its text."""
        return self._http.call("GET", f"/v1/knowledge/{part(id)}")

    def delete(self, id: str) -> None:
        """Takes it out."""
        self._http.call("DELETE", f"/v1/knowledge/{part(id)}", write=True)


class Learning:
    """Heads learnt from corrections, and topics that the taxonomy lacks. Deciding needs a lead's key."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def models(self) -> list[t.ModelSummary]:
        """Heads, the newest first."""
        return self._http.call("GET", "/v1/models")["items"]

    def model(self, id: str) -> t.ModelView:
        """One, with how it did against what ran."""
        return self._http.call("GET", f"/v1/models/{part(id)}")

    def promote(self, id: str, reason: str | None = None) -> t.ModelSummary:
        """Lets a head read messages. A reason overrides what speaks against it."""
        body = _given(reason=reason)
        return self._http.call("POST", f"/v1/models/{part(id)}/promote", body, write=True)

    def roll_back(self, task: str, *, builtin: bool = False) -> t.RolledBack:
        """Lets what ran before a task's head run again, or the built-in head."""
        body = {"task": task, "builtin": builtin}
        return self._http.call("POST", "/v1/models/rollback", body, write=True)

    def topics(self, *, least: int | None = None) -> t.TopicList:
        """Groups among the newest messages that no intent fits, of so many messages at least."""
        return self._http.call("GET", "/v1/topics", query=_given(least=least))


def _item(item: str | Mapping[str, Any]) -> dict[str, Any]:
    return {"text": item} if isinstance(item, str) else dict(item)


def _given(**fields: Any) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if v is not None}


def _pages(http: Transport, path: str, query: Mapping[str, Any], page: int) -> Iterator[Any]:
    cursor = None
    while True:
        answer = http.call("GET", path, query={**query, "limit": page, "cursor": cursor})
        yield from answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return
