//! What all three macros generate. Cannot fail: mistakes are found before.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Generics, Path, Type, parse_quote};

use crate::attr::{Backoff, Options};

/// The one door of generated code, so that users depend on `mq` alone.
pub(crate) fn door(krate: Option<&Path>) -> TokenStream {
    match krate {
        Some(path) => quote!(#path::__private),
        None => quote!(::mq::__private),
    }
}

/// `impl Job for …`.
pub(crate) fn job_impl(
    job: &Ident,
    generics: &Generics,
    kind: &str,
    output: &TokenStream,
    options: &Options,
) -> TokenStream {
    let door = door(options.krate.as_ref());
    let was = &options.was;
    let policy = policy(options, &door);
    let mut generics = generics.clone();
    if !generics.params.is_empty() {
        let bound = parse_quote!(
            Self: #door::serde::Serialize
                + #door::serde::de::DeserializeOwned
                + ::core::marker::Send
                + 'static
        );
        generics.make_where_clause().predicates.push(bound);
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #door::Job for #job #arguments #bounds {
            type Output = #output;
            const KIND: &'static ::core::primitive::str = #kind;
            const WAS: &'static [&'static ::core::primitive::str] = &[#(#was),*];
            const OPTIONS: #door::JobOptions = #policy;
        }
    }
}

/// `JobOptions::DEFAULT` with what was given.
fn policy(options: &Options, door: &TokenStream) -> TokenStream {
    let mut policy = quote!(#door::JobOptions::DEFAULT);
    if let Some(queue) = &options.queue {
        policy.extend(quote!(.queue(#queue)));
    }
    if let Some(max_attempts) = options.max_attempts {
        policy.extend(quote!(.max_attempts(#max_attempts)));
    }
    if let Some(timeout) = options.timeout.map(duration) {
        policy.extend(quote!(.timeout(#timeout)));
    }
    if let Some(backoff) = options.backoff.as_ref().map(|given| backoff(given, door)) {
        policy.extend(quote!(.backoff(#backoff)));
    }
    if let Some(priority) = options.priority.map(variant) {
        policy.extend(quote!(.priority(#door::Priority::#priority)));
    }
    if let Some(retention) = options.retention.map(duration) {
        policy.extend(quote!(.retention(#retention)));
    }
    if options.blocking {
        policy.extend(quote!(.blocking(true)));
    }
    policy
}

fn backoff(given: &Backoff, door: &TokenStream) -> TokenStream {
    let mut backoff = match given.base.map(duration) {
        Some(base) => {
            let growth = crate::ast::hidden(given.growth.unwrap_or("exponential"));
            quote!(#door::Backoff::#growth(#base))
        }
        // Only exponential growth may go without a base; it is what the default is.
        None => quote!(#door::Backoff::DEFAULT),
    };
    if let Some(max) = given.max.map(duration) {
        backoff.extend(quote!(.max(#max)));
    }
    if let Some(jitter) = given.jitter.map(variant) {
        backoff.extend(quote!(.jitter(#door::Jitter::#jitter)));
    }
    backoff
}

fn duration(time: Duration) -> TokenStream {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#ms))
}

fn variant(word: &str) -> Ident {
    crate::ast::hidden(&crate::name::camel_case(word))
}

/// Makes the job known to `.discover()`, and requires the handler that this takes.
pub(crate) fn registration(job: impl ToTokens, state: &Type, door: &TokenStream) -> TokenStream {
    // The type keeps the user's place, so a missing handler is reported there.
    quote! {
        #door::inventory::submit! {
            #door::Registration::of::<#job, #state>(::core::file!(), ::core::line!())
        }
    }
}

/// The state of handlers that need none, at the place of what it is the state of.
pub(crate) fn no_state(of: &impl ToTokens) -> Type {
    let span = syn::spanned::Spanned::span(of);
    let unit = quote_spanned!(span=> ());
    Type::Verbatim(unit)
}
