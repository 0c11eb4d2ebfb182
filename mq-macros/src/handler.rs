//! `#[mq::handler]`: an inherent `impl` with `async fn run` becomes the impl of `Handler`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Block, FnArg, Generics, ImplItem, ImplItemFn, ItemImpl, ReceiverKind, ReturnType, Signature,
    Type,
};

use crate::attr::HandlerOptions;
use crate::errors::Errors;
use crate::{ast, expand, valid};

/// What was found in the block.
#[derive(Default)]
struct Methods {
    run: Option<ImplItemFn>,
    verdict: Option<ImplItemFn>,
}

/// Expands the attribute. After a mistake the handler is still there, but does nothing.
pub(crate) fn expand(options: TokenStream, item: &ItemImpl) -> TokenStream {
    let mut errors = Errors::default();
    let options = HandlerOptions::read(options, &mut errors);
    let door = expand::door(options.krate.as_ref());
    if let Some((path, _)) = &item.trait_ {
        let reason = "`#[mq::handler]` writes the trait's name itself: write `impl MyJob`, or keep \
                      the trait and leave the attribute away";
        errors.at(path, reason);
        let errors = errors.into_tokens();
        return quote!(#errors #item);
    }
    let Methods { run, verdict } = methods(item, &mut errors);
    let context = run.as_ref().and_then(|run| signature(&run.sig, &mut errors));
    let in_context = context.as_ref().and_then(|ty| ast::context_state(ty).flatten());
    if let (Some(_), Some(given)) = (in_context, &options.state) {
        errors.at(given, "the state is that of the `Context<…>` argument: remove this one");
    }
    let state = in_context.or(options.state.as_ref()).cloned();
    let state = state.unwrap_or_else(|| expand::no_state(&item.self_ty));
    let context = context.unwrap_or_else(|| Type::Verbatim(quote!(#door::Context<#state>)));

    let ItemImpl { attrs, impl_token, generics, self_ty, .. } = item;
    let run = match run {
        Some(run) if errors.is_empty() => run,
        _ => {
            let errors = errors.into_tokens();
            let inert = inert(self_ty, generics, &door);
            return quote!(#errors #inert);
        }
    };
    let methods = real(&run, &context, verdict.as_ref(), &door);
    let (parameters, _, bounds) = generics.split_for_impl();
    // A generic job has no one type to register; `.job::<A<u8>, _>()` is for those.
    let registration =
        generics.params.is_empty().then(|| expand::registration(self_ty, &state, &door));
    quote! {
        #(#attrs)*
        #impl_token #parameters #door::Handler<#state> for #self_ty #bounds {
            #methods
        }
        #registration
    }
}

fn methods(item: &ItemImpl, errors: &mut Errors) -> Methods {
    let mut methods = Methods::default();
    let mut others = Vec::new();
    for item in &item.items {
        match item {
            ImplItem::Fn(method) if method.sig.ident == "run" => {
                methods.run = Some(method.clone());
            }
            ImplItem::Fn(method) if method.sig.ident == "verdict" => {
                methods.verdict = Some(method.clone());
            }
            other => others.push(other),
        }
    }
    let misnamed = others.iter().find_map(|other| match other {
        ImplItem::Fn(method) if method.sig.asyncness.is_some() => Some(&method.sig.ident),
        _ => None,
    });
    match (&methods.run, misnamed) {
        (Some(_), _) => {
            for other in others {
                let reason = "a handler has `run` and perhaps `verdict`: move this to an `impl` \
                              block without `#[mq::handler]`";
                errors
                    .at(named(other).map_or_else(|| quote!(#other), |name| quote!(#name)), reason);
            }
        }
        (None, Some(name)) => {
            errors.at(name, format!("a handler's method is `run`: rename `{name}` to `run`"));
        }
        (None, None) => {
            let reason = "a handler needs `async fn run(self, cx: Context) -> Result<…, …>`";
            errors.at(&item.self_ty, reason);
        }
    }
    methods
}

fn named(item: &ImplItem) -> Option<&Ident> {
    match item {
        ImplItem::Fn(method) => Some(&method.sig.ident),
        _ => None,
    }
}

/// Checks `run`'s signature; answers with the type of its context, if it takes one.
fn signature(sig: &Signature, errors: &mut Errors) -> Option<Type> {
    if sig.asyncness.is_none() {
        errors.at(sig.fn_token, "`run` is asynchronous: write `async fn run`");
    }
    if !sig.generics.params.is_empty() {
        errors.at(&sig.generics, "`run` has no parameters of its own: remove them");
    }
    valid::returned(&sig.output, errors);
    match sig.receiver() {
        Some(receiver) if !matches!(receiver.kind, ReceiverKind::Value) => {
            errors.at(receiver, "`run` consumes the job: write `self`");
        }
        Some(_) => {}
        None => errors.at(&sig.ident, "`run` works on a job: write `self` as its first argument"),
    }
    let mut context = None;
    for input in &sig.inputs {
        let FnArg::Typed(argument) = input else { continue };
        if ast::context_state(&argument.ty).is_some() {
            if context.replace((*argument.ty).clone()).is_some() {
                errors.at(argument, "one context is enough: remove this argument");
            }
        } else if let Some(borrowed) = ast::borrowed_context(&argument.ty) {
            let owned = valid::shown(borrowed);
            errors.at(&argument.ty, format!("take the context by value, it is cheap: `{owned}`"));
        } else {
            let reason = "`run` takes `self` and a `Context`: what the job needs are its fields, \
                          what all jobs share is the context's state";
            errors.at(argument, reason);
        }
    }
    context
}

fn real(
    run: &ImplItemFn,
    context: &Type,
    verdict: Option<&ImplItemFn>,
    door: &TokenStream,
) -> TokenStream {
    let ImplItemFn { attrs, sig, block, .. } = run;
    let inputs = &sig.inputs;
    let unused = ast::hidden("_context");
    let missing = (inputs.len() < 2).then(|| quote!(, #unused: #context));
    let comma_free: Vec<&FnArg> = inputs.iter().collect();
    let (error, output, block) = returns(&sig.output, block, door);
    let (asyncness, fn_token, name) = (&sig.asyncness, &sig.fn_token, &sig.ident);
    quote! {
        type Error = #error;
        #(#attrs)*
        #asyncness #fn_token #name(#(#comma_free),* #missing) #output #block
        #verdict
    }
}

/// The error type, the return type and the body, which are the user's own unless nothing is
/// returned: such a handler cannot fail.
fn returns(
    output: &ReturnType,
    block: &Block,
    door: &TokenStream,
) -> (TokenStream, TokenStream, TokenStream) {
    match output {
        ReturnType::Type(_, ty) if !valid::returns_nothing(output) => {
            (error_of(ty, door), quote!(#output), quote!(#block))
        }
        _ => (
            quote!(::core::convert::Infallible),
            quote!(-> ::core::result::Result<(), ::core::convert::Infallible>),
            quote!({
                (async move #block).await;
                ::core::result::Result::Ok(())
            }),
        ),
    }
}

/// The error type of what a function returns.
pub(crate) fn error_of(ty: &Type, door: &TokenStream) -> TokenStream {
    match ast::written_error(ty) {
        Some(error) => quote!(#error),
        None => quote_spanned!(ty.span()=> <#ty as #door::Returned>::Error),
    }
}

/// Stands in for a handler that could not be made. Takes any state, so that nobody misses one.
pub(crate) fn inert(job: &impl ToTokens, generics: &Generics, door: &TokenStream) -> TokenStream {
    let state = ast::hidden("State");
    let mut generics = generics.clone();
    generics.params.push(syn::parse_quote! {
        #state: ::core::marker::Send + ::core::marker::Sync + 'static
    });
    let (parameters, _, bounds) = generics.split_for_impl();
    quote! {
        impl #parameters #door::Handler<#state> for #job #bounds {
            type Error = ::core::convert::Infallible;
            async fn run(
                self,
                _: #door::Context<#state>,
            ) -> ::core::result::Result<Self::Output, Self::Error> {
                ::core::unreachable!()
            }
        }
    }
}
