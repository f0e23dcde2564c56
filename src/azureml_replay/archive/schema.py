"""The tables of `archive.db`, as numbered migrations. `docs/concepts/archive-format.md` explains them.

Content rows carry a `generation`: what belongs to `run.generation` counts, one more is being staged by an extraction.
"""

from __future__ import annotations

APPLICATION_ID = 0x414D4C52
"""`AMLR` in the file's header: shows that an SQLite file is ours before any table is read."""

MIGRATIONS = (
    """
    create table archive (
      id integer primary key check (id = 1),
      format_version integer not null,
      subscription_id text not null,
      resource_group text not null,
      workspace text not null,
      created text not null,
      tool_version text not null
    );
    create table migration (
      number integer primary key, applied text not null, tool_version text not null
    );
    create table command_log (id integer primary key, at text not null, command text not null);
    create table redact_glob (glob text primary key) without rowid;

    create table experiment (
      name text not null, id text not null, unknown text, record blob not null, record_bytes integer not null,
      primary key (name, id)
    ) without rowid;
    create table job (
      name text primary key, record blob not null, record_bytes integer not null
    ) without rowid;

    -- one row a run, with what the last listing said: for selection, for people, for the order of work
    create table run (
      id text primary key,
      parent text,
      experiment text not null,
      status text not null,
      kind text,
      created text,
      modified text,
      creator text,
      tags text not null,
      selected integer not null default 0,
      state text not null check (state in ('listed', 'extracted')),
      generation integer not null default 0,
      unit text not null,
      depth integer not null default 0,
      born integer not null,  -- created in ticks, 0 where unknown: siblings keep this order
      age integer not null    -- minus the unit's born: newest units first
    ) without rowid;
    create index run_parent on run (parent) where parent is not null;
    create index run_unit on run (age, unit, depth, born, id);

    create table run_version (
      run text not null, generation integer not null, unknown text, record blob not null, record_bytes integer not null,
      primary key (run, generation)
    );
    create table series (
      run text not null, generation integer not null, number integer not null,
      name text not null, namespace text, columns text not null, ux_type text, schema_id text,
      rows integer not null default 0,
      primary key (run, generation, number)
    ) without rowid;
    create table chunk (
      run text not null, generation integer not null, seq integer not null,
      rows integer not null, first_series integer not null, last_series integer not null,
      digest blob not null, data blob not null,
      primary key (run, generation, seq)
    );
    create table artifact (
      run text not null, generation integer not null, path text not null,
      datastore text not null, location text not null, indexed integer not null,
      size_bytes integer, md5 blob, etag text, content_type text, metadata text,
      primary key (run, generation, path, datastore, location)
    ) without rowid;
    create table omission (
      run text not null,
      origin text not null check (origin in ('extract', 'document', 'job', 'experiment', 'workspace')),
      generation integer not null,
      what text not null,
      reason text not null,
      primary key (run, origin, generation, what, reason)
    ) without rowid;
    create table stored_file (
      container text not null, datastore text not null, path text not null,
      size_bytes integer not null, md5 blob, etag text, content_type text, metadata text,
      primary key (container, datastore, path)
    ) without rowid;

    create table target (
      id integer primary key, subscription_id text not null, resource_group text not null, workspace text not null,
      arm_id text not null unique, probe text
    );
    create table receipt (
      target integer not null, run text not null, item text not null,
      state text not null check (state in ('sending', 'sent', 'refused')),
      digest blob, detail text, at integer not null,
      primary key (target, run, item)
    ) without rowid;
    create table binding (
      target integer not null, run text not null, target_run text not null,
      primary key (target, run)
    ) without rowid;
    create index binding_there on binding (target, target_run);
    create table finding (
      target integer not null, run text not null, number integer not null,
      what text not null, kind text not null, expected text not null, actual text not null,
      primary key (target, run, number)
    ) without rowid;
    create table verification (
      target integer not null, run text not null, at text not null, counts text not null,
      primary key (target, run)
    ) without rowid;
    create table planned_omission (
      target integer not null, run text not null, number integer not null, what text not null, reason text not null,
      primary key (target, run, number)
    ) without rowid;
    """,
    """
    create table imported (
      id integer primary key check (id = 1),
      file text not null, digest blob not null, files integer not null, at text not null
    );
    """,
    """
    alter table series add column more text;
    alter table series add column unknown text;
    alter table series add column longest_text integer;
    alter table artifact add column more text;
    alter table artifact add column unknown text;
    alter table artifact add column stored_unknown text;
    alter table stored_file add column unknown text;
    alter table job add column unknown text;
    """,
    """
    create table object (
      sha256 blob primary key, size_bytes integer not null, md5 blob not null
    ) without rowid;
    create index object_md5 on object (md5, size_bytes);
    -- which object holds the bytes of a place at an ETag, none while they are on their way
    create table content (
      datastore text not null, path text not null, etag text not null, sha256 blob, size_bytes integer not null,
      primary key (datastore, path)
    ) without rowid;
    create index content_object on content (sha256) where sha256 is not null;
    alter table artifact add column gone text;
    """,
    """
    create table studio (arm_id text primary key, address text not null) without rowid;
    """,
    """
    create table sent_run (
      target integer not null, run text not null, record blob not null, record_bytes integer not null,
      primary key (target, run)
    ) without rowid;
    create table sent_file (
      target integer not null, run text not null, path text not null, size_bytes integer not null, md5 blob,
      primary key (target, run, path)
    ) without rowid;
    """,
    """
    create table examination (
      arm_id text not null, side text not null check (side in ('source', 'target')),
      at text not null, rows text not null,
      primary key (arm_id, side)
    ) without rowid;
    """,
    """
    create table session (
      id integer primary key, command text not null, began text not null, ended text not null,
      outcome text not null, parts text not null, traffic text not null
    );
    create table target_points (
      target integer not null, run text not null, number integer not null,
      name text not null, namespace text, columns text not null, ux_type text, schema_id text,
      rows integer not null, differing integer not null, digest blob not null, data blob not null,
      primary key (target, run, number)
    );
    """,
    """
    create table code (reference text primary key, sha256 blob, reason text) without rowid;
    """,
    """
    alter table target add column files text;
    """,
    """
    alter table job add column code text;
    """,
    """
    alter table receipt add column rows integer;
    alter table receipt add column size_bytes integer;

    update receipt set rows = (
      select c.rows from run join chunk c on c.run = run.id and c.generation = run.generation
      where run.id = receipt.run and c.seq = cast(substr(item, 8) as integer)
    ) where item glob 'points/*';
    update receipt set size_bytes = (
      select f.size_bytes from sent_file f
      where f.target = receipt.target and f.run = receipt.run and f.path = substr(item, 6)
    ) where item glob 'file/*';

    -- made of how Python showed the values of a version: nothing can be compared with them
    update receipt set digest = null where item in ('create', 'finish', 'whole');
    """,
    """
    alter table archive add column kind text not null default 'azureml';
    alter table archive add column key text not null default '';
    alter table archive add column name text not null default '';
    update archive set name = subscription_id || '/' || resource_group || '/' || workspace;
    update archive set key = lower(
      '/subscriptions/' || subscription_id || '/resourceGroups/' || resource_group
      || '/providers/Microsoft.MachineLearningServices/workspaces/' || workspace
    );
    alter table archive drop column subscription_id;
    alter table archive drop column resource_group;
    alter table archive drop column workspace;

    create table place (
      id integer primary key, kind text not null, key text not null, name text not null, probe text, files text,
      unique (kind, key)
    );
    insert into place (id, kind, key, name, probe, files)
      select id, 'azureml', arm_id, subscription_id || '/' || resource_group || '/' || workspace, probe, files
      from target;
    drop table target;
    alter table place rename to target;

    alter table studio rename column arm_id to place;
    alter table examination rename column arm_id to place;
    """,
    """
    alter table run add column content_digest blob;
    -- 0: the content, -1: rows under no root, else the target's number
    create table root (target integer primary key, sum blob not null);
    create table checksum (
      target integer not null, rows_of text not null, whose text not null, sum blob not null,
      primary key (target, rows_of, whose)
    ) without rowid;
    """,
    """
    -- way is run, job, experiment or others. Columns of aspects hold what a look compared, null where none did
    create table evidence (
      target integer not null, way text not null, whose text not null, carried text,
      fields text, points text, files text, bytes text, children text,
      primary key (target, way, whose)
    ) without rowid;
    create table look (
      number integer primary key, target integer not null, began text not null, ended text,
      aspects text not null, units text, experiments text
    );
    -- proofs of older versions could outlive what they were about, and count as none
    insert into evidence (target, way, whose, carried)
      select r.target, 'run', r.run, json_object('files', json(ifnull(
        (select files from target t where t.id = r.target), '{"artifacts":true,"globs":[],"most_bytes":null}'
      ))) from receipt r where item = 'create' and not exists (
        select 1 from receipt u where u.target = r.target and u.run = r.run and u.item = 'undone' and u.state = 'sent'
      );
    insert into evidence (target, way, whose, carried)
      select j.target, 'job', j.run, json_object('files', json_extract(s.detail, '$.files'))
      from receipt j join run on run.id = j.run
      join receipt s on s.target = j.target and s.run = run.unit and s.item = 'job shape'
      where j.item = 'job' and j.state = 'sent' and not exists (
        select 1 from receipt u
        where u.target = j.target and u.run = run.unit and u.item = 'job undone' and u.state = 'sent'
      );
    create table found (
      target integer not null, way text not null, whose text not null, aspect text not null, number integer not null,
      what text not null, kind text not null, expected text not null, actual text not null,
      primary key (target, way, whose, aspect, number)
    ) without rowid;
    insert into found
      select target, iif(run <> '', 'run', iif(what glob 'experiment *', 'experiment', 'others')),
        iif(run <> '' or not what glob 'experiment *', run, substr(what, 12, instr(what || ':', ':') - 12)),
        case when run = '' and not what glob 'experiment *' then 'children'
             when what glob 'metric *' then 'points'
             when what glob 'file *: bytes' then 'bytes'
             when what glob 'file *' then 'files'
             else 'fields' end,
        number, what, kind, expected, actual from finding;
    drop table finding;
    alter table found rename to finding;
    create table planned (
      target integer not null, way text not null, whose text not null, number integer not null,
      what text not null, reason text not null,
      primary key (target, way, whose, number)
    ) without rowid;
    insert into planned
      select target, iif(run <> '', 'run', iif(what glob 'experiment *', 'experiment', 'others')),
        iif(run <> '' or not what glob 'experiment *', run, substr(what, 12, instr(what || ':', ':') - 12)),
        number, what, reason from planned_omission;
    drop table planned_omission;
    alter table planned rename to planned_omission;
    drop table verification;
    alter table target drop column files;
    """,
    """
    -- the version of the table of secrets: archives that were begun before it had one go on with the first
    alter table archive add column redaction integer not null default 1;
    """,
    """
    -- changes that verify saw somebody make in a target, with digests of the values and their names
    create table edit (
      target integer not null, run text not null, what text not null, expected text not null, actual text not null,
      sent blob not null, wanted blob not null, found blob not null, since integer not null,
      accepted_by text, accepted_at integer,
      primary key (target, run, what)
    ) without rowid;
    """,
    """
    -- AppendBlob or PageBlob, null of block blobs, and where nobody said
    alter table artifact add column blob_type text;
    alter table stored_file add column blob_type text;
    """,
    """
    -- what runs refer to. Of an older archive nobody asked for it: then asset_extraction has no row
    create table asset (
      kind text not null, name text not null, version text not null,
      created text, archived integer not null, redacted integer not null, unknown text,
      record blob not null, record_bytes integer not null,
      primary key (kind, name, version)
    );
    create table asset_container (
      kind text not null, name text not null, archived integer not null, unknown text,
      record blob not null, record_bytes integer not null,
      primary key (kind, name)
    );
    -- owner is run or asset: kind, name, version of what is meant, or outside says where that is
    create table asset_ref (
      owner text not null, whose text not null, place text not null, text text not null,
      kind text, name text, version text, outside text,
      primary key (owner, whose, place)
    ) without rowid;
    create index asset_ref_to on asset_ref (kind, name, version) where kind is not null;
    create table asset_lack (
      kind text not null, name text not null, version text not null, reason text not null,
      primary key (kind, name, version)
    ) without rowid;
    create table asset_file (
      kind text not null, name text not null, version text not null, datastore text not null, path text not null,
      size_bytes integer not null, md5 blob, etag text, content_type text, metadata text, unknown text, blob_type text,
      primary key (kind, name, version, datastore, path)
    ) without rowid;
    create table asset_extraction (
      id integer primary key check (id = 1), scope text not null, kinds text not null, at text not null
    );
    create table asset_receipt (
      target integer not null, kind text not null, name text not null, version text not null,
      state text not null check (state in ('sending', 'sent', 'adopted', 'left', 'refused', 'undone')),
      there_name text, there_version text, planned text not null, answered text, fields text, detail text,
      at integer not null, looked integer, found text,
      primary key (target, kind, name, version)
    ) without rowid;
    """,
    """
    -- a name of an asset as the runs of a workspace have it, of which only those of name and version change
    create table asset_naming (place text primary key, text text not null) without rowid;
    """,
    """
    -- when an asset was read last, in ticks: it is no value of the workspace's
    alter table asset add column read_at integer;
    alter table asset_container add column read_at integer;
    -- what verify saw of assets is evidence, as of runs: what was seen before has to be looked at again
    alter table asset_receipt drop column looked;
    alter table asset_receipt drop column found;
    -- what flags leave out has no receipt, and what a service refused is tried again once
    delete from asset_receipt where state = 'refused' and answered is null;
    """,
    """
    -- when a run was extracted, in ticks: it is no value of the workspace's
    alter table run add column extracted_at integer;
    """,
)
"""The migrations, oldest first. Never edit one that was released: append."""

FORMAT_VERSION = len(MIGRATIONS)

STAGED_TABLES = ("series", "chunk", "artifact")
"""Tables that an extraction fills for a run, beside its document and its omissions."""
