UPDATE mq_jobs
SET level = 1
WHERE pk = ?1 AND (typeof(level) <> 'integer' OR level NOT BETWEEN 0 AND 2)
