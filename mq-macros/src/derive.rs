//! `#[derive(Job)]`.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, Field};

use crate::attr::Options;
use crate::errors::Errors;
use crate::{expand, name, valid};

/// Expands the derive. After a mistake the type is still a job, so that code which uses it does
/// not fail as well; it is not registered then, so that no handler is asked for.
pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::of_item(&input.attrs, &mut errors);
    validate(input, &options, &mut errors);

    // With a lifetime nothing that stands in could be a job: it would have to outlive the program.
    if matches!(input.data, Data::Union(_)) || input.generics.lifetimes().next().is_some() {
        return errors.into_tokens();
    }
    let job = &input.ident;
    let kind = match &options.name {
        Some(name) => name.value(),
        None => name::snake_case(&job.unraw().to_string()),
    };
    let output = options.output.as_ref().map_or_else(|| quote!(()), |output| quote!(#output));
    let door = expand::door(options.krate.as_ref());
    // A generic type may be storable for some arguments only.
    let check = input
        .generics
        .params
        .is_empty()
        .then(|| quote!(#[automatically_derived] impl #door::CheckedStorable for #job {}));
    let implementation = expand::job_impl(job, &input.generics, &kind, &output, &options);
    let registration = (errors.is_empty() && !options.producer).then(|| {
        let state = options.state.clone().unwrap_or_else(|| expand::no_state(job));
        expand::registration(job, &state, &door)
    });
    let errors = errors.into_tokens();
    quote!(#errors #check #implementation #registration)
}

fn validate(input: &DeriveInput, options: &Options, errors: &mut Errors) {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a job is a struct or an enum: a union cannot be stored");
    }
    let mut borrows = false;
    for field in fields(&input.data) {
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("job")) {
            errors.at(attr, "`#[job(…)]` is about the whole job: write it above the type");
        }
        if let Some(unfit) = valid::unfit(&field.ty).filter(|_| !is_skipped(&field.attrs)) {
            unfit.report(errors);
            borrows = true;
        }
    }
    if !borrows {
        valid::lifetimes(&input.generics, errors);
    }
    if valid::has_type_params(&input.generics) {
        validate_generic(input, options, errors);
    }
}

fn validate_generic(input: &DeriveInput, options: &Options, errors: &mut Errors) {
    let job = &input.ident;
    if !options.producer {
        let reason = format!(
            "a job with type parameters cannot register itself: add `#[job(producer)]` and \
             register each concrete type with `.job::<{job}<..>, _>()`"
        );
        errors.at(&input.generics.params, reason);
    } else if options.name.is_none() {
        let reason = "all concrete types of a generic job share one name: choose it with \
                      `#[job(name = \"…\")]`, and let one worker run only one of them";
        errors.at(job, reason);
    }
}

fn fields(data: &Data) -> Vec<&Field> {
    match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(data) => data.fields.named.iter().collect(),
    }
}

/// A field that serde leaves out may hold anything.
fn is_skipped(attrs: &[Attribute]) -> bool {
    let serde = attrs.iter().filter(|attr| attr.path().is_ident("serde"));
    serde.filter_map(|attr| attr.meta.require_list().ok()).any(|list| {
        list.tokens.clone().into_iter().any(|token| {
            matches!(token, TokenTree::Ident(word)
                if word == "skip" || word == "skip_deserializing")
        })
    })
}
