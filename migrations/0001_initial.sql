-- One portable schema for SQLite and PostgreSQL: TEXT, BIGINT, DOUBLE PRECISION, BLOB only.
-- Ids are UUIDv7 text (or keyed hashes, where the comment says so), times are epoch microseconds,
-- booleans are BIGINT 0/1. Every key begins with the tenant. Columns named *_sealed hold AEAD
-- ciphertext (key per tenant and data subject), columns named *_hash hold keyed hashes (HMAC).
-- On PostgreSQL `blob` is a domain over bytea that the store creates before the first migration.

create table tenant (
  id text not null primary key,
  slug text not null unique,
  created_at bigint not null,
  -- Touched to serialise what must be serial within a tenant (threading, the audit chain).
  turn bigint not null default 0,
  -- The change sequence that search indexes follow.
  change_seq bigint not null default 0
);

create table data_key (
  tenant_id text not null references tenant (id),
  subject_id text not null,           -- a contact's id, or 'tenant'
  wrapped blob not null,              -- the data key, wrapped by the tenant's key
  created_at bigint not null,
  primary key (tenant_id, subject_id)
);

create table contact (
  tenant_id text not null references tenant (id),
  id text not null,                   -- keyed hash of (channel kind, normalised address)
  kind text not null,
  address_sealed blob not null,
  name_sealed blob,
  created_at bigint not null,
  primary key (tenant_id, id)
);

create table channel (
  tenant_id text not null references tenant (id),
  id text not null,
  slug text not null,
  kind text not null,                 -- email | sms | whatsapp | messenger | chat | webhook | sandbox
  adapter text not null,              -- what sends: sandbox | webhook | none
  config text not null,               -- JSON without secrets
  secrets_sealed blob,                -- JSON list of signing secrets, newest first
  created_at bigint not null,
  disabled_at bigint,
  primary key (tenant_id, id),
  unique (tenant_id, slug)
);

create table message (
  tenant_id text not null references tenant (id),
  id text not null,
  channel_id text not null,
  external_hash text not null,        -- keyed hash of the channel's own id: deduplication
  external_sealed blob not null,
  body_hash text not null,            -- keyed hash of what was received: same id, other body = 409
  direction text not null,            -- in | out
  state text not null,                -- received | understood | filed | deleted
  subject_id text not null,           -- whose data key seals this row
  format text not null,               -- mime | json
  raw_sealed blob not null,
  received_at bigint not null,
  sent_at bigint,
  revision bigint not null default 1,
  thread_id text,
  parent_id text,
  thread_seq bigint,
  subject_masked text,
  visible_masked text,
  quoted_masked text,
  signature_masked text,
  spans_sealed blob,                  -- every span's own surface form, JSON
  sender_masked text,                 -- the sender's name or address as placeholders
  auto_kind text,                     -- none | auto_reply | bounce | list
  oddities text,                      -- JSON list of short remarks
  reply_to_differs bigint not null default 0,
  primary key (tenant_id, id),
  unique (tenant_id, channel_id, external_hash),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
create index message_thread on message (tenant_id, thread_id, thread_seq);
create index message_state on message (tenant_id, state, id);

create table attachment (
  tenant_id text not null,
  id text not null,
  message_id text not null,
  name_sealed blob not null,
  content_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  allowed bigint not null,
  reason text,
  primary key (tenant_id, id),
  foreign key (tenant_id, message_id) references message (tenant_id, id)
);
create index attachment_message on attachment (tenant_id, message_id);

create table thread (
  tenant_id text not null references tenant (id),
  id text not null,
  channel_id text not null,
  contact_id text,                    -- the customer
  external_hash text,                 -- keyed hash of the platform's thread id
  subject_hash text,                  -- keyed hash of the normalised subject
  subject_masked text,
  related_id text,                    -- a thread it was split from, shown as a link
  head_id text,                       -- the newest message
  head_seq bigint not null default 0, -- moves with what a reply has to take note of
  last_seq bigint not null default 0, -- numbers messages, filed ones too
  created_at bigint not null,
  last_at bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
create index thread_external on thread (tenant_id, channel_id, external_hash);
create index thread_subject on thread (tenant_id, channel_id, subject_hash, last_at);

create table participant (
  tenant_id text not null,
  thread_id text not null,
  contact_id text not null,
  primary key (tenant_id, thread_id, contact_id),
  foreign key (tenant_id, thread_id) references thread (tenant_id, id)
);

-- Every Message-ID that a thread holds or refers to; the first thread to name one keeps it.
create table thread_ref (
  tenant_id text not null,
  channel_id text not null,
  ref_hash text not null,
  thread_id text not null,
  message_id text,
  primary key (tenant_id, channel_id, ref_hash),
  foreign key (tenant_id, thread_id) references thread (tenant_id, id)
);

create table vault_entry (
  tenant_id text not null,
  id text not null,                   -- keyed hash of (thread, type, normalised value): 16 hex digits
  thread_id text not null,
  entity text not null,
  value_hash text not null,           -- keyed hash of (type, normalised value): equal across threads
  surface_sealed blob not null,       -- the first surface form
  subject_id text not null,
  ordinal bigint not null,            -- order of first appearance within the thread
  created_at bigint not null,
  primary key (tenant_id, thread_id, id),
  foreign key (tenant_id, thread_id) references thread (tenant_id, id)
);

create table analysis (
  tenant_id text not null,
  message_id text not null,
  intent text not null,
  intent_confidence double precision not null,
  abstained bigint not null,
  sentiment text not null,
  sentiment_score double precision not null,
  urgency text not null,
  language text not null,
  spam text not null,
  injection_flagged bigint not null,
  detail text not null,               -- the whole analysis with versions, JSON
  created_at bigint not null,
  primary key (tenant_id, message_id),
  foreign key (tenant_id, message_id) references message (tenant_id, id)
);

create table article (
  tenant_id text not null references tenant (id),
  id text not null,
  title text not null,
  source text not null,               -- a path or URL; the same source replaces the article
  body text not null,
  sha256 text not null,
  language text not null,
  created_at bigint not null,
  updated_at bigint not null,
  deleted_at bigint,
  primary key (tenant_id, id),
  unique (tenant_id, source)
);

create table chunk (
  tenant_id text not null references tenant (id),
  id text not null,
  kind text not null,                 -- message | article
  source_id text not null,
  seq bigint not null,                -- position within the source
  start_at bigint not null,           -- byte offsets into the source's text
  end_at bigint not null,
  body text not null,                 -- masked (message) or public (article) text
  embedding blob not null,            -- little-endian f32
  encoder text not null,
  change_seq bigint not null,         -- when it came (or went): what indexes follow
  deleted bigint not null default 0,
  primary key (tenant_id, id)
);
create index chunk_change on chunk (tenant_id, change_seq);
create index chunk_source on chunk (tenant_id, kind, source_id);

create table draft (
  tenant_id text not null,
  id text not null,
  revision bigint not null,           -- rows are immutable; an edit is the next revision
  thread_id text not null,
  author text not null,               -- extractive | model:… | person:<user id>
  body_masked text not null,
  detail text not null,               -- sentences, citations, verdicts, tone, unanswered: JSON, masked
  passages text not null,             -- the evidence as it was: JSON
  prompt_hash text,
  spans_sealed blob,
  created_at bigint not null,
  primary key (tenant_id, id, revision),
  foreign key (tenant_id, thread_id) references thread (tenant_id, id)
);

create table review (
  tenant_id text not null,
  id text not null,
  thread_id text not null,
  message_id text not null,           -- the customer message that it answers
  head_seq bigint not null,           -- the thread's head when the draft was made
  state text not null,
  draft_id text not null,
  draft_revision bigint not null,
  revision bigint not null default 1, -- optimistic lock over everything below
  approval_id text,
  attention text not null,            -- JSON list of reasons why a person must look twice
  no_match_reason text,
  outcome text,                       -- why it failed, was rejected, superseded, escalated
  priority bigint not null,           -- 0 low … 3 critical
  claimed_by text,
  claim_until bigint,
  assigned_to text,
  snoozed_until bigint,
  hold_until bigint,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, thread_id) references thread (tenant_id, id),
  foreign key (tenant_id, draft_id, draft_revision) references draft (tenant_id, id, revision)
);
create index review_state on review (tenant_id, state, created_at, id);
create index review_thread on review (tenant_id, thread_id);
-- At most one reply of a thread is on its way through review at a time.
create unique index review_live on review (tenant_id, thread_id)
  where state in ('no_match', 'pending', 'approved', 'held', 'escalated');

create table approval (
  tenant_id text not null,
  id text not null,
  review_id text not null,
  digest text not null,               -- SHA-256 of the canonical JSON, 64 hex digits
  live bigint not null check (live in (0, 1)),
  approver_kind text not null,        -- person | policy
  approver text not null,             -- a user's id, or the policy's version
  signed_sealed blob not null,        -- the canonical JSON that was signed
  subject_id text not null,
  created_at bigint not null,
  voided_at bigint,
  void_reason text,
  primary key (tenant_id, id),
  unique (tenant_id, id, digest, live),
  foreign key (tenant_id, review_id) references review (tenant_id, id)
);
create unique index approval_live on approval (tenant_id, review_id) where live = 1;

-- The promise in the database itself: a send row needs a live approval of the same digest, and
-- while it stands that approval cannot be voided.
create table send (
  tenant_id text not null,
  id text not null,
  approval_id text not null,
  digest text not null,
  live bigint not null check (live = 1),
  channel_id text not null,
  recipient_hash text not null,
  review_id text not null,
  state text not null,                -- sending | sent | failed | unknown
  provider_ref text,
  segments bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant_id, id),
  unique (tenant_id, approval_id, channel_id, recipient_hash),
  foreign key (tenant_id, approval_id, digest, live) references approval (tenant_id, id, digest, live),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
create index send_state on send (tenant_id, state);

create table send_attempt (
  tenant_id text not null,
  send_id text not null,
  n bigint not null,
  started_at bigint not null,
  finished_at bigint,
  outcome text,                       -- receipt | not_processed | refused | unknown
  detail text,
  primary key (tenant_id, send_id, n),
  foreign key (tenant_id, send_id) references send (tenant_id, id)
);

-- What the sandbox channel delivered: the local outbox that the page shows.
create table sandbox_delivery (
  tenant_id text not null,
  send_id text not null,
  subject_id text not null,
  content_sealed blob not null,       -- JSON {to, subject, body}
  delivered_at bigint not null,
  primary key (tenant_id, send_id),
  foreign key (tenant_id, send_id) references send (tenant_id, id)
);

create table rate_bucket (
  tenant_id text not null,
  channel_id text not null,
  sender text not null,
  tokens double precision not null,
  updated_at bigint not null,
  primary key (tenant_id, channel_id, sender)
);

create table job (
  tenant_id text not null references tenant (id),
  id text not null,
  kind text not null,                 -- understand | answer | send
  ref_id text not null,               -- message | thread | approval
  state text not null,                -- ready | running | done | dead
  run_at bigint not null,
  attempt bigint not null default 0,
  snoozes bigint not null default 0,
  token text,
  owner text,
  lease_until bigint,
  last_error text,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant_id, id)
);
create index job_ready on job (run_at, tenant_id) where state = 'ready';
create index job_running on job (lease_until) where state = 'running';
create index job_ref on job (tenant_id, kind, ref_id);

-- Rows commit with what they describe; audit_link chains them afterwards, one sequencer a tenant.
create table audit_event (
  tenant_id text not null references tenant (id),
  id text not null,
  at bigint not null,
  actor text not null,                -- user:<id> | key:<id> | system | policy:<version>
  action text not null,
  object text not null,               -- <kind>:<id>
  detail text not null,               -- canonical JSON; never body text
  primary key (tenant_id, id)
);

create table audit_link (
  tenant_id text not null,
  seq bigint not null,
  event_id text not null,
  hash text not null,                 -- SHA-256(previous hash || canonical event)
  primary key (tenant_id, seq),
  unique (tenant_id, event_id),
  foreign key (tenant_id, event_id) references audit_event (tenant_id, id)
);
create index audit_object on audit_event (tenant_id, object, id);

create table app_user (
  tenant_id text not null references tenant (id),
  id text not null,
  name text not null,
  password_hash text not null,        -- argon2id, PHC string
  role text not null,                 -- reviewer | lead | admin
  created_at bigint not null,
  disabled_at bigint,
  primary key (tenant_id, id),
  unique (tenant_id, name)
);

create table session (
  tenant_id text not null,
  id_hash text not null,              -- SHA-256 of the cookie's value
  user_id text not null,
  csrf text not null,
  created_at bigint not null,
  expires_at bigint not null,
  primary key (id_hash),
  foreign key (tenant_id, user_id) references app_user (tenant_id, id)
);

create table api_key (
  tenant_id text not null references tenant (id),
  id text not null,
  name text not null,
  hash text not null unique,          -- SHA-256 of the whole key
  user_id text,                       -- whose hands it acts with; reviewing needs a person
  scopes text not null,               -- space separated
  created_at bigint not null,
  expires_at bigint,
  revoked_at bigint,
  last_used_at bigint,
  primary key (tenant_id, id)
);

create table idempotency (
  tenant_id text not null references tenant (id),
  key_hash text not null,
  request_hash text not null,
  status bigint not null,             -- 0 while the first request runs
  body text not null,                 -- masked or ids only
  created_at bigint not null,
  primary key (tenant_id, key_hash)
);

create table hook_delivery (
  tenant_id text not null,
  channel_id text not null,
  webhook_id_hash text not null,
  body_hash text not null,
  received_at bigint not null,
  primary key (tenant_id, channel_id, webhook_id_hash),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);

create table import_checkpoint (
  tenant_id text not null references tenant (id),
  source_hash text not null,          -- keyed hash of the absolute path and channel
  position bigint not null,           -- items taken so far
  fingerprint text not null,          -- what the source looked like (size, mtime of the first bytes)
  updated_at bigint not null,
  primary key (tenant_id, source_hash)
);
