-- A review that was handed to a lead stays a lead's when a signature is taken back.
alter table review add column escalated bigint not null default 0;
update review set escalated = 1 where state = 'escalated';
