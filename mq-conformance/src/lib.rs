//! mq-conformance
