SELECT worker, worker
FROM mq_workers
WHERE queue = ?1
  AND (typeof(worker) <> 'text' OR length(worker) <> 22 OR worker GLOB '*[^0-9A-Z_a-z~]*')
LIMIT ?2
