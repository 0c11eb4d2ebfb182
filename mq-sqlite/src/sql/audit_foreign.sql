SELECT pk, CAST(id AS BLOB), history
FROM mq_jobs
WHERE queue = ?1
  AND (
      typeof(id) <> 'text' OR length(id) <> 22 OR id GLOB '*[^0-9A-Z_a-z~]*'
      OR typeof(level) <> 'integer' OR level NOT BETWEEN 0 AND 2
      OR CASE state
          WHEN 0 THEN typeof(seq) <> 'integer'
          WHEN 1 THEN typeof(at_ms) <> 'integer' OR is_retry NOT IN (0, 1)
          WHEN 2 THEN
              typeof(number) <> 'integer' OR worker IS NULL OR length(worker) <> 22
              OR worker GLOB '*[^0-9A-Z_a-z~]*'
          WHEN 3 THEN typeof(at_ms) <> 'integer'
          WHEN 4 THEN typeof(at_ms) <> 'integer'
          WHEN 5 THEN typeof(at_ms) <> 'integer'
          ELSE 1
      END
  )
LIMIT ?2
