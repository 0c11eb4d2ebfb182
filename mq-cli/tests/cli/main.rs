//! The built program, from outside: every command, its JSON, its exit codes, its manners.

mod asking;
mod enqueue;
mod files;
mod looking;
mod manners;
mod store;
mod terminal;
mod verbs;
