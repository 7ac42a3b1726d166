-- Tables of their own: code that knows only 0001 selects every column of documents, and goes on.

create table answers ( -- who made a summary: one row per summary, also of those that were withdrawn
    document uuid not null references documents on delete cascade,
    epoch bigint not null, -- of the attempt; that of the document itself marks the current summary
    endpoint text not null, -- who gave the summary
    answered_by text[] not null, -- everybody who answered a part of it
    answered_at timestamptz not null default now(),
    withdrawn_at timestamptz, -- when the summary was found not to be trusted
    withdrawn_because text,
    primary key (document, epoch),
    check ((withdrawn_at is null) = (withdrawn_because is null))
);

create index answers_newest on answers (answered_at);
create index answers_withdrawn on answers (document, epoch) where withdrawn_at is not null;

create table endpoints ( -- what the canaries say of each endpoint
    name text primary key,
    fingerprint text not null, -- of URL and model: another one is another endpoint to judge
    state text not null default 'ok' check (state in ('ok', 'out')),
    since timestamptz not null default now(), -- when the state began
    asked_at timestamptz not null default now(), -- when the last canary began: also the lease on it
    good_at timestamptz not null default '-infinity', -- what was answered before is trusted
    wrong integer not null default 0, -- wrong canaries in a row
    good integer not null default 0, -- good canaries in a row
    good_canaries bigint not null default 0,
    wrong_canaries bigint not null default 0,
    unreachable_canaries bigint not null default 0,
    prompt_tokens bigint not null default 0, -- that all canaries took
    completion_tokens bigint not null default 0
);
