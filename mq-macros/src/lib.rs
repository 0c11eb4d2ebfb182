//! The macros of mq: `#[derive(Job)]`, `#[mq::job]` and `#[mq::handler]`.
//!
//! What they generate names only `::mq::__private`, so users depend on `mq` alone.
//!
//! A macro here first reads what the user wrote ([`attr`], [`ast`]), then checks it ([`valid`]), and
//! then generates code ([`expand`]). Mistakes are collected and all shown; after one, the generated
//! code is reduced to what keeps the rest of the program free of errors that follow from it.

mod ast;
mod attr;
mod derive;
mod duration;
mod errors;
mod expand;
mod function;
mod handler;
mod name;
mod suggest;
mod valid;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, Item, parse_macro_input};

/// Makes a type a job.
///
/// The type must implement serde's `Serialize` and `Deserialize`: it is stored as JSON. Unless it is
/// a `producer`, its `Handler` must be in the same crate, and workers find
/// it by `.discover()`.
#[proc_macro_derive(Job, attributes(job))]
pub fn derive_job(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::expand(&input).into()
}

/// Makes an async function a job.
#[proc_macro_attribute]
pub fn job(options: TokenStream, item: TokenStream) -> TokenStream {
    match parse_macro_input!(item as Item) {
        Item::Fn(item) => function::expand(options.into(), &item).into(),
        other => {
            let reason = "`#[mq::job]` is for functions: on a type, write `#[derive(Job)]` and \
                          `#[job(…)]`";
            misplaced(&other, reason)
        }
    }
}

/// Makes an `impl` block with `async fn run` the handler of a job.
#[proc_macro_attribute]
pub fn handler(options: TokenStream, item: TokenStream) -> TokenStream {
    match parse_macro_input!(item as Item) {
        Item::Impl(item) => handler::expand(options.into(), &item).into(),
        other => {
            let reason = "`#[mq::handler]` is for an `impl` block with `async fn run`: on a \
                          function, write `#[mq::job]`";
            misplaced(&other, reason)
        }
    }
}

fn misplaced(item: &Item, reason: &str) -> TokenStream {
    let error = syn::Error::new(proc_macro2::Span::call_site(), reason).into_compile_error();
    quote!(#error #item).into()
}
