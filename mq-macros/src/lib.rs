//! The macros of mq: `#[derive(Job)]`, `#[mq::job]` and `#[mq::handler]`.
//!
//! What they generate names only `::mq::__private`, so users depend on `mq` alone.
//!
//! A macro here first reads what the user wrote (`attr`, `ast`), then checks it (`valid`),
//! and then generates code (`expand`). Mistakes are collected and all shown; after one, the
//! generated code is reduced to what keeps the rest of the program free of errors that follow from
//! it.

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
/// The type must implement serde's `Serialize` and `Deserialize`: it is stored as JSON. Its
/// `Handler` must be in the same crate, unless it is a `producer`, and workers find it by
/// `.discover()`.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "mail.welcome"` | the name under which jobs are stored | the type's, in snake case |
/// | `was = "welcome"`, `was("a", "b")` | former names, whose jobs still run | none |
/// | `queue = "mail"` | the queue | `default` |
/// | `max_attempts = 10` | failed attempts until a job is a dead letter | 25 |
/// | `timeout = "30s"` | time limit of one attempt | 30 minutes |
/// | `backoff(…)` | the delay before each retry, see below | 2 s, doubling up to 24 h, ± 25 % |
/// | `priority = "high"` | `high`, `normal` or `low` | `normal` |
/// | `retention = "7d"` | how long a job is kept after success or cancellation | not at all |
/// | `state = App` | the state that the handler needs | `()` |
/// | `output = Receipt` | what a successful attempt yields | `()` |
/// | `producer` | the handler is in another crate: nothing is registered | |
/// | `blocking` | the handler blocks its thread and runs off the async ones | |
/// | `crate = my_app::mq` | where mq is, if not at `::mq` | |
///
/// `backoff(exponential, base = "2s", max = "1h", jitter = "full")`: it grows `exponential`,
/// `linear` or not (`fixed`); jitter is `none`, `quarter` (± 25 %) or `full` (from zero).
///
/// Durations are whole numbers with the units `ms`, `s`, `m`, `h`, `d`, longest first: `"1h30m"`.
#[proc_macro_derive(Job, attributes(job))]
pub fn derive_job(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::expand(&input).into()
}

/// Makes an async function a job.
///
/// `async fn welcome(user_id: u64) -> Result<(), MailError>` becomes a type `Welcome { user_id }`
/// and a function `welcome(user_id)` that makes one, ready to be enqueued; the body runs in the
/// worker. An argument of type `Context` or `Context<App>`, in any place, is the context and not a
/// field, and says which state is needed. The return type is a `Result`, or nothing if the job
/// cannot fail.
///
/// Takes the options of the derive except `state` and `output`. Derives and serde's attributes that
/// stand below it go to the type, attributes of arguments to the fields. With `blocking` the
/// function need not be async.
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
///
/// `run(self, cx: Context<App>) -> Result<…, …>` may leave the context out, and
/// `fn verdict(&self, error: &…) -> Verdict` may stand beside it. The error type is found in the
/// return type, also behind an alias such as `anyhow::Result<()>`. The job is registered as by its
/// derive, which matters for jobs whose type is in another crate.
///
/// Options: `state = App` for a handler that takes no context; `crate = my_app::mq`.
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
