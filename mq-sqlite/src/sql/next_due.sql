SELECT min(at_ms)
FROM (
    SELECT min(at_ms) AS at_ms FROM mq_jobs WHERE queue = ?1 AND state = 1 AND is_retry = 0
    UNION ALL
    SELECT min(at_ms) FROM mq_jobs WHERE queue = ?1 AND state = 1 AND is_retry = 1
)
