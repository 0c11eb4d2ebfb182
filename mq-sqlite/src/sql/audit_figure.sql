-- All of them at once. A queue that is paused stays so.
UPDATE mq_queues
SET enqueued = iif(typeof(enqueued) = 'integer' AND enqueued BETWEEN 0 AND 1e18, enqueued, 0),
    done = iif(typeof(done) = 'integer' AND done BETWEEN 0 AND 1e18, done, 0),
    failed = iif(typeof(failed) = 'integer' AND failed BETWEEN 0 AND 1e18, failed, 0),
    dead = iif(typeof(dead) = 'integer' AND dead BETWEEN 0 AND 1e18, dead, 0),
    interrupted = iif(
        typeof(interrupted) = 'integer' AND interrupted BETWEEN 0 AND 1e18, interrupted, 0
    ),
    wakes = iif(typeof(wakes) = 'integer' AND wakes BETWEEN 0 AND 1e18, wakes, 0),
    grace_ms = iif(typeof(grace_ms) = 'integer' AND grace_ms BETWEEN 0 AND 1e18, grace_ms, 0),
    paused_ms = iif(
        paused_ms IS NULL OR typeof(paused_ms) = 'integer' AND paused_ms BETWEEN 0 AND 1e18,
        paused_ms, 1
    ),
    swept_ms = iif(typeof(swept_ms) = 'integer' AND swept_ms BETWEEN 0 AND 1e18, swept_ms, NULL)
WHERE pk = ?1 AND ?2 IS NOT NULL
