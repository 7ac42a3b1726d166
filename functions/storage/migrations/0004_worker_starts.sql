alter table documents add column starting_until timestamptz; -- a worker was called, and has not claimed the document yet

create table worker_starts ( -- at most one row: does the platform accept the calls that start workers
    id integer primary key default 1 check (id = 1),
    refused_since timestamptz, -- null when the last start was accepted
    refused bigint not null default 0 -- refused starts in total
);
