//! mq-redis
