-- Heads learnt from a tenant's corrections. In the database, so that every process has them without a
-- shared disk. Their weights hold vectors of masked texts: sealed under the tenant's key.
create table model (
  tenant_id text not null references tenant (id),
  id text not null,
  task text not null,                 -- intent | sentiment
  state text not null,                -- proposed | promoted | retired | rejected
  parent_id text,                     -- what ran when it was judged or promoted; none: the built-in head
  name text not null,
  encoder text not null,              -- whose states it reads
  data_hash text not null,            -- SHA-256 over the texts and labels that it was fitted on
  metrics text not null,              -- JSON: how it does against what ran; figures only
  created_at bigint not null,
  changed_at bigint not null,
  head_sealed blob not null,
  twin_sealed blob not null,          -- the same without the held-out part, for judging
  primary key (tenant_id, id)
);
create unique index model_promoted on model (tenant_id, task) where state = 'promoted';
