SELECT minute, 'minute ' || minute
FROM mq_minutes
WHERE queue = ?1
  AND (
      typeof(minute) <> 'integer'
      OR typeof(enqueued) <> 'integer' OR enqueued NOT BETWEEN 0 AND 1e18
      OR typeof(done) <> 'integer' OR done NOT BETWEEN 0 AND 1e18
      OR typeof(failed) <> 'integer' OR failed NOT BETWEEN 0 AND 1e18
  )
LIMIT ?2
