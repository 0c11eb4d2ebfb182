//! mq-worker
