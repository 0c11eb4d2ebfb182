SELECT coalesce(min(seq), 0) - 1
FROM mq_jobs
WHERE queue = ?1 AND level = ?2 AND state = 0
