//! mq
