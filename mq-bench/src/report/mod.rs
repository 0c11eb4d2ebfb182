//! What becomes of the rows.

pub(crate) mod json;
mod number;
pub(crate) mod table;
