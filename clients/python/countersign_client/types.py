"""Types of the API. Made from docs/openapi.json by scripts/client_types.py; do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


Abstention: TypeAlias = "Literal['no_words', 'low_confidence', 'out_of_scope']"
"""Why the intent is for a person to choose."""


class Approve(TypedDict):
    """What is signed."""

    digest: str
    """The `digest` of the review as it was seen."""


ArticleFormat: TypeAlias = "Literal['text', 'markdown', 'html']"
"""What a document is written in."""


ArticleId: TypeAlias = "str"
"""A knowledge article."""


class ArticleList(TypedDict):
    """Articles, by id."""

    items: list[ArticleSummary]

    next: str | None
    """For the next page's `cursor`; null at the end."""


class ArticlePut(TypedDict):
    """What came of an article."""

    changed: bool
    """Whether it is new or another than before."""

    id: ArticleId


class ArticleSummary(TypedDict):
    """An article in a list."""

    id: ArticleId

    language: str
    """ISO 639-1, or `und`."""

    source: str

    title: str

    updated_at: str


class ArticleView(TypedDict):
    """An article."""

    id: ArticleId

    language: str
    """ISO 639-1, or `und`."""

    source: str

    text: str
    """Plain text."""

    title: str

    updated_at: str


class Assign(TypedDict):
    """Whose."""

    to: NotRequired[UserId | None]


class AttachmentView(TypedDict):
    """An attachment, described."""

    allowed: bool
    """Whether the policy allows it."""

    hash: str
    """The same for the same content; keyed, so it is no plain hash."""

    reason: str | None
    """Why not."""

    size: int
    """In bytes."""

    type: str
    """Its media type."""


class AutoReply(TypedDict):
    """Whether a machine wrote the message by itself."""

    auto_reply: NotRequired[bool]
    """An out-of-office note, a delivery report or the like, which wants no answer."""

    auto_reply_reasons: NotRequired[list[Cue]]
    """What says so."""


class BadItem(TypedDict):
    """An item that was not masked."""

    error: MaskError

    id: Any
    """As it was given."""

    index: int
    """Its place, from 0."""


ChannelId: TypeAlias = "str"
"""An inbox: where messages come from and replies go to."""


class ClassifyAnswer(TypedDict):
    """One item's answer: of the outputs those that were asked for."""

    auto_reply: NotRequired[bool]
    """Whether a machine wrote it by itself."""

    auto_reply_reasons: NotRequired[list[Cue]]
    """What says so."""

    deadlines: NotRequired[list[Deadline]]
    """Times by which something is wanted, in the order of the text."""

    entities: NotRequired[list[Mention]]
    """Order numbers, products, amounts, in the order of the text."""

    id: NotRequired[str | float]
    """Comes back with the answer."""

    injection: NotRequired[Injection]
    """Orders to a model."""

    intent: NotRequired[Intent]
    """What the writer wants."""

    language: NotRequired[LanguageCode]
    """ISO 639-1, or `und`."""

    language_confidence: NotRequired[Probability]
    """How sure; 0 for `und`."""

    risk: NotRequired[Risk]
    """Anger and churn."""

    sentiment: NotRequired[Sentiment]
    """The writer's mood."""

    spam: NotRequired[Spam]
    """Ham or not."""

    summary: NotRequired[str]
    """The sentence that carries the wish."""

    text: NotRequired[str]
    """What was read, where that isn't the text that was sent: offsets count in it."""

    timing_ms: TimingMs
    """How long it took."""

    trend: NotRequired[Trend]
    """The mood of the thread, where there are earlier messages of the customer."""

    urgency: NotRequired[UrgencyLevel]
    """How soon somebody should look."""

    urgency_reasons: NotRequired[list[Cue]]
    """What raised or lowered it."""

    versions: Versions
    """What made this answer."""


class ClassifyAnswers(TypedDict):
    """The answer to `items`: one for each, in order."""

    items: list[ItemAnswer]
    """The answers."""

    total_ms: float
    """From the request's arrival to the answer, in milliseconds."""


ClassifyItem = TypedDict(
    "ClassifyItem",
    {
        "from": "NotRequired[Sender | None]",
        "history": "NotRequired[list[Turn] | None]",
        "html": "NotRequired[str | None]",
        "id": "NotRequired[str | float]",
        "messages": "NotRequired[list[ThreadMessage] | None]",
        "subject": "NotRequired[str | None]",
        "text": "NotRequired[str | None]",
        "vip": "NotRequired[bool | None]",
    },
)
"""A text, a message or a thread: one of `text`, `html`, `subject` and `messages` is needed."""


class ClassifyOptions(TypedDict):
    """Options for all items."""

    outputs: NotRequired[list[Output] | None]
    """What to answer; all but `evidence` if absent."""

    taxonomy: NotRequired[TaxonomyOption | None]

    vip: NotRequired[bool | None]
    """The writers are people whose messages come first: their urgency is a step higher."""


ClassifyReply: TypeAlias = "ClassifyAnswer | ClassifyAnswers"
"""The answer: one item's, or one for each of several."""


class Cue(TypedDict):
    """Words or facts that moved a decision. `words` are from our own lists, never free text of the message."""

    kind: str
    """The family, such as `deadline` or `instruction_override`."""

    words: str
    """The listed words that matched, such as `ignore … instructions`."""


class Delivery(TypedDict):
    """What became of a delivery."""

    attempts: int
    """So far."""

    error: str | None
    """Why the last attempt failed."""

    event: EventId

    next_at: str | None
    """When it is tried again."""

    seq: int
    """The event's number."""

    state: str
    """`pending`, `delivered`, `failed` or `dropped`."""

    status: int | None
    """Of the last answer."""

    took_ms: int | None
    """How long the last attempt took, in milliseconds."""

    type: str
    """The event's type."""

    updated_at: str


class DeliveryList(TypedDict):
    """Deliveries, newest first."""

    items: list[Delivery]

    next: str | None
    """For the next page's `cursor`; null at the end."""


Digest: TypeAlias = "str"
"""A SHA-256, 64 lower-case hex digits."""


Direction: TypeAlias = "Literal['in', 'out']"
"""From the customer, or a reply that went out through somebody else's hands."""


class Draft(TypedDict):
    """A draft; its texts are masked."""

    alternatives: list[str]
    """Other texts that would do."""

    author: str
    """What made it: a drafter's id, `person:` and a user's id, or `none`."""

    grounding: float | None
    """How likely it is that the passages support all of it, 0 to 1."""

    language: str | None
    """ISO 639-1."""

    sentences: list[DraftSentence]

    subject: str

    text: str

    tone: str | None

    unanswered: list[str]
    """Questions of the customer without an answer."""


DraftId: TypeAlias = "str"
"""A draft; its revisions are numbered from 1."""


class DraftSentence(TypedDict):
    """A sentence of a draft."""

    citations: list[int]
    """Numbers of passages, from 1."""

    score: float
    """How well the passages support it, 0 to 1."""

    text: str

    verdict: str | None
    """`supported`, `inferred`, `unsupported` or `contradicted`; null for a greeting."""


class Edit(TypedDict):
    """Another text."""

    approve: NotRequired[bool]
    """Signs it at once."""

    revision: int
    """The `revision` of the review as it was seen."""

    subject: NotRequired[str | None]
    """Another subject."""

    text: str
    """What is to be sent; placeholders stand for their values."""


EndpointId: TypeAlias = "str"
"""An endpoint that events are posted to."""


Entity: TypeAlias = "str"
"""The name of a type, such as `EMAIL_ADDRESS`; Presidio's names are used where it has one."""


EventId: TypeAlias = "str"
"""A row of the audit log, or an event for those who listen."""


class EventRef(TypedDict):
    """An event that is on its way."""

    event: EventId


class Evidence(TypedDict):
    """What a draft is grounded in."""

    draft: DraftId

    passages: list[Passage]
    """By their numbers in the draft, from 1."""

    prompt_hash: str | None
    """Of the prompt that made the draft."""

    review: ReviewId


Field: TypeAlias = "Literal['text', 'subject']"
"""Which of a message's texts a span lies in."""


class Injection(TypedDict):
    """Whether the text tries to give orders to the model that will draft the reply."""

    evidence: NotRequired[list[WordEvidence]]
    """The words that moved it, where asked for."""

    flagged: bool
    """The score passed the threshold."""

    reasons: NotRequired[list[Cue]]
    """Which words gave it away; empty when only the embedding did."""

    score: Probability
    """Probability-like score, 0 to 1."""


IntentLabel: TypeAlias = "str"
"""The name of an intent, from the taxonomy or from the labels a head was trained on."""


ItemAnswer: TypeAlias = "ClassifyAnswer | ItemError"
"""An item's answer, or why there is none."""


class ItemError(TypedDict):
    """An item that could not be classified."""

    error: ItemProblem
    """What is wrong."""

    id: NotRequired[str | float]
    """Comes back with the answer."""

    index: NotRequired[int]
    """Its place among the items, from 0."""

    line: NotRequired[int]
    """The line's number, from 1, in a stream."""


class ItemProblem(TypedDict):
    """Problem details (RFC 9457) of one item."""

    code: str
    """The stable code."""

    detail: str
    """A sentence for people."""

    pointer: NotRequired[str]
    """JSON pointer of what is wrong: from the body's root, in a stream from the line's."""

    status: int
    """The status that a request with this item alone has."""

    type: str
    """`urn:countersign:problem:` and the code."""


class LabelOption(TypedDict):
    """A label of a caller's own."""

    description: NotRequired[str | None]
    """What it means; read like an example."""

    examples: list[str]
    """2 to 50 texts of people who mean it, of up to 2 KiB."""

    name: str
    """Its name, up to 64 bytes."""


class Language(TypedDict):
    """The language of the text."""

    language: LanguageCode
    """ISO 639-1, or `und`."""

    language_confidence: Probability
    """How sure; 0 for `und`."""


LanguageCode: TypeAlias = "str"
"""An ISO 639-1 code, or `und` when the text gives no hold."""


MaskAnswer: TypeAlias = "Masked | MaskedItems"
"""The answer: one, or one for each item."""


class MaskError(TypedDict):
    """Why an item was not masked."""

    code: str
    """`bad_item` or `not_masked`."""

    detail: str
    """For people."""


class MaskItem(TypedDict):
    """One of `text` and `json`."""

    id: NotRequired[Any]
    """Comes back with the answer."""

    json: NotRequired[Any]

    language: NotRequired[str | None]
    """ISO 639-1 code."""

    text: NotRequired[str | None]

    thread: NotRequired[str | None]
    """Items with the same thread number their values together."""


class MaskRequest(TypedDict):
    """What to mask: one of `text`, `json` and `items`, with settings for all of it."""

    entities: NotRequired[list[Entity] | None]
    """Types to look for."""

    explain: NotRequired[bool]
    """Give the reasons."""

    id: NotRequired[Any]
    """Comes back with the answer."""

    items: NotRequired[list[MaskItem] | None]

    json: NotRequired[Any]
    """Any document; its strings and numbers are masked, its keys stay."""

    language: NotRequired[str | None]
    """ISO 639-1 code."""

    min_score: NotRequired[float]
    """Finds below this score are left alone; has no effect below the configured minimum."""

    operators: NotRequired[dict[str, str]]
    """Operators by type, `*` for all others, over the configured ones."""

    text: NotRequired[str | None]

    values: NotRequired[bool]
    """Give the values, as restoring needs them."""


class Masked(TypedDict):
    """A masked text or document."""

    id: NotRequired[Any]
    """As it was given."""

    masked: Any
    """The text, or the document in its shape."""

    spans: list[MaskedSpan]


MaskedItem: TypeAlias = "Masked | BadItem"
"""An item's answer."""


class MaskedItems(TypedDict):
    """The answer to `items`, in their order."""

    items: list[MaskedItem]


class MaskedSpan(TypedDict):
    """What was masked, and where. `start` and `end` are code points of the text that was given, `masked_start` and `masked_end` of the masked one."""

    base_score: NotRequired[float]
    """Before context was looked at, if `explain` was set."""

    context: NotRequired[Any]
    """The words nearby that raised the score, if `explain` was set."""

    end: int

    masked_end: int

    masked_start: int

    number: NotRequired[bool]
    """Set where a number of a document was replaced by a string."""

    path: NotRequired[str]
    """A JSON pointer (RFC 6901) to the string or number, in documents."""

    placeholder: str
    """What stands there now."""

    recognizer: str

    score: float
    """How sure the recognizer is, 0 to 1."""

    start: int

    text: NotRequired[str]
    """The value, if `values` was set."""

    type: Entity
    """The type, such as `EMAIL_ADDRESS`."""

    validator: NotRequired[Any]
    """What checked the value, if `explain` was set."""


class Message(TypedDict):
    """A message; its texts are masked."""

    analysis: Analysis | None

    attachments: list[AttachmentView]

    auto: str | None
    """The kind of automatic message it is."""

    channel: ChannelId

    direction: Direction

    id: MessageId

    oddities: list[str]
    """What was odd about it, in words."""

    parent: MessageId | None

    quoted: str | None
    """What it quotes."""

    received_at: str

    revision: int
    """Counts edits, from 1."""

    sender: str | None

    sent_at: str | None
    """When it says it was sent."""

    signature: str | None

    state: str
    """`received`, `understood`, `filed` (not answered) or `deleted`."""

    subject: str | None

    text: str | None
    """What the customer wrote, without quoted history and signature."""

    thread: ThreadId | None


MessageId: TypeAlias = "str"
"""One received or sent message."""


class MessageLabels(TypedDict):
    """The body: one label or more."""

    injection: NotRequired[bool | None]
    """Whether it tries to instruct the model."""

    intent: NotRequired[str | None]
    """An intent of the taxonomy."""

    sentiment: NotRequired[str | None]
    """`very_negative`, `negative`, `neutral`, `positive` or `very_positive`."""

    spam: NotRequired[str | None]
    """`ham`, `spam`, `phishing` or `abuse`."""

    urgency: NotRequired[str | None]
    """`low`, `normal`, `high` or `critical`."""


ModelId: TypeAlias = "str"
"""A head that was learnt from corrections."""


class ModelList(TypedDict):
    """Heads, the newest first."""

    items: list[ModelSummary]

    next: str | None
    """There is one page only."""


class ModelSummary(TypedDict):
    """A head that was learnt from corrections."""

    changed_at: str
    """When its state changed last."""

    created_at: str

    encoder: str
    """Whose states it reads."""

    id: ModelId

    name: str
    """As `versions.heads` says it."""

    parent: ModelId | None

    state: str
    """`proposed`, `promoted`, `retired` or `rejected`."""

    task: str
    """What it decides."""


class NewArticle(TypedDict):
    """An article to add, or to put in the place of the one of the same source."""

    format: NotRequired[ArticleFormat]

    source: str
    """Where it comes from: a path or URL."""

    text: str
    """At most 2 MiB."""

    title: NotRequired[str | None]
    """Its title; taken from the text or the source unless given."""


NewMessage = TypedDict(
    "NewMessage",
    {
        "cc": "NotRequired[list[Party]]",
        "channel": "NotRequired[str | None]",
        "direction": "NotRequired[Direction]",
        "eml_b64": "NotRequired[str | None]",
        "external_id": "NotRequired[str | None]",
        "from": "NotRequired[Party | None]",
        "html": "NotRequired[str | None]",
        "references": "NotRequired[list[str]]",
        "sent_at": "NotRequired[str | None]",
        "subject": "NotRequired[str | None]",
        "text": "NotRequired[str | None]",
        "thread": "NotRequired[str | None]",
        "to": "NotRequired[list[Party]]",
    },
)
"""The body of `POST /v1/messages` and of the generic webhook's `data`: a message, or a raw MIME message in base64."""


class NewWebhook(TypedDict):
    """The body of `POST /v1/webhooks`."""

    events: NotRequired[list[str]]
    """Types of events; all if it is left out or empty."""

    url: str
    """Where to post: http or https, a public address."""


class Nothing(TypedDict):
    """No settings."""


Output: TypeAlias = "Literal['intent', 'sentiment', 'urgency', 'language', 'spam', 'injection', 'auto_reply', 'risk', 'trend', 'deadlines', 'entities', 'summary', 'evidence']"
"""What can be asked for."""


class Party(TypedDict):
    """A correspondent: address as the channel gave it, and a display name. Debug shows neither."""

    address: str
    """E-mail address, phone number or handle."""

    name: NotRequired[str | None]
    """Display name."""


class Passage(TypedDict):
    """A passage as stored: the evidence as it was."""

    id: str
    """The chunk."""

    score: float
    """The search's score."""

    source: str
    """The article."""

    text: str
    """Its text."""

    title: str
    """Its title."""


Polarity: TypeAlias = "float"


Probability: TypeAlias = "float"


class Problem(TypedDict):
    """Why a request was refused (RFC 9457). Some problems have more members."""

    code: str
    """Stable; what programs go by."""

    detail: str
    """For people."""

    status: int

    title: str
    """The status in words."""

    type: str
    """A URN that ends in the code."""


class Promotion(TypedDict):
    """What a promotion may say."""

    reason: NotRequired[str | None]
    """Why it is promoted although something speaks against it; kept in the audit log."""


class Reason(TypedDict):
    """Why."""

    reason: NotRequired[str | None]
    """For the audit log."""


ReviewId: TypeAlias = "str"
"""One item of the review queue."""


class ReviewList(TypedDict):
    """Reviews, the most urgent first."""

    items: list[ReviewSummary]

    next: str | None
    """For the next page's `cursor`; null at the end."""


class ReviewRef(TypedDict):
    """A review of a conversation."""

    id: ReviewId

    state: ReviewState


ReviewState: TypeAlias = "Literal['no_match', 'pending', 'approved', 'held', 'sending', 'sent', 'failed', 'unknown', 'rejected', 'superseded', 'escalated', 'filed']"
"""Where a review stands."""


class ReviewSummary(TypedDict):
    """A review in a list."""

    assigned_to: UserId | None

    attention: list[str]
    """Why a person must look twice: `injection`, `ungrounded`, `unanswered`, `attachment_refused` …"""

    claim_until: str | None

    claimed_by: UserId | None

    created_at: str

    draft_revision: int

    hold_until: str | None
    """When it goes out; until then it can be undone."""

    id: ReviewId

    message: MessageId
    """The message that it answers."""

    no_match_reason: str | None
    """Why there is no draft: `no_passages`, `low_score`, `not_answered`, `draft_failed`, `unreadable` or `no_sender`."""

    outcome: str | None
    """Why it ended as it did."""

    priority: int
    """0 low, 1 normal, 2 high, 3 critical."""

    revision: int
    """Counts changes; an edit says which one it saw."""

    snoozed_until: str | None

    state: ReviewState

    thread: ThreadId

    updated_at: str


class Risk(TypedDict):
    """How likely the writer is to lose patience or to leave."""

    anger: Probability
    """Anger, 0 to 1."""

    churn: Probability
    """Leaving, 0 to 1."""


Role: TypeAlias = "Literal['customer', 'agent']"
"""Who wrote a message of a thread."""


class Rollback(TypedDict):
    """Which head to take back."""

    builtin: NotRequired[bool]
    """Go back to the built-in head, whatever ran before."""

    task: str
    """What the head decides."""


class RolledBack(TypedDict):
    """What was taken back and what runs now."""

    retired: ModelSummary

    runs: ModelSummary | None


class Routing(TypedDict):
    """What the taxonomy says should be done with a message of this intent."""

    may_be_automated: NotRequired[bool]
    """Whether the team allows an answer without a person."""

    priority: NotRequired[UrgencyLevel | None]

    queue: NotRequired[str | None]
    """The queue that shows it."""

    sla: NotRequired[str | None]
    """Within what time it should be answered, as `4h` or `1d 12h`."""

    tone: NotRequired[str | None]
    """How a draft should sound."""


class Scored(TypedDict):
    """A label with its probability."""

    confidence: Probability
    """Calibrated probability of this intent."""

    label: IntentLabel
    """The intent."""


Sender: TypeAlias = "str | dict[str, Any]"
"""Who wrote a message."""


class Sentiment(TypedDict):
    """The writer's mood."""

    confidence: Probability
    """Probability of `label`."""

    evidence: NotRequired[list[WordEvidence]]
    """The words that moved it, where asked for."""

    label: SentimentLabel
    """The likeliest of five steps."""

    score: Polarity
    """Expected mood, -1 to 1."""


SentimentLabel: TypeAlias = "Literal['very_negative', 'negative', 'neutral', 'positive', 'very_positive']"


class Settle(TypedDict):
    """What somebody found out."""

    arrived: bool
    """Whether the reply arrived."""


class Snooze(TypedDict):
    """Until when."""

    until: str
    """RFC 3339, within a year."""


class Spam(TypedDict):
    """Whether the message is worth a person's time."""

    evidence: NotRequired[list[WordEvidence]]
    """The words that moved it, where asked for."""

    label: SpamLabel
    """The decision; anything but `ham` needed a high score."""

    score: Probability
    """Probability that the message is not ham."""


SpamLabel: TypeAlias = "Literal['ham', 'spam', 'phishing', 'abuse']"


class Taken(TypedDict):
    """What came of a message."""

    id: MessageId

    result: str
    """`received` for a new one, `duplicate` for one that was there, `edited`; for webhooks also the delivery's type, or `outdated` when a later change had been applied already."""


TaxonomyOption: TypeAlias = "str | dict[str, Any]"
"""Whose intents."""


class TextSpan(TypedDict):
    """A part of the message in code points, half open, without its words."""

    end: int
    """One past the last code point."""

    field: NotRequired[Field]
    """The text that it is a part of."""

    start: int
    """First code point."""


ThreadId: TypeAlias = "str"
"""A conversation."""


class ThreadList(TypedDict):
    """Conversations, newest first."""

    items: list[ThreadSummary]

    next: str | None
    """For the next page's `cursor`; null at the end."""


class ThreadMessage(TypedDict):
    """A message of a thread."""

    at: NotRequired[str | None]
    """When (RFC 3339); if all messages have it, they are put in order."""

    role: Role
    """Who wrote it."""

    text: str
    """What."""


class ThreadSummary(TypedDict):
    """A conversation in a list."""

    channel: ChannelId

    id: ThreadId

    last_at: str
    """When its newest message came."""

    subject: str
    """Masked."""


class ThreadView(TypedDict):
    """A conversation."""

    channel: ChannelId

    created_at: str

    id: ThreadId

    last_at: str

    messages: list[Message]
    """Oldest first."""

    related: ThreadId | None

    reviews: list[ReviewRef]


class TimingMs(TypedDict):
    """How long it took, in milliseconds."""

    encode: float
    """The encoder, together with the others of its batch."""

    heads: float
    """Everything else that reads it, together with the others of its batch."""

    queue: float
    """Waiting in the queue."""

    total: float
    """From the request's arrival to its answer."""


class Topic(TypedDict):
    """Messages that belong together and have no intent."""

    cohesion: float
    """How near they are to their middle, as a mean (a cosine)."""

    examples: list[TopicExample]
    """Those nearest to the middle."""

    size: int
    """How many messages."""

    words: list[str]
    """Words that set them apart, the most telling first."""


class TopicExample(TypedDict):
    """A message of a topic."""

    message: MessageId

    text: str
    """How it begins, masked."""


class TopicList(TypedDict):
    """Topics, the largest first."""

    items: list[Topic]

    messages: int
    """Messages without an intent that were looked at."""

    next: str | None
    """There is one page only."""


class Trend(TypedDict):
    """The mood of a thread's messages over time."""

    direction: TrendDirection
    """Where it is going."""

    slope: Polarity
    """Change of the score from one message to the next: the slope of the line through them by least squares, held to -1..=1."""


TrendDirection: TypeAlias = "Literal['improving', 'steady', 'worsening']"


Turn: TypeAlias = "str | dict[str, Any]"
"""An earlier message."""


class Urgency(TypedDict):
    """How soon somebody should look, and why."""

    urgency: UrgencyLevel
    """The level."""

    urgency_reasons: NotRequired[list[Cue]]
    """What raised or lowered it."""


UrgencyLevel: TypeAlias = "Literal['low', 'normal', 'high', 'critical']"


UserId: TypeAlias = "str"
"""A person with a login."""


class Versions(TypedDict):
    """What made an analysis, so that it can be explained and repeated."""

    encoder: str
    """The encoder's id."""

    heads: str
    """Content hash of the example files and phrase lists of the built-in heads."""

    taxonomy: str
    """Content hash of the taxonomy, or the name of a trained intent head."""


class Webhook(TypedDict):
    """An endpoint."""

    created_at: str

    disabled_at: str | None

    disabled_reason: str | None
    """`gone` (it answered 410), `failing` (for too long) or `by_hand`."""

    enabled: bool

    events: list[str]
    """Types of events; empty for all."""

    failing_since: str | None

    failures: int
    """Failures in a row."""

    host: str
    """Scheme, host and port."""

    id: EndpointId

    rest_until: str | None
    """After no answer, 408, 425, 429 or 5xx: nothing is posted before then."""

    secret: NotRequired[str]
    """The signing secret; in the answer that made it, nowhere else."""


class WebhookChange(TypedDict):
    """The body of `PATCH /v1/webhooks/{id}`; what is left out stays."""

    enabled: NotRequired[bool | None]
    """Switch it on or off."""

    events: NotRequired[list[str] | None]
    """Types of events; an empty list for all."""

    rotate_secret: NotRequired[bool]
    """Make a new secret. The one before signs too until the next change of this kind."""

    url: NotRequired[str | None]
    """Where to post."""


class WebhookList(TypedDict):
    """Webhooks."""

    items: list[Webhook]

    next: str | None
    """There is one page only."""


class WebhookPayload(TypedDict):
    """A delivery."""

    data: NewMessage
    """Without `channel`."""

    timestamp: NotRequired[Any]
    """When it happened, as the platform knows it: RFC 3339, or an epoch time as text or number."""

    type: str
    """`message.created`, `message.edited`, `message.deleted` or `reply.sent`."""


class Analysis(Urgency, Language, AutoReply):
    """Everything read off one message. Serialised, its fields are those of a `classify` line."""

    deadlines: NotRequired[list[Deadline]]
    """Times by which something is wanted, in the order of the text."""

    entities: NotRequired[list[Mention]]
    """Order numbers, products, amounts, in the order of the text."""

    injection: Injection
    """Orders to the model."""

    intent: Intent
    """What the writer wants."""

    risk: NotRequired[Risk]
    """Anger and churn."""

    sentiment: Sentiment
    """The writer's mood."""

    spam: Spam
    """Ham or not."""

    summary: NotRequired[str | None]
    """The sentence that carries the wish, in the words of the text that was read, at most 120 characters."""

    trend: NotRequired[Trend | None]

    versions: Versions
    """What made it."""


class ClassifyRequest(TypedDict):
    """The body of `POST /v1/classify`: one item's fields, or `items`, with options for all of them."""

    items: NotRequired[list[ClassifyItem] | None]
    """Several items, instead of an item's fields."""


class Deadline(TextSpan):
    """A time by which the writer wants something."""

    words: str
    """The listed words that matched, such as `by … tomorrow`."""


class Intent(Routing):
    """What the writer wants."""

    abstained: bool
    """The head is not sure enough: a person should choose."""

    abstained_reason: NotRequired[Abstention | None]

    alternatives: list[Scored]
    """The runners-up, likeliest first, at most three."""

    confidence: Probability
    """Calibrated probability of `label`."""

    evidence: NotRequired[list[WordEvidence]]
    """The words that moved it, where asked for."""

    from_thread: NotRequired[bool]
    """The label was taken from the thread, because the message alone says too little."""

    label: IntentLabel
    """The likeliest intent, even when abstained (callers route on `abstained`, not on the label)."""

    parent: NotRequired[Scored | None]


class Mention(TextSpan):
    """Something in the message that a colleague would underline: an order number, a product, an amount."""

    name: NotRequired[str | None]
    """The product's name in the taxonomy."""

    type: str
    """The type: `ORDER_NUMBER`, `AMOUNT`, `DATE_TIME`, `PRODUCT`, or that of a placeholder."""


class ModelView(ModelSummary):
    """A head with its judgement."""

    against: list[str]
    """What speaks against promoting it now; empty for one that may be, or that runs."""

    data_sha256: str
    """SHA-256 over what it was fitted on."""

    metrics: dict[str, Any]
    """Against what ran when it was judged, and on its own rows."""


class Review(ReviewSummary):
    """A review with its draft."""

    digest: Digest
    """Of exactly what would be sent; approving needs it."""

    draft: Draft


class WordEvidence(TextSpan):
    """A word that moved a decision."""

    weight: Polarity
    """How much it spoke for the label given (above 0) or against it, as a share of what all words said: -1 to 1."""
