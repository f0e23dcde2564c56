"""The tables. Every service document is kept whole, as JSON; columns beside it are what queries ask for.

Times are ticks of 100 ns since the Unix epoch.
"""

SCHEMA = """
create table if not exists workspace (
    guid text primary key,
    address text not null unique,          -- subscription/group/name in lower case
    name text not null, subscription_id text not null, resource_group text not null,
    region text not null, tenant_id text not null, account text not null
);

create table if not exists experiment (
    seq integer primary key,
    workspace text not null, experiment_id text not null, name text not null,
    archived integer not null,
    document text not null,
    unique (workspace, experiment_id), unique (workspace, name)
);

create table if not exists run (
    seq integer primary key,               -- the order of creation
    workspace text not null, run_id text not null,
    experiment_id text not null, parent_run_id text,
    status text, hidden integer not null, created integer not null, started integer, ended integer,
    document text not null,
    unique (workspace, run_id)
);
create index if not exists run_of_experiment on run (workspace, experiment_id, created, seq);
create index if not exists run_of_parent on run (workspace, parent_run_id, seq);

create table if not exists job (           -- what ARM lists: root runs, and documents that came without a run
    seq integer primary key,
    workspace text not null, name text not null,
    archived integer not null, created integer not null,
    document text,                         -- null: a root run that ARM never saw being submitted
    unique (workspace, name)
);
create index if not exists job_newest on job (workspace, created, seq);

create table if not exists series (
    id integer primary key,
    workspace text not null, container text not null, namespace text not null, name text not null,
    document text not null,                -- columns, properties, standardSchemaId
    rows integer not null,
    appears integer not null, settles integer not null,  -- when the first and the last row become readable
    unique (workspace, container, namespace, name)
);

create table if not exists metric_row (
    id integer primary key,
    series integer not null references series (id) on delete cascade,
    created integer not null, visible integer not null,
    document text not null
);
create index if not exists row_of_series on metric_row (series, id);

create table if not exists artifact (
    seq integer primary key,
    workspace text not null, origin text not null, container text not null, path text not null,
    document text not null,
    unique (workspace, origin, container, path)
);

create table if not exists asset (         -- ARM resources other than jobs; version '' is the container itself
    seq integer primary key,
    workspace text not null, kind text not null, name text not null, version text not null,
    document text not null,
    unique (workspace, kind, name, version)
);

create table if not exists repeatable (    -- completed steps, by the digest of what they were computed from
    workspace text not null, digest text not null, run_id text not null,
    primary key (workspace, digest)
);

create table if not exists late (          -- changes that runs show from tick `due` on
    id integer primary key,
    workspace text not null, run_id text not null,
    due integer not null,
    change text not null
);

create table if not exists deletion (      -- jobs that are gone from tick `due` on; their names stay taken
    workspace text not null, name text not null,
    due integer not null, done integer not null,
    runs text not null,                    -- the runs that go with the job
    primary key (workspace, name)
);
"""
