-- A lease that ends in 4000 is one that does not end.
SELECT worker, worker
FROM mq_workers
WHERE queue = ?1
  AND (
      typeof(until_ms) <> 'integer' OR until_ms NOT BETWEEN 0 AND 64060588800000
      OR typeof(last) <> 'integer' OR last < 0
  )
LIMIT ?2
