-- Code that knows only 0002 names the columns that it reads and writes: further ones have defaults.

alter table answers
    add column replicas text[] not null default '{}', -- of its endpoints, that answered a part of it
    add column begun_at timestamptz; -- when the attempt began; null where older code wrote it

alter table endpoints
    add column verdicts bigint not null default 0, -- how often an examiner told of the replicas
    add column missing_verdicts bigint not null default 0; -- and how often it did not

create table replicas ( -- what an endpoint's examiner says of each of its replicas
    endpoint text not null,
    name text not null,
    state text not null check (state in ('ok', 'out')),
    since timestamptz not null default now(), -- when we were first told of the state
    told_at timestamptz not null, -- when the examiner was last asked
    good_at timestamptz, -- last right answer while it was ok; null is never known
    suspect_after timestamptz, -- what it took part in between these two is withdrawn
    suspect_until timestamptz, -- 'infinity' while it is out
    primary key (endpoint, name),
    check ((state = 'out') <= (suspect_until is not distinct from 'infinity')),
    check ((suspect_after is null) = (suspect_until is null))
);
