//! What becomes of the rows.

pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod page;
pub(crate) mod plot;
pub(crate) mod read;
pub(crate) mod table;
pub(crate) mod text;
