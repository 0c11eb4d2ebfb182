-- Everything begins with mq_, so that the tables can live beside those of an application.
-- A job is one row, so it is in one place by construction; each place has an index in its order.

CREATE TABLE mq_meta (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    version  INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL,            -- the latest time that was ever seen
    lease_ms INTEGER NOT NULL,            -- the same of the clock by which leases end
    store    TEXT NOT NULL                -- tells this store from all others
);

CREATE TABLE mq_queues (
    pk          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    paused_ms   INTEGER,
    swept_ms    INTEGER,                  -- the last sweep for dead workers, by the leases' clock
    grace_ms    INTEGER NOT NULL DEFAULT 0, -- until then none counts as dead, by the same
    wakes       INTEGER NOT NULL DEFAULT 0, -- goes up whenever idle workers should look
    enqueued    INTEGER NOT NULL DEFAULT 0,
    done        INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    dead        INTEGER NOT NULL DEFAULT 0,
    interrupted INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE mq_jobs (
    pk       INTEGER PRIMARY KEY,
    queue    INTEGER NOT NULL,
    id       TEXT NOT NULL,
    state    INTEGER NOT NULL,            -- 0 ready 1 scheduled 2 running 3 done 4 dead 5 cancelled
    level    INTEGER NOT NULL,            -- 0 high 1 normal 2 low
    seq      INTEGER,                     -- order among the ready ones of a level, or in a claim
    at_ms    INTEGER,                     -- the state's time
    is_retry INTEGER NOT NULL DEFAULT 0,
    worker   TEXT,
    number   INTEGER,                     -- of the claim
    cancel   INTEGER NOT NULL DEFAULT 0,  -- somebody asked to cancel it
    key      TEXT,
    history  BLOB,
    record   BLOB NOT NULL
);
CREATE UNIQUE INDEX mq_jobs_id ON mq_jobs (queue, id);
CREATE INDEX mq_jobs_ready ON mq_jobs (queue, level, seq) WHERE state = 0;
CREATE INDEX mq_jobs_due ON mq_jobs (queue, is_retry, at_ms, id) WHERE state = 1;
CREATE INDEX mq_jobs_held ON mq_jobs (queue, worker, number, seq) WHERE state = 2;
CREATE INDEX mq_jobs_kept ON mq_jobs (queue, state, at_ms, id) WHERE state >= 3;
CREATE INDEX mq_jobs_cancel ON mq_jobs (queue, id) WHERE cancel = 1;

CREATE TABLE mq_workers (
    queue       INTEGER NOT NULL,
    worker      TEXT NOT NULL,
    until_ms    INTEGER NOT NULL,           -- end of the lease, by the leases' clock
    is_revoked  INTEGER NOT NULL DEFAULT 0, -- 1 fenced out; 2 gone, and never to join again
    last        INTEGER NOT NULL DEFAULT 0, -- the highest claim number that was used
    housekeeper INTEGER NOT NULL DEFAULT 0,
    about       TEXT NOT NULL,
    PRIMARY KEY (queue, worker)
) WITHOUT ROWID;

CREATE TABLE mq_keys (
    queue   INTEGER NOT NULL,
    key     TEXT NOT NULL,
    id      TEXT NOT NULL,
    free_ms INTEGER,                      -- set when the job has ended
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX mq_keys_free ON mq_keys (queue, free_ms) WHERE free_ms IS NOT NULL;

CREATE TABLE mq_minutes (
    queue    INTEGER NOT NULL,
    minute   INTEGER NOT NULL,
    enqueued INTEGER NOT NULL DEFAULT 0,
    done     INTEGER NOT NULL DEFAULT 0,
    failed   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (queue, minute)
) WITHOUT ROWID;
