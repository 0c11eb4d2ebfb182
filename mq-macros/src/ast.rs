//! What an item of the user's says, before anything is generated from it.

use proc_macro2::{Ident, Span};
use syn::{GenericArgument, PathArguments, Type};

/// The state in `Context<S>`: `None` if the type is no context, `Some(None)` for a bare `Context`.
pub(crate) fn context_state(ty: &Type) -> Option<Option<&Type>> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Context")?;
    match &last.arguments {
        PathArguments::None => Some(None),
        PathArguments::AngleBracketed(list) => match list.args.first() {
            Some(GenericArgument::Type(state)) if list.args.len() == 1 => Some(Some(state)),
            _ => None,
        },
        PathArguments::Parenthesized(_) => None,
    }
}

/// The context behind `&Context<S>`.
pub(crate) fn borrowed_context(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(by) if context_state(&by.elem).is_some() => Some(&by.elem),
        _ => None,
    }
}

/// The second argument of a `Result<T, E>` that is written with both.
///
/// An alias such as `anyhow::Result<T>` is left to the compiler, which knows what it stands for.
pub(crate) fn written_error(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
    match (list.args.first(), list.args.get(1)) {
        (Some(GenericArgument::Type(_)), Some(GenericArgument::Type(error))) => Some(error),
        _ => None,
    }
}

/// A word of ours that cannot meet one of the user's.
pub(crate) fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
