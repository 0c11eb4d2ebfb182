//! Rules about types: a job owns its data and has one concrete type.

use quote::ToTokens;
use syn::{GenericArgument, GenericParam, Lifetime, PathArguments, ReturnType, Type};

use crate::errors::Errors;

/// A type that cannot be (part of) a payload.
pub(crate) enum Unfit<'a> {
    /// `&T`, with what to write instead.
    Borrowed(&'a Type, String),
    /// A lifetime other than `'static`.
    Lifetime(&'a Lifetime),
    /// `impl Trait`.
    ImplTrait(&'a Type),
}

impl Unfit<'_> {
    /// Reports it.
    pub(crate) fn report(&self, errors: &mut Errors) {
        match self {
            Self::Borrowed(ty, owned) => {
                let shown = shown(ty);
                let reason = format!("a job owns its data: use `{owned}` instead of `{shown}`");
                errors.at(ty, reason);
            }
            Self::Lifetime(lifetime) => {
                errors.at(lifetime, format!("a job owns its data: `{lifetime}` cannot be stored"));
            }
            Self::ImplTrait(ty) => {
                errors.at(ty, "a job has one concrete type: write it instead of `impl …`");
            }
        }
    }
}

/// The first part of a type that cannot be stored.
pub(crate) fn unfit(ty: &Type) -> Option<Unfit<'_>> {
    match ty {
        Type::Reference(reference) => Some(Unfit::Borrowed(ty, owned(&reference.elem))),
        Type::ImplTrait(_) => Some(Unfit::ImplTrait(ty)),
        Type::Array(array) => unfit(&array.elem),
        Type::Slice(slice) => unfit(&slice.elem),
        Type::Paren(paren) => unfit(&paren.elem),
        Type::Group(group) => unfit(&group.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(unfit),
        Type::Path(path) => path.path.segments.iter().find_map(|part| match &part.arguments {
            PathArguments::AngleBracketed(list) => list.args.iter().find_map(unfit_argument),
            _ => None,
        }),
        _ => None,
    }
}

fn unfit_argument(argument: &GenericArgument) -> Option<Unfit<'_>> {
    match argument {
        GenericArgument::Type(ty) => unfit(ty),
        GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
            Some(Unfit::Lifetime(lifetime))
        }
        _ => None,
    }
}

/// The owned counterpart of what a reference points to.
fn owned(ty: &Type) -> String {
    match ty {
        Type::Slice(slice) => format!("Vec<{}>", shown(&slice.elem)),
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Path(path) if path.path.is_ident("Path") => "PathBuf".to_owned(),
        other => shown(other),
    }
}

/// A type as people write it; tokens print with a space around each.
pub(crate) fn shown(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

/// Refuses lifetimes, unless a borrowed field has been reported already: that says more.
pub(crate) fn lifetimes(generics: &syn::Generics, errors: &mut Errors) {
    for param in &generics.params {
        if let GenericParam::Lifetime(param) = param {
            let lifetime = &param.lifetime;
            let reason = format!("a job owns its data: remove the lifetime `{lifetime}`");
            errors.at(lifetime, reason);
        }
    }
}

/// Whether there are type or constant parameters.
pub(crate) fn has_type_params(generics: &syn::Generics) -> bool {
    generics.params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_)))
}

/// Whether a function returns nothing, by what is written.
pub(crate) fn returns_nothing(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
    }
}

/// Types that are certainly no `Result`. Others may be aliases of one; the compiler knows.
const PLAIN: [&str; 23] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize", "String", "Option", "Vec", "Box", "HashMap", "BTreeMap", "PathBuf",
];

/// Checks what a job returns, as far as it can be told from what is written.
pub(crate) fn returned(output: &ReturnType, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = output else { return };
    let plain = match &**ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| PLAIN.iter().any(|plain| last.ident == plain)),
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_) => true,
        _ => false,
    };
    if let Some(unfit) = unfit(ty).filter(|unfit| !is_static_error(ty, unfit)) {
        unfit.report(errors);
    } else if plain {
        let shown = shown(ty);
        let reason = format!(
            "a job returns a `Result` or nothing: write `Result<{shown}, E>`, where `E` is your \
             error or `std::convert::Infallible`"
        );
        errors.at(ty, reason);
    }
}

/// Whether what is borrowed is the error, and for ever, as in `Result<(), &'static str>`: unlike
/// the output, an error is not stored but its text.
fn is_static_error(ty: &Type, unfit: &Unfit<'_>) -> bool {
    let (Type::Path(path), Unfit::Borrowed(borrowed, _)) = (ty, unfit) else { return false };
    let Some(PathArguments::AngleBracketed(list)) =
        path.path.segments.last().map(|last| &last.arguments)
    else {
        return false;
    };
    let is_error = matches!(list.args.iter().nth(1),
        Some(GenericArgument::Type(error)) if std::ptr::eq(error, *borrowed));
    let is_static = matches!(borrowed, Type::Reference(reference)
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static"));
    is_error && is_static
}
