//! `#[mq::job]`: an async function becomes a job type, a function that makes one, and a handler.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, FnArg, ItemFn, Pat, PatType, ReturnType, Safety, Signature, Type};

use crate::attr::Options;
use crate::errors::Errors;
use crate::{ast, expand, handler, name, valid};

/// What the function's signature says.
#[derive(Default)]
struct Arguments {
    fields: Vec<Field>,
    context: Option<Type>,
    /// In the function's order: what its body is called with.
    call: Vec<TokenStream>,
}

struct Field {
    attrs: Vec<Attribute>,
    name: Ident,
    ty: Type,
}

/// Expands the attribute. After a mistake the type and the function are still there, so that code
/// which uses them does not fail as well.
pub(crate) fn expand(options: TokenStream, function: &ItemFn) -> TokenStream {
    let mut errors = Errors::default();
    let mut parsed = Options::default();
    parsed.read(options, &mut errors);
    if let Some(receiver) = function.sig.receiver() {
        let reason = "a job is a function of its own: to make a method run, write \
                      `#[derive(Job)]` on the type and `#[mq::handler]` on the `impl`";
        errors.at(receiver, reason);
        let errors = errors.into_tokens();
        // Types cannot stand inside an `impl`, so the method stays as it is.
        return quote!(#errors #function);
    }
    validate_options(&parsed, &mut errors);
    signature(&function.sig, &parsed, &mut errors);
    let arguments = arguments(&function.sig, &mut errors);

    let function_name = &function.sig.ident;
    let job = format_ident!(
        "{}",
        name::camel_case(&function_name.unraw().to_string()),
        span = function_name.span()
    );
    let state =
        arguments.context.as_ref().and_then(|context| ast::context_state(context).flatten());
    let state = state.or(parsed.state.as_ref()).cloned();
    let state = state.unwrap_or_else(|| expand::no_state(function_name));
    if errors.is_empty() {
        whole(function, &job, &arguments, &state, &parsed)
    } else {
        fallback(function, &job, &parsed, errors)
    }
}

fn whole(
    function: &ItemFn,
    job: &Ident,
    arguments: &Arguments,
    state: &Type,
    options: &Options,
) -> TokenStream {
    let door = expand::door(options.krate.as_ref());
    let value = ast::hidden("value");
    let (output, error, returned, pass) = returns(&function.sig.output, &value, &door);
    let structure = structure(function, job, &arguments.fields, options, &door);
    let constructor = constructor(function, job, &arguments.fields);
    let kind = kind(function, options);
    let generics = &function.sig.generics;
    let implementation = expand::job_impl(job, generics, &kind, &output, options);
    let registration = (!options.producer).then(|| expand::registration(job, state, &door));

    let context = match &arguments.context {
        Some(context) => quote!(#context),
        None => quote!(#door::Context<#state>),
    };
    let cx = ast::hidden("context");
    let body = ast::hidden("__mq_body");
    let call = &arguments.call;
    let finish = if function.sig.asyncness.is_some() { quote!(.await) } else { quote!() };
    let attrs = body_attrs(&function.attrs);
    let Signature { asyncness, fn_token, output: written, .. } = &function.sig;
    let inputs = function.sig.inputs.iter().map(|input| {
        let mut input = input.clone();
        if let FnArg::Typed(argument) = &mut input {
            argument.attrs.clear();
        }
        input
    });
    let block = &function.block;
    quote! {
        #structure
        #constructor
        #implementation
        impl #door::Handler<#state> for #job {
            type Error = #error;
            async fn run(self, #cx: #context) -> #returned {
                #(#attrs)*
                #asyncness #fn_token #body(#(#inputs),*) #written #block
                let _ = &#cx;
                let #value = #body(#(#call),*)#finish;
                #pass
            }
        }
        #registration
    }
}

/// The output, the error, the return type of `run`, and how to get there from the body's value.
fn returns(
    output: &ReturnType,
    value: &Ident,
    door: &TokenStream,
) -> (TokenStream, TokenStream, TokenStream, TokenStream) {
    match output {
        ReturnType::Type(_, ty) if !valid::returns_nothing(output) => {
            let error = handler::error_of(ty, door);
            let output = quote_spanned!(ty.span()=> <#ty as #door::Returned>::Output);
            let returned = quote_spanned! {ty.span()=>
                ::core::result::Result<#output, #error>
            };
            let pass = quote_spanned!(ty.span()=> <#ty as #door::Returned>::into_result(#value));
            (output, error, returned, pass)
        }
        _ => (
            quote!(()),
            quote!(::core::convert::Infallible),
            quote!(::core::result::Result<(), ::core::convert::Infallible>),
            quote!(::core::result::Result::Ok(#value)),
        ),
    }
}

/// The job as a type. Its serde derives come through our door, so that a program whose jobs are
/// functions needs no serde of its own.
fn structure(
    function: &ItemFn,
    job: &Ident,
    fields: &[Field],
    options: &Options,
    door: &TokenStream,
) -> TokenStream {
    let vis = &function.vis;
    let attrs = function.attrs.iter().filter(|attr| belongs_to_type(attr));
    let serde = match &options.krate {
        Some(path) => format!("{}::__private::serde", valid::shown(path)),
        None => "::mq::__private::serde".to_owned(),
    };
    let fields = fields.iter().map(|Field { attrs, name, ty }| {
        let documented = attrs.iter().any(|attr| attr.path().is_ident("doc"));
        let doc = (!documented).then(|| {
            let text = format!("The argument `{name}`.");
            quote!(#[doc = #text])
        });
        quote!(#doc #(#attrs)* pub #name: #ty)
    });
    quote! {
        #(#attrs)*
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            #door::serde::Serialize,
            #door::serde::Deserialize,
        )]
        #[serde(crate = #serde)]
        #vis struct #job { #(#fields),* }
    }
}

fn constructor(function: &ItemFn, job: &Ident, fields: &[Field]) -> TokenStream {
    let vis = &function.vis;
    let name = &function.sig.ident;
    let attrs = function.attrs.iter().filter(|attr| belongs_to_constructor(attr));
    let names: Vec<&Ident> = fields.iter().map(|field| &field.name).collect();
    let types = fields.iter().map(|field| &field.ty);
    quote! {
        #(#attrs)*
        #[must_use = "a job is not enqueued until it is given to `enqueue`"]
        #vis fn #name(#(#names: #types),*) -> #job {
            #job { #(#names),* }
        }
    }
}

/// Derives and serde's options are about the type, and so is what says whether it exists.
fn belongs_to_type(attr: &Attribute) -> bool {
    ["doc", "derive", "serde", "cfg"].iter().any(|name| attr.path().is_ident(name))
}

/// What callers of the function see or run into.
fn belongs_to_constructor(attr: &Attribute) -> bool {
    ["doc", "cfg", "deprecated", "allow"].iter().any(|name| attr.path().is_ident(name))
}

/// What is about the body. Not `deprecated`: our own call of the body would be warned about.
fn body_attrs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| !belongs_to_type(attr) && !attr.path().is_ident("deprecated"))
}

fn kind(function: &ItemFn, options: &Options) -> String {
    match &options.name {
        Some(name) => name.value(),
        None => function.sig.ident.unraw().to_string(),
    }
}

fn validate_options(options: &Options, errors: &mut Errors) {
    if let Some(word) = options.given("output") {
        errors.at(word, "the output of a function is what it returns: remove `output`");
    }
    if let Some(word) = options.given("state") {
        let reason = "the state of a function is that of its argument `cx: Context<App>`: remove \
                      `state`";
        errors.at(word, reason);
    }
}

fn signature(sig: &Signature, options: &Options, errors: &mut Errors) {
    if sig.asyncness.is_none() && !options.blocking {
        let reason = "a job is an `async fn`: write `async fn`, or `#[mq::job(blocking)]` if it \
                      blocks its thread";
        errors.at(sig.fn_token, reason);
    }
    if let Some(constness) = &sig.constness {
        errors.at(constness, "a job cannot be a `const fn`: remove `const`");
    }
    if let Safety::Unsafe(unsafety) = &sig.safety {
        errors.at(unsafety, "mq cannot keep the promises of an `unsafe fn`: make it safe");
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, "a job is called by mq only: remove `extern`");
    }
    if valid::has_type_params(&sig.generics) {
        let reason = "a job has one concrete type: remove the parameters, or write a struct with \
                      `#[derive(Job)]`";
        errors.at(&sig.generics.params, reason);
    }
    valid::returned(&sig.output, errors);
}

fn arguments(sig: &Signature, errors: &mut Errors) -> Arguments {
    let mut arguments = Arguments::default();
    let mut borrows = false;
    for input in &sig.inputs {
        if let FnArg::Typed(argument) = input {
            borrows |= self::argument(argument, &mut arguments, errors);
        }
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, "a job has a fixed number of arguments");
    }
    if !borrows {
        valid::lifetimes(&sig.generics, errors);
    }
    arguments
}

/// Sorts one argument in; answers whether it borrows, which has been reported then.
fn argument(argument: &PatType, arguments: &mut Arguments, errors: &mut Errors) -> bool {
    if ast::context_state(&argument.ty).is_some() {
        let cx = ast::hidden("context");
        arguments.call.push(quote!(#cx));
        if arguments.context.replace((*argument.ty).clone()).is_some() {
            errors.at(argument, "one context is enough: remove this argument");
        }
        return false;
    }
    if let Some(context) = ast::borrowed_context(&argument.ty) {
        let owned = valid::shown(context);
        errors.at(&argument.ty, format!("take the context by value, it is cheap: `{owned}`"));
        return true;
    }
    match &*argument.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
            let name = pattern.ident.clone();
            arguments.call.push(quote!(self.#name));
            let (attrs, ty) = (argument.attrs.clone(), (*argument.ty).clone());
            arguments.fields.push(Field { attrs, name, ty });
        }
        other => {
            let reason = "an argument becomes a field of the job: give it a plain name";
            errors.at(other, reason);
        }
    }
    match valid::unfit(&argument.ty) {
        Some(unfit) => {
            unfit.report(errors);
            true
        }
        None => false,
    }
}

/// The type without fields, the function with the arguments as they are, and no body.
fn fallback(function: &ItemFn, job: &Ident, options: &Options, errors: Errors) -> TokenStream {
    let door = expand::door(options.krate.as_ref());
    let errors = errors.into_tokens();
    let structure = structure(function, job, &[], options, &door);
    let none = syn::Generics::default();
    let kind = kind(function, options);
    let implementation = expand::job_impl(job, &none, &kind, &quote!(()), options);
    let handler = handler::inert(job, &none, &door);
    let vis = &function.vis;
    let name = &function.sig.ident;
    let generics = &function.sig.generics;
    let (parameters, _, bounds) = generics.split_for_impl();
    let inputs = function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) if ast::context_state(&argument.ty).is_none() => {
            let ty = &argument.ty;
            Some(quote!(_: #ty))
        }
        _ => None,
    });
    quote! {
        #errors
        #structure
        #[allow(dead_code, reason = "it stands in for one that could not be made")]
        #vis fn #name #parameters (#(#inputs),*) -> #job #bounds {
            #job {}
        }
        #implementation
        #handler
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistake_is_reported_once_and_the_type_is_still_there() {
        let function: ItemFn = syn::parse_quote!(
            async fn greet(name: &str) {}
        );
        let text = expand(quote!(), &function).to_string();
        assert_eq!(text.matches("compile_error").count(), 1, "{text}");
        assert!(text.contains("use `String` instead of `&str`"), "{text}");
        assert!(text.contains("struct Greet"), "{text}");
    }
}
