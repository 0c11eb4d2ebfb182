//! mq-macros
