create table answers ( -- one row per finished summary, including withdrawn ones
    document uuid not null references documents on delete cascade,
    epoch bigint not null, -- of the claim; the current summary has the epoch of the document
    endpoint text not null, -- that wrote the summary
    endpoints text[] not null, -- that took part
    replicas text[] not null, -- that took part, as far as they are known
    begun_at timestamptz not null, -- time of the claim
    answered_at timestamptz not null default now(),
    withdrawn_at timestamptz, -- when an endpoint or replica was found corrupt
    withdrawn_because text,
    primary key (document, epoch),
    check ((withdrawn_at is null) = (withdrawn_because is null))
);

create index answers_newest on answers (answered_at);
create index answers_withdrawn on answers (document, epoch) where withdrawn_at is not null;

create table endpoints ( -- the result of the canaries of each endpoint
    name text primary key,
    fingerprint text not null, -- of URL and model: a change makes a new endpoint
    state text not null default 'ok' check (state in ('ok', 'out')),
    since timestamptz not null default now(), -- when the state last changed
    checked_at timestamptz not null default now(), -- when the last canary was sent
    good_at timestamptz not null default '-infinity', -- last good canary while ok
    wrong integer not null default 0, -- wrong canaries in a row
    good integer not null default 0, -- good canaries in a row
    good_canaries bigint not null default 0,
    wrong_canaries bigint not null default 0,
    unreachable_canaries bigint not null default 0,
    replica_reports bigint not null default 0, -- received from its replica monitor
    missing_replica_reports bigint not null default 0, -- failed requests to the monitor
    prompt_tokens bigint not null default 0, -- of all canaries
    completion_tokens bigint not null default 0
);

create table replicas ( -- the last report on each replica
    endpoint text not null,
    name text not null,
    state text not null check (state in ('ok', 'out')),
    since timestamptz not null default now(), -- when the state was first reported
    reported_at timestamptz not null,
    good_at timestamptz, -- last good canary while ok; null when unknown
    suspect_after timestamptz, -- answers between these two times are withdrawn
    suspect_until timestamptz, -- 'infinity' while the replica is out
    primary key (endpoint, name),
    check ((state = 'out') <= (suspect_until is not distinct from 'infinity')),
    check ((suspect_after is null) = (suspect_until is null))
);
