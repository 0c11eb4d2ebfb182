SELECT mq_keys.key, mq_keys.key
FROM mq_keys JOIN mq_jobs AS job ON job.queue = mq_keys.queue AND job.id = mq_keys.id
WHERE mq_keys.queue = ?1 AND mq_keys.free_ms IS NULL AND job.key IS NOT mq_keys.key
LIMIT ?2
