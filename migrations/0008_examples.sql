-- Labels that people gave to messages: what heads are trained on. One a message and task; a later one
-- takes the place of an earlier one. The text is the masked one of that moment, sealed under the
-- writer's key, so it goes with the writer's data.
create table example (
  tenant_id text not null,
  message_id text not null,
  task text not null,                 -- intent | sentiment | urgency | spam | injection
  label text not null,
  found text,                         -- what the head had said
  abstained bigint not null,          -- whether it had abstained
  subject_id text not null,           -- whose data key seals this row
  text_sealed blob not null,          -- JSON {subject, text}, masked, stored form
  user_id text not null,
  created_at bigint not null,
  primary key (tenant_id, message_id, task),
  foreign key (tenant_id, message_id) references message (tenant_id, id)
);
create index example_task on example (tenant_id, task, created_at);
