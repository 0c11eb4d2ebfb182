UPDATE mq_workers
SET until_ms = 0, last = iif(typeof(last) = 'integer' AND last >= 0, last, 0)
WHERE queue = ?1 AND worker = ?2
