create table documents (
    id uuid primary key,
    name text not null,
    object_key text not null,
    object_version text not null default '', -- '' until the upload is complete
    prompt_version text not null,
    size bigint,
    kind text,
    status text not null check (status in ('uploading', 'queued', 'working', 'done', 'failed')),
    epoch bigint not null default 0,
    attempts integer not null default 0,
    lost_leases integer not null default 0,
    lease_until timestamptz,
    not_before timestamptz,
    queued_at timestamptz, -- when the summary was last requested
    calls_done integer not null default 0,
    calls_total integer not null default 0,
    summary text,
    model text,
    inference_mode text,
    prompt_tokens bigint,
    completion_tokens bigint,
    calls integer,
    cost_usd double precision,
    error_code text,
    error_message text,
    error_remedy text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    unique (object_key, object_version, prompt_version),
    check (status <> 'done' or (summary is not null and length(trim(summary)) > 0)),
    check (status <> 'failed' or error_code is not null),
    check ((status = 'working') = (lease_until is not null))
);

create index documents_newest on documents (created_at desc, id desc);
create index documents_unfinished on documents (created_at) where status in ('uploading', 'queued', 'working');
