// Made from docs/openapi.json by scripts/client_types.py; do not edit.

/** Why the intent is for a person to choose. */
export type Abstention = "no_words" | "low_confidence" | "out_of_scope";

/** Everything read off one message. Serialised, its fields are those of a `classify` line. */
export type Analysis = Urgency & Language & AutoReply & {
  /** Times by which something is wanted, in the order of the text. */
  deadlines?: Array<Deadline>;
  /** Order numbers, products, amounts, in the order of the text. */
  entities?: Array<Mention>;
  /** Orders to the model. */
  injection: Injection;
  /** What the writer wants. */
  intent: Intent;
  /** Anger and churn. */
  risk?: Risk;
  /** The writer's mood. */
  sentiment: Sentiment;
  /** Ham or not. */
  spam: Spam;
  /** The sentence that carries the wish, in the words of the text that was read, at most 120 characters. */
  summary?: string | null;
  trend?: Trend | null;
  /** What made it. */
  versions: Versions;
};

/** What is signed. */
export type Approve = {
  /** The `digest` of the review as it was seen. */
  digest: string;
};

/** What a document is written in. */
export type ArticleFormat = "text" | "markdown" | "html";

/** A knowledge article. */
export type ArticleId = string;

/** Articles, by id. */
export type ArticleList = {
  items: Array<ArticleSummary>;
  /** For the next page's `cursor`; null at the end. */
  next: string | null;
};

/** What came of an article. */
export type ArticlePut = {
  /** Whether it is new or another than before. */
  changed: boolean;
  id: ArticleId;
};

/** An article in a list. */
export type ArticleSummary = {
  id: ArticleId;
  /** ISO 639-1, or `und`. */
  language: string;
  source: string;
  title: string;
  updated_at: string;
};

/** An article. */
export type ArticleView = {
  id: ArticleId;
  /** ISO 639-1, or `und`. */
  language: string;
  source: string;
  /** Plain text. */
  text: string;
  title: string;
  updated_at: string;
};

/** Whose. */
export type Assign = {
  to?: UserId | null;
};

/** An attachment, described. */
export type AttachmentView = {
  /** Whether the policy allows it. */
  allowed: boolean;
  /** The same for the same content; keyed, so it is no plain hash. */
  hash: string;
  /** Why not. */
  reason: string | null;
  /** In bytes. */
  size: number;
  /** Its media type. */
  type: string;
};

/** Whether a machine wrote the message by itself. */
export type AutoReply = {
  /** An out-of-office note, a delivery report or the like, which wants no answer. */
  auto_reply?: boolean;
  /** What says so. */
  auto_reply_reasons?: Array<Cue>;
};

/** An item that was not masked. */
export type BadItem = {
  error: MaskError;
  /** As it was given. */
  id: unknown;
  /** Its place, from 0. */
  index: number;
};

/** An inbox: where messages come from and replies go to. */
export type ChannelId = string;

/** One item's answer: of the outputs those that were asked for. */
export type ClassifyAnswer = {
  /** Whether a machine wrote it by itself. */
  auto_reply?: boolean;
  /** What says so. */
  auto_reply_reasons?: Array<Cue>;
  /** Times by which something is wanted, in the order of the text. */
  deadlines?: Array<Deadline>;
  /** Order numbers, products, amounts, in the order of the text. */
  entities?: Array<Mention>;
  /** Comes back with the answer. */
  id?: string | number;
  /** Orders to a model. */
  injection?: Injection;
  /** What the writer wants. */
  intent?: Intent;
  /** ISO 639-1, or `und`. */
  language?: LanguageCode;
  /** How sure; 0 for `und`. */
  language_confidence?: Probability;
  /** Anger and churn. */
  risk?: Risk;
  /** The writer's mood. */
  sentiment?: Sentiment;
  /** Ham or not. */
  spam?: Spam;
  /** The sentence that carries the wish. */
  summary?: string;
  /** What was read, where that isn't the text that was sent: offsets count in it. */
  text?: string;
  /** How long it took. */
  timing_ms: TimingMs;
  /** The mood of the thread, where there are earlier messages of the customer. */
  trend?: Trend;
  /** How soon somebody should look. */
  urgency?: UrgencyLevel;
  /** What raised or lowered it. */
  urgency_reasons?: Array<Cue>;
  /** What made this answer. */
  versions: Versions;
};

/** The answer to `items`: one for each, in order. */
export type ClassifyAnswers = {
  /** The answers. */
  items: Array<ItemAnswer>;
  /** From the request's arrival to the answer, in milliseconds. */
  total_ms: number;
};

/** A text, a message or a thread: one of `text`, `html`, `subject` and `messages` is needed. */
export type ClassifyItem = {
  from?: Sender | null;
  /** Earlier messages, the latest last: texts, or `{role, text}`. */
  history?: Array<Turn> | null;
  /** HTML instead of `text`; quotes and signature are cut off, and what was read is answered as `text`. */
  html?: string | null;
  /** Comes back with the answer. */
  id?: string | number;
  /** A thread: its last message of a customer is classified, what was said before it is its history. */
  messages?: Array<ThreadMessage> | null;
  /** The subject line. */
  subject?: string | null;
  /** The text, without quoted messages and signature. */
  text?: string | null;
  /** The writer is somebody whose messages come first; over the option of the same name. */
  vip?: boolean | null;
};

/** Options for all items. */
export type ClassifyOptions = {
  /** What to answer; all but `evidence` if absent. */
  outputs?: Array<Output> | null;
  taxonomy?: TaxonomyOption | null;
  /** The writers are people whose messages come first: their urgency is a step higher. */
  vip?: boolean | null;
};

/** The answer: one item's, or one for each of several. */
export type ClassifyReply = ClassifyAnswer | ClassifyAnswers;

/** The body of `POST /v1/classify`: one item's fields, or `items`, with options for all of them. */
export type ClassifyRequest = ClassifyItem | null & ClassifyOptions | null & {
  /** Several items, instead of an item's fields. */
  items?: Array<ClassifyItem> | null;
};

/** Words or facts that moved a decision. `words` are from our own lists, never free text of the message. */
export type Cue = {
  /** The family, such as `deadline` or `instruction_override`. */
  kind: string;
  /** The listed words that matched, such as `ignore … instructions`. */
  words: string;
};

/** A time by which the writer wants something. */
export type Deadline = TextSpan & {
  /** The listed words that matched, such as `by … tomorrow`. */
  words: string;
};

/** What became of a delivery. */
export type Delivery = {
  /** So far. */
  attempts: number;
  /** Why the last attempt failed. */
  error: string | null;
  event: EventId;
  /** When it is tried again. */
  next_at: string | null;
  /** The event's number. */
  seq: number;
  /** `pending`, `delivered`, `failed` or `dropped`. */
  state: string;
  /** Of the last answer. */
  status: number | null;
  /** How long the last attempt took, in milliseconds. */
  took_ms: number | null;
  /** The event's type. */
  type: string;
  updated_at: string;
};

/** Deliveries, newest first. */
export type DeliveryList = {
  items: Array<Delivery>;
  /** For the next page's `cursor`; null at the end. */
  next: string | null;
};

/** A SHA-256, 64 lower-case hex digits. */
export type Digest = string;

/** From the customer, or a reply that went out through somebody else's hands. */
export type Direction = "in" | "out";

/** A draft; its texts are masked. */
export type Draft = {
  /** Other texts that would do. */
  alternatives: Array<string>;
  /** What made it: a drafter's id, `person:` and a user's id, or `none`. */
  author: string;
  /** How likely it is that the passages support all of it, 0 to 1. */
  grounding: number | null;
  /** ISO 639-1. */
  language: string | null;
  sentences: Array<DraftSentence>;
  subject: string;
  text: string;
  tone: string | null;
  /** Questions of the customer without an answer. */
  unanswered: Array<string>;
};

/** A draft; its revisions are numbered from 1. */
export type DraftId = string;

/** A sentence of a draft. */
export type DraftSentence = {
  /** Numbers of passages, from 1. */
  citations: Array<number>;
  /** How well the passages support it, 0 to 1. */
  score: number;
  text: string;
  /** `supported`, `inferred`, `unsupported` or `contradicted`; null for a greeting. */
  verdict: string | null;
};

/** Another text. */
export type Edit = {
  /** Signs it at once. */
  approve?: boolean;
  /** The `revision` of the review as it was seen. */
  revision: number;
  /** Another subject. */
  subject?: string | null;
  /** What is to be sent; placeholders stand for their values. */
  text: string;
};

/** An endpoint that events are posted to. */
export type EndpointId = string;

/** The name of a type, such as `EMAIL_ADDRESS`; Presidio's names are used where it has one. */
export type Entity = string;

/** A row of the audit log, or an event for those who listen. */
export type EventId = string;

/** An event that is on its way. */
export type EventRef = {
  event: EventId;
};

/** What a draft is grounded in. */
export type Evidence = {
  draft: DraftId;
  /** By their numbers in the draft, from 1. */
  passages: Array<Passage>;
  /** Of the prompt that made the draft. */
  prompt_hash: string | null;
  review: ReviewId;
};

/** Which of a message's texts a span lies in. */
export type Field = "text" | "subject";

/** Whether the text tries to give orders to the model that will draft the reply. */
export type Injection = {
  /** The words that moved it, where asked for. */
  evidence?: Array<WordEvidence>;
  /** The score passed the threshold. */
  flagged: boolean;
  /** Which words gave it away; empty when only the embedding did. */
  reasons?: Array<Cue>;
  /** Probability-like score, 0 to 1. */
  score: Probability;
};

/** What the writer wants. */
export type Intent = Routing & {
  /** The head is not sure enough: a person should choose. */
  abstained: boolean;
  abstained_reason?: Abstention | null;
  /** The runners-up, likeliest first, at most three. */
  alternatives: Array<Scored>;
  /** Calibrated probability of `label`. */
  confidence: Probability;
  /** The words that moved it, where asked for. */
  evidence?: Array<WordEvidence>;
  /** The label was taken from the thread, because the message alone says too little. */
  from_thread?: boolean;
  /** The likeliest intent, even when abstained (callers route on `abstained`, not on the label). */
  label: IntentLabel;
  parent?: Scored | null;
};

/** The name of an intent, from the taxonomy or from the labels a head was trained on. */
export type IntentLabel = string;

/** An item's answer, or why there is none. */
export type ItemAnswer = ClassifyAnswer | ItemError;

/** An item that could not be classified. */
export type ItemError = {
  /** What is wrong. */
  error: ItemProblem;
  /** Comes back with the answer. */
  id?: string | number;
  /** Its place among the items, from 0. */
  index?: number;
  /** The line's number, from 1, in a stream. */
  line?: number;
};

/** Problem details (RFC 9457) of one item. */
export type ItemProblem = {
  /** The stable code. */
  code: string;
  /** A sentence for people. */
  detail: string;
  /** JSON pointer of what is wrong: from the body's root, in a stream from the line's. */
  pointer?: string;
  /** The status that a request with this item alone has. */
  status: number;
  /** `urn:countersign:problem:` and the code. */
  type: string;
};

/** A label of a caller's own. */
export type LabelOption = {
  /** What it means; read like an example. */
  description?: string | null;
  /** 2 to 50 texts of people who mean it, of up to 2 KiB. */
  examples: Array<string>;
  /** Its name, up to 64 bytes. */
  name: string;
};

/** The language of the text. */
export type Language = {
  /** ISO 639-1, or `und`. */
  language: LanguageCode;
  /** How sure; 0 for `und`. */
  language_confidence: Probability;
};

/** An ISO 639-1 code, or `und` when the text gives no hold. */
export type LanguageCode = string;

/** The answer: one, or one for each item. */
export type MaskAnswer = Masked | MaskedItems;

/** Why an item was not masked. */
export type MaskError = {
  /** `bad_item` or `not_masked`. */
  code: string;
  /** For people. */
  detail: string;
};

/** One of `text` and `json`. */
export type MaskItem = {
  /** Comes back with the answer. */
  id?: unknown;
  json?: unknown;
  /** ISO 639-1 code. */
  language?: string | null;
  text?: string | null;
  /** Items with the same thread number their values together. */
  thread?: string | null;
};

/** What to mask: one of `text`, `json` and `items`, with settings for all of it. */
export type MaskRequest = {
  /** Types to look for. */
  entities?: Array<Entity> | null;
  /** Give the reasons. */
  explain?: boolean;
  /** Comes back with the answer. */
  id?: unknown;
  items?: Array<MaskItem> | null;
  /** Any document; its strings and numbers are masked, its keys stay. */
  json?: unknown;
  /** ISO 639-1 code. */
  language?: string | null;
  /** Finds below this score are left alone; has no effect below the configured minimum. */
  min_score?: number;
  /** Operators by type, `*` for all others, over the configured ones. */
  operators?: Record<string, string>;
  text?: string | null;
  /** Give the values, as restoring needs them. */
  values?: boolean;
};

/** A masked text or document. */
export type Masked = {
  /** As it was given. */
  id?: unknown;
  /** The text, or the document in its shape. */
  masked: unknown;
  spans: Array<MaskedSpan>;
};

/** An item's answer. */
export type MaskedItem = Masked | BadItem;

/** The answer to `items`, in their order. */
export type MaskedItems = {
  items: Array<MaskedItem>;
};

/** What was masked, and where. `start` and `end` are code points of the text that was given, `masked_start` and `masked_end` of the masked one. */
export type MaskedSpan = {
  /** Before context was looked at, if `explain` was set. */
  base_score?: number;
  /** The words nearby that raised the score, if `explain` was set. */
  context?: unknown;
  end: number;
  masked_end: number;
  masked_start: number;
  /** Set where a number of a document was replaced by a string. */
  number?: boolean;
  /** A JSON pointer (RFC 6901) to the string or number, in documents. */
  path?: string;
  /** What stands there now. */
  placeholder: string;
  recognizer: string;
  /** How sure the recognizer is, 0 to 1. */
  score: number;
  start: number;
  /** The value, if `values` was set. */
  text?: string;
  /** The type, such as `EMAIL_ADDRESS`. */
  type: Entity;
  /** What checked the value, if `explain` was set. */
  validator?: unknown;
};

/** Something in the message that a colleague would underline: an order number, a product, an amount. */
export type Mention = TextSpan & {
  /** The product's name in the taxonomy. */
  name?: string | null;
  /** The type: `ORDER_NUMBER`, `AMOUNT`, `DATE_TIME`, `PRODUCT`, or that of a placeholder. */
  type: string;
};

/** A message; its texts are masked. */
export type Message = {
  analysis: Analysis | null;
  attachments: Array<AttachmentView>;
  /** The kind of automatic message it is. */
  auto: string | null;
  channel: ChannelId;
  direction: Direction;
  id: MessageId;
  /** What was odd about it, in words. */
  oddities: Array<string>;
  parent: MessageId | null;
  /** What it quotes. */
  quoted: string | null;
  received_at: string;
  /** Counts edits, from 1. */
  revision: number;
  sender: string | null;
  /** When it says it was sent. */
  sent_at: string | null;
  signature: string | null;
  /** `received`, `understood`, `filed` (not answered) or `deleted`. */
  state: string;
  subject: string | null;
  /** What the customer wrote, without quoted history and signature. */
  text: string | null;
  thread: ThreadId | null;
};

/** One received or sent message. */
export type MessageId = string;

/** The body: one label or more. */
export type MessageLabels = {
  /** Whether it tries to instruct the model. */
  injection?: boolean | null;
  /** An intent of the taxonomy. */
  intent?: string | null;
  /** `very_negative`, `negative`, `neutral`, `positive` or `very_positive`. */
  sentiment?: string | null;
  /** `ham`, `spam`, `phishing` or `abuse`. */
  spam?: string | null;
  /** `low`, `normal`, `high` or `critical`. */
  urgency?: string | null;
};

/** A head that was learnt from corrections. */
export type ModelId = string;

/** Heads, the newest first. */
export type ModelList = {
  items: Array<ModelSummary>;
  /** There is one page only. */
  next: string | null;
};

/** A head that was learnt from corrections. */
export type ModelSummary = {
  /** When its state changed last. */
  changed_at: string;
  created_at: string;
  /** Whose states it reads. */
  encoder: string;
  id: ModelId;
  /** As `versions.heads` says it. */
  name: string;
  parent: ModelId | null;
  /** `proposed`, `promoted`, `retired` or `rejected`. */
  state: string;
  /** What it decides. */
  task: string;
};

/** A head with its judgement. */
export type ModelView = ModelSummary & {
  /** What speaks against promoting it now; empty for one that may be, or that runs. */
  against: Array<string>;
  /** SHA-256 over what it was fitted on. */
  data_sha256: string;
  /** Against what ran when it was judged, and on its own rows. */
  metrics: Record<string, unknown>;
};

/** An article to add, or to put in the place of the one of the same source. */
export type NewArticle = {
  format?: ArticleFormat;
  /** Where it comes from: a path or URL. */
  source: string;
  /** At most 2 MiB. */
  text: string;
  /** Its title; taken from the text or the source unless given. */
  title?: string | null;
};

/** The body of `POST /v1/messages` and of the generic webhook's `data`: a message, or a raw MIME message in base64. */
export type NewMessage = {
  /** Copies. */
  cc?: Array<Party>;
  /** The channel's slug. The webhook takes it from its path. */
  channel?: string | null;
  /** `in` (default), or `out` for a reply that was sent elsewhere. */
  direction?: Direction;
  /** A whole RFC 5322 message in base64; excludes the fields above except `channel`, `external_id`, `thread` and `direction`. */
  eml_b64?: string | null;
  /** The channel's own id of this message; what duplicates are found by. With `eml_b64` it may be left out (the Message-ID is taken, or one is derived from the content). */
  external_id?: string | null;
  from?: Party | null;
  /** HTML, when there is no plain text. */
  html?: string | null;
  /** External ids of the messages that this one answers, newest last. */
  references?: Array<string>;
  /** When it was sent: RFC 3339, RFC 5322 or epoch seconds or milliseconds. */
  sent_at?: string | null;
  /** The subject line. */
  subject?: string | null;
  /** Plain text. */
  text?: string | null;
  /** The platform's own id of the conversation. */
  thread?: string | null;
  /** The recipients. */
  to?: Array<Party>;
};

/** The body of `POST /v1/webhooks`. */
export type NewWebhook = {
  /** Types of events; all if it is left out or empty. */
  events?: Array<string>;
  /** Where to post: http or https, a public address. */
  url: string;
};

/** No settings. */
export type Nothing = Record<string, never>;

/** What can be asked for. */
export type Output = "intent" | "sentiment" | "urgency" | "language" | "spam" | "injection" | "auto_reply" | "risk" | "trend" | "deadlines" | "entities" | "summary" | "evidence";

/** A correspondent: address as the channel gave it, and a display name. Debug shows neither. */
export type Party = {
  /** E-mail address, phone number or handle. */
  address: string;
  /** Display name. */
  name?: string | null;
};

/** A passage as stored: the evidence as it was. */
export type Passage = {
  /** The chunk. */
  id: string;
  /** The search's score. */
  score: number;
  /** The article. */
  source: string;
  /** Its text. */
  text: string;
  /** Its title. */
  title: string;
};

export type Polarity = number;

export type Probability = number;

/** Why a request was refused (RFC 9457). Some problems have more members. */
export type Problem = {
  /** Stable; what programs go by. */
  code: string;
  /** For people. */
  detail: string;
  status: number;
  /** The status in words. */
  title: string;
  /** A URN that ends in the code. */
  type: string;
};

/** What a promotion may say. */
export type Promotion = {
  /** Why it is promoted although something speaks against it; kept in the audit log. */
  reason?: string | null;
};

/** Why. */
export type Reason = {
  /** For the audit log. */
  reason?: string | null;
};

/** A review with its draft. */
export type Review = ReviewSummary & {
  /** Of exactly what would be sent; approving needs it. */
  digest: Digest;
  draft: Draft;
};

/** One item of the review queue. */
export type ReviewId = string;

/** Reviews, the most urgent first. */
export type ReviewList = {
  items: Array<ReviewSummary>;
  /** For the next page's `cursor`; null at the end. */
  next: string | null;
};

/** A review of a conversation. */
export type ReviewRef = {
  id: ReviewId;
  state: ReviewState;
};

/** Where a review stands. */
export type ReviewState = "no_match" | "pending" | "approved" | "held" | "sending" | "sent" | "failed" | "unknown" | "rejected" | "superseded" | "escalated" | "filed";

/** A review in a list. */
export type ReviewSummary = {
  assigned_to: UserId | null;
  /** Why a person must look twice: `injection`, `ungrounded`, `unanswered`, `attachment_refused` … */
  attention: Array<string>;
  claim_until: string | null;
  claimed_by: UserId | null;
  created_at: string;
  draft_revision: number;
  /** When it goes out; until then it can be undone. */
  hold_until: string | null;
  id: ReviewId;
  /** The message that it answers. */
  message: MessageId;
  /** Why there is no draft: `no_passages`, `low_score`, `not_answered`, `draft_failed`, `unreadable` or `no_sender`. */
  no_match_reason: string | null;
  /** Why it ended as it did. */
  outcome: string | null;
  /** 0 low, 1 normal, 2 high, 3 critical. */
  priority: number;
  /** Counts changes; an edit says which one it saw. */
  revision: number;
  snoozed_until: string | null;
  state: ReviewState;
  thread: ThreadId;
  updated_at: string;
};

/** How likely the writer is to lose patience or to leave. */
export type Risk = {
  /** Anger, 0 to 1. */
  anger: Probability;
  /** Leaving, 0 to 1. */
  churn: Probability;
};

/** Who wrote a message of a thread. */
export type Role = "customer" | "agent";

/** Which head to take back. */
export type Rollback = {
  /** Go back to the built-in head, whatever ran before. */
  builtin?: boolean;
  /** What the head decides. */
  task: string;
};

/** What was taken back and what runs now. */
export type RolledBack = {
  retired: ModelSummary;
  runs: ModelSummary | null;
};

/** What the taxonomy says should be done with a message of this intent. */
export type Routing = {
  /** Whether the team allows an answer without a person. */
  may_be_automated?: boolean;
  priority?: UrgencyLevel | null;
  /** The queue that shows it. */
  queue?: string | null;
  /** Within what time it should be answered, as `4h` or `1d 12h`. */
  sla?: string | null;
  /** How a draft should sound. */
  tone?: string | null;
};

/** A label with its probability. */
export type Scored = {
  /** Calibrated probability of this intent. */
  confidence: Probability;
  /** The intent. */
  label: IntentLabel;
};

/** Who wrote a message. */
export type Sender = string | {
  /** The address. */
  address?: string | null;
  /** The display name. */
  name?: string | null;
};

/** The writer's mood. */
export type Sentiment = {
  /** Probability of `label`. */
  confidence: Probability;
  /** The words that moved it, where asked for. */
  evidence?: Array<WordEvidence>;
  /** The likeliest of five steps. */
  label: SentimentLabel;
  /** Expected mood, -1 to 1. */
  score: Polarity;
};

export type SentimentLabel = "very_negative" | "negative" | "neutral" | "positive" | "very_positive";

/** What somebody found out. */
export type Settle = {
  /** Whether the reply arrived. */
  arrived: boolean;
};

/** Until when. */
export type Snooze = {
  /** RFC 3339, within a year. */
  until: string;
};

/** Whether the message is worth a person's time. */
export type Spam = {
  /** The words that moved it, where asked for. */
  evidence?: Array<WordEvidence>;
  /** The decision; anything but `ham` needed a high score. */
  label: SpamLabel;
  /** Probability that the message is not ham. */
  score: Probability;
};

export type SpamLabel = "ham" | "spam" | "phishing" | "abuse";

/** What came of a message. */
export type Taken = {
  id: MessageId;
  /** `received` for a new one, `duplicate` for one that was there, `edited`; for webhooks also the delivery's type, or `outdated` when a later change had been applied already. */
  result: string;
};

/** Whose intents. */
export type TaxonomyOption = string | {
  /** 2 to 64 labels. */
  labels: Array<LabelOption>;
};

/** A part of the message in code points, half open, without its words. */
export type TextSpan = {
  /** One past the last code point. */
  end: number;
  /** The text that it is a part of. */
  field?: Field;
  /** First code point. */
  start: number;
};

/** A conversation. */
export type ThreadId = string;

/** Conversations, newest first. */
export type ThreadList = {
  items: Array<ThreadSummary>;
  /** For the next page's `cursor`; null at the end. */
  next: string | null;
};

/** A message of a thread. */
export type ThreadMessage = {
  /** When (RFC 3339); if all messages have it, they are put in order. */
  at?: string | null;
  /** Who wrote it. */
  role: Role;
  /** What. */
  text: string;
};

/** A conversation in a list. */
export type ThreadSummary = {
  channel: ChannelId;
  id: ThreadId;
  /** When its newest message came. */
  last_at: string;
  /** Masked. */
  subject: string;
};

/** A conversation. */
export type ThreadView = {
  channel: ChannelId;
  created_at: string;
  id: ThreadId;
  last_at: string;
  /** Oldest first. */
  messages: Array<Message>;
  related: ThreadId | null;
  reviews: Array<ReviewRef>;
};

/** How long it took, in milliseconds. */
export type TimingMs = {
  /** The encoder, together with the others of its batch. */
  encode: number;
  /** Everything else that reads it, together with the others of its batch. */
  heads: number;
  /** Waiting in the queue. */
  queue: number;
  /** From the request's arrival to its answer. */
  total: number;
};

/** Messages that belong together and have no intent. */
export type Topic = {
  /** How near they are to their middle, as a mean (a cosine). */
  cohesion: number;
  /** Those nearest to the middle. */
  examples: Array<TopicExample>;
  /** How many messages. */
  size: number;
  /** Words that set them apart, the most telling first. */
  words: Array<string>;
};

/** A message of a topic. */
export type TopicExample = {
  message: MessageId;
  /** How it begins, masked. */
  text: string;
};

/** Topics, the largest first. */
export type TopicList = {
  items: Array<Topic>;
  /** Messages without an intent that were looked at. */
  messages: number;
  /** There is one page only. */
  next: string | null;
};

/** The mood of a thread's messages over time. */
export type Trend = {
  /** Where it is going. */
  direction: TrendDirection;
  /** Change of the score from one message to the next: the slope of the line through them by least squares, held to -1..=1. */
  slope: Polarity;
};

export type TrendDirection = "improving" | "steady" | "worsening";

/** An earlier message. */
export type Turn = string | {
  /** Whose it is. */
  role?: string | null;
  /** Its text. */
  text: string;
};

/** How soon somebody should look, and why. */
export type Urgency = {
  /** The level. */
  urgency: UrgencyLevel;
  /** What raised or lowered it. */
  urgency_reasons?: Array<Cue>;
};

export type UrgencyLevel = "low" | "normal" | "high" | "critical";

/** A person with a login. */
export type UserId = string;

/** What made an analysis, so that it can be explained and repeated. */
export type Versions = {
  /** The encoder's id. */
  encoder: string;
  /** Content hash of the example files and phrase lists of the built-in heads. */
  heads: string;
  /** Content hash of the taxonomy, or the name of a trained intent head. */
  taxonomy: string;
};

/** An endpoint. */
export type Webhook = {
  created_at: string;
  disabled_at: string | null;
  /** `gone` (it answered 410), `failing` (for too long) or `by_hand`. */
  disabled_reason: string | null;
  enabled: boolean;
  /** Types of events; empty for all. */
  events: Array<string>;
  failing_since: string | null;
  /** Failures in a row. */
  failures: number;
  /** Scheme, host and port. */
  host: string;
  id: EndpointId;
  /** After no answer, 408, 425, 429 or 5xx: nothing is posted before then. */
  rest_until: string | null;
  /** The signing secret; in the answer that made it, nowhere else. */
  secret?: string;
};

/** The body of `PATCH /v1/webhooks/{id}`; what is left out stays. */
export type WebhookChange = {
  /** Switch it on or off. */
  enabled?: boolean | null;
  /** Types of events; an empty list for all. */
  events?: Array<string> | null;
  /** Make a new secret. The one before signs too until the next change of this kind. */
  rotate_secret?: boolean;
  /** Where to post. */
  url?: string | null;
};

/** Webhooks. */
export type WebhookList = {
  items: Array<Webhook>;
  /** There is one page only. */
  next: string | null;
};

/** A delivery. */
export type WebhookPayload = {
  /** Without `channel`. */
  data: NewMessage;
  /** When it happened, as the platform knows it: RFC 3339, or an epoch time as text or number. */
  timestamp?: unknown;
  /** `message.created`, `message.edited`, `message.deleted` or `reply.sent`. */
  type: string;
};

/** A word that moved a decision. */
export type WordEvidence = TextSpan & {
  /** How much it spoke for the label given (above 0) or against it, as a share of what all words said: -1 to 1. */
  weight: Polarity;
};
