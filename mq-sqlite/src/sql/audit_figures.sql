-- Nothing that is counted or timed reaches 10^18, and a sum beyond the range would become a real.
WITH figures (name, value) AS (
    SELECT 'enqueued', enqueued FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'done', done FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'failed', failed FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'dead', dead FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'interrupted', interrupted FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'wakes', wakes FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'grace_ms', grace_ms FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'paused_ms', ifnull(paused_ms, 0) FROM mq_queues WHERE pk = ?1
    UNION ALL SELECT 'swept_ms', ifnull(swept_ms, 0) FROM mq_queues WHERE pk = ?1
)
SELECT name, name FROM figures
WHERE typeof(value) <> 'integer' OR value NOT BETWEEN 0 AND 1e18
LIMIT ?2
