SELECT id, state, at_ms, worker, cancel, record, history, level || '.' || seq || '.'
FROM mq_jobs
WHERE queue = ?1 AND state = 0 AND (level, seq) > (?2, ?3)
ORDER BY level, seq
LIMIT ?4
