SELECT id, state, at_ms, worker, cancel, record, history, at_ms || '.0.' || id AS place
FROM mq_jobs
WHERE queue = ?1 AND state = 1 AND is_retry = 0 AND (at_ms, id) > (?2, ?3)
UNION ALL
SELECT id, state, at_ms, worker, cancel, record, history, at_ms || '.0.' || id
FROM mq_jobs
WHERE queue = ?1 AND state = 1 AND is_retry = 1 AND (at_ms, id) > (?2, ?3)
ORDER BY at_ms, id
LIMIT ?4
