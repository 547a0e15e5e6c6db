-- What happened, for those who listen: written in the transaction of what it describes, numbered
-- afterwards by one sequencer a tenant, so that numbers come in the order in which they can be seen.
-- Holds ids, labels and masked text only.
create table event (
  tenant_id text not null references tenant (id),
  id text not null,
  seq bigint,                         -- null until it is numbered
  kind text not null,                 -- message.received, message.classified, review.created …
  object text not null,               -- <kind>:<id> of what it is about
  data text not null,                 -- JSON
  created_at bigint not null,
  primary key (tenant_id, id)
);
create unique index event_seq on event (tenant_id, seq);
create index event_new on event (tenant_id, id) where seq is null;
create index event_object on event (tenant_id, object);

-- Locked by whoever numbers a tenant's events or plans deliveries of them.
create table event_head (
  tenant_id text not null primary key references tenant (id),
  last_seq bigint not null,           -- the newest number given
  pruned_seq bigint not null          -- the newest number forgotten
);

create table webhook_endpoint (
  tenant_id text not null references tenant (id),
  id text not null,
  sealed blob not null,               -- JSON {url, secrets}: a URL may hold a token
  kinds text not null,                -- event types, space separated; empty = all
  created_at bigint not null,
  disabled_at bigint,
  disabled_reason text,               -- gone | failing | by_hand
  failures bigint not null default 0, -- in a row
  failing_since bigint,
  rest_until bigint,                  -- it is left alone until then
  primary key (tenant_id, id)
);

create table webhook_delivery (
  tenant_id text not null,
  endpoint_id text not null,
  event_id text not null,
  seq bigint not null,
  state text not null,                -- pending | delivered | failed | dropped
  attempts bigint not null,
  next_at bigint not null,
  status bigint,                      -- the last answer's HTTP status
  error text,                         -- why the last attempt failed
  took_ms bigint,                     -- how long the last attempt took
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant_id, endpoint_id, event_id),
  foreign key (tenant_id, endpoint_id) references webhook_endpoint (tenant_id, id)
);
create index webhook_delivery_log on webhook_delivery (tenant_id, endpoint_id, seq);
create index webhook_delivery_due on webhook_delivery (tenant_id, endpoint_id, next_at, seq)
  where state = 'pending';
create index webhook_delivery_event on webhook_delivery (tenant_id, seq);
