-- What a key may do in a time, as `50/s` and `100000/day`; the configured default where it is null. A key
-- that took another's place goes on with its counts: `family` is the first of them.
alter table api_key add column rate text;
alter table api_key add column burst bigint;
alter table api_key add column quota text;
alter table api_key add column family text;
alter table api_key add column replaces text;

-- What a family of keys has taken of its quota, by UTC day (`2026-11-22`) or month (`2026-11`).
create table key_use (
  tenant_id text not null references tenant (id),
  family text not null,
  period text not null,
  used bigint not null,
  primary key (tenant_id, family, period)
);
