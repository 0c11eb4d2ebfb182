SELECT id, state, at_ms, worker, cancel, record, history, number || '.' || seq || '.' || worker
FROM mq_jobs
WHERE queue = ?1 AND state = 2 AND (worker, number, seq) > (?2, ?3, ?4)
ORDER BY worker, number, seq
LIMIT ?5
