SELECT id, state, at_ms, worker, cancel, record, history, at_ms || '.0.' || id
FROM mq_jobs
WHERE queue = ?1 AND state = ?2 AND state >= 3 AND (at_ms, id) < (?3, ?4)
ORDER BY at_ms DESC, id DESC
LIMIT ?5
