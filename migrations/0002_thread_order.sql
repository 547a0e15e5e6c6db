-- The list of threads: newest activity first, page by page.
create index thread_last on thread (tenant_id, last_at, id);
