//! The grammar of `#[job(…)]`: which options there are and what their values look like.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, LitInt, LitStr, Path, Token, Type};

use crate::errors::Errors;
use crate::{duration, name, suggest};

const OPTIONS: [&str; 13] = [
    "name",
    "was",
    "queue",
    "max_attempts",
    "timeout",
    "backoff",
    "priority",
    "retention",
    "state",
    "output",
    "producer",
    "blocking",
    "crate",
];
const BACKOFFS: [&str; 6] = ["exponential", "linear", "fixed", "base", "max", "jitter"];
const PRIORITIES: [&str; 3] = ["high", "normal", "low"];
const JITTERS: [&str; 3] = ["none", "quarter", "full"];

/// Everything that `#[job(…)]` can say.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) was: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) priority: Option<&'static str>,
    pub(crate) retention: Option<Duration>,
    pub(crate) state: Option<Type>,
    pub(crate) output: Option<Type>,
    pub(crate) producer: bool,
    pub(crate) blocking: bool,
    pub(crate) krate: Option<Path>,
    /// Where each option stands, to find those given twice and to point at them.
    given: Vec<Ident>,
}

/// What `backoff(…)` says.
#[derive(Default)]
pub(crate) struct Backoff {
    pub(crate) growth: Option<&'static str>,
    pub(crate) base: Option<Duration>,
    pub(crate) max: Option<Duration>,
    pub(crate) jitter: Option<&'static str>,
}

impl Options {
    /// Reads all `#[job(…)]` of an item.
    pub(crate) fn of_item(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("job")) {
            let list = attr.meta.require_list().map(|list| list.tokens.clone());
            if let Some(tokens) = errors.keep(list) {
                options.read(tokens, errors);
            }
        }
        options
    }

    /// Reads the options inside the brackets. Goes on after a mistake at the next comma.
    pub(crate) fn read(&mut self, tokens: proc_macro2::TokenStream, errors: &mut Errors) {
        let parser = |input: ParseStream<'_>| {
            each(input, errors, |input, errors| self.option(input, errors));
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
    }

    /// Where an option was given.
    pub(crate) fn given(&self, option: &str) -> Option<&Ident> {
        self.given.iter().find(|given| *given == option)
    }

    fn option(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let word = word(input, "queue = \"mail\"")?;
        let option = word.to_string();
        if !OPTIONS.contains(&option.as_str()) {
            let hint = suggest::hint(&option, &OPTIONS);
            return Err(syn::Error::new(word.span(), format!("unknown option `{option}`: {hint}")));
        }
        let twice = option != "was" && self.given(&option).is_some();
        if twice {
            errors.at(&word, format!("`{option}` is given twice: remove one"));
        }
        self.given.push(word.clone());
        match option.as_str() {
            "name" => self.name = Some(checked_name(input, &word, "job name")?),
            "was" => self.was(input, &word)?,
            "queue" => self.queue = Some(checked_name(input, &word, "queue name")?),
            "max_attempts" => self.max_attempts = Some(attempts(input, &word)?),
            "timeout" => {
                let reason = "no attempt could succeed in it";
                self.timeout = Some(lasting(input, &word, reason)?);
            }
            "retention" => {
                let reason = "to keep nothing, leave the option away";
                self.retention = Some(lasting(input, &word, reason)?);
            }
            "backoff" => self.backoff = Some(backoff(input, &word)?),
            "priority" => self.priority = Some(choice(input, &word, &PRIORITIES)?),
            "state" => self.state = Some(value(input, &word, "state = App")?),
            "output" => self.output = Some(value(input, &word, "output = Receipt")?),
            "crate" => self.krate = Some(value(input, &word, "crate = my_app::mq")?),
            "producer" => self.producer = flag(input, &word)?,
            _ => self.blocking = flag(input, &word)?,
        }
        Ok(())
    }

    /// `was = "a"`, or `was("a", "b")`.
    fn was(&mut self, input: ParseStream<'_>, word: &Ident) -> syn::Result<()> {
        if input.peek(syn::token::Paren) {
            let list;
            syn::parenthesized!(list in input);
            let names = list.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?;
            for name in names {
                check(&name, "former job name")?;
                self.was.push(name);
            }
            return Ok(());
        }
        self.was.push(checked_name(input, word, "former job name")?);
        Ok(())
    }
}

/// Reads items between commas; a mistake in one does not hide those in the others.
fn each(
    input: ParseStream<'_>,
    errors: &mut Errors,
    mut read: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    while !input.is_empty() {
        let result = read(input, errors);
        let failed = errors.keep(result).is_none();
        if !failed && !input.is_empty() && !input.peek(Token![,]) {
            errors.push(input.error("expected `,` before the next option"));
        }
        // What a mistake has left over, up to where the next option starts.
        while !input.is_empty() && !input.peek(Token![,]) {
            let _ = input.parse::<TokenTree>();
        }
        let _ = input.parse::<Option<Token![,]>>();
    }
}

/// `crate` is an option, so keywords count as words.
fn word(input: ParseStream<'_>, example: &str) -> syn::Result<Ident> {
    if input.peek(Ident::peek_any) {
        return Ident::parse_any(input);
    }
    Err(input.error(format!("expected an option such as `{example}`")))
}

fn value<T: syn::parse::Parse>(
    input: ParseStream<'_>,
    word: &Ident,
    example: &str,
) -> syn::Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(word.span(), format!("write `{example}`")));
    }
    input.parse::<Token![=]>()?;
    input.parse()
}

fn text(input: ParseStream<'_>, word: &Ident) -> syn::Result<LitStr> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(word.span(), format!("write `{word} = \"…\"`")));
    }
    input.parse::<Token![=]>()?;
    if !input.peek(LitStr) {
        return Err(input.error(format!("expected a string: write `{word} = \"…\"`")));
    }
    input.parse()
}

fn checked_name(input: ParseStream<'_>, word: &Ident, what: &str) -> syn::Result<LitStr> {
    let name = text(input, word)?;
    check(&name, what)?;
    Ok(name)
}

fn check(name: &LitStr, what: &str) -> syn::Result<()> {
    name::check(what, &name.value()).map_err(|reason| syn::Error::new(name.span(), reason))
}

fn attempts(input: ParseStream<'_>, word: &Ident) -> syn::Result<u32> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(word.span(), format!("write `{word} = 10`")));
    }
    input.parse::<Token![=]>()?;
    let place = input.span();
    let number = input.parse::<LitInt>().and_then(|number| number.base10_parse::<u32>());
    let reason = match number {
        Ok(0) => "a job needs at least one attempt: write 1 to never try again".to_owned(),
        Ok(attempts) => return Ok(attempts),
        Err(_) => format!("expected a whole number from 1 to {}", u32::MAX),
    };
    Err(syn::Error::new(place, reason))
}

fn time(input: ParseStream<'_>, word: &Ident) -> syn::Result<(Duration, Span)> {
    if input.peek(Token![=]) && input.peek2(LitInt) {
        input.parse::<Token![=]>()?;
        let number: LitInt = input.parse()?;
        let reason = format!("`{number}` has no unit: write for example `{word} = \"{number}s\"`");
        return Err(syn::Error::new(number.span(), reason));
    }
    let text = text(input, word)?;
    let time = duration::parse(&text.value());
    time.map(|time| (time, text.span())).map_err(|error| syn::Error::new(text.span(), error))
}

/// A duration that cannot be zero.
fn lasting(input: ParseStream<'_>, word: &Ident, reason: &str) -> syn::Result<Duration> {
    match time(input, word)? {
        (Duration::ZERO, span) => {
            Err(syn::Error::new(span, format!("a {word} of zero makes no sense: {reason}")))
        }
        (time, _) => Ok(time),
    }
}

fn choice(
    input: ParseStream<'_>,
    word: &Ident,
    known: &[&'static str],
) -> syn::Result<&'static str> {
    let text = text(input, word)?;
    known_word(&text.value(), text.span(), &format!("{word} "), known)
}

fn known_word(
    word: &str,
    span: Span,
    what: &str,
    known: &[&'static str],
) -> syn::Result<&'static str> {
    known.iter().find(|known| **known == word).copied().ok_or_else(|| {
        syn::Error::new(span, format!("unknown {what}`{word}`: {}", suggest::hint(word, known)))
    })
}

fn flag(input: ParseStream<'_>, word: &Ident) -> syn::Result<bool> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(true);
    }
    let reason = match input.peek(Token![=]) || input.peek(syn::token::Paren) {
        true => format!("`{word}` takes no value: write only `{word}`"),
        false => "expected `,` before the next option".to_owned(),
    };
    Err(input.error(reason))
}

fn backoff(input: ParseStream<'_>, word: &Ident) -> syn::Result<Backoff> {
    const EXAMPLE: &str = "backoff(exponential, base = \"2s\", max = \"1h\")";
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(word.span(), format!("write `{EXAMPLE}`")));
    }
    let list;
    syn::parenthesized!(list in input);
    let mut backoff = Backoff::default();
    let mut given: Vec<String> = Vec::new();
    let mut errors = Errors::default();
    each(&list, &mut errors, |input, _| {
        let word = self::word(input, "base = \"2s\"")?;
        let option = known_word(&word.to_string(), word.span(), "backoff ", &BACKOFFS)?;
        let slot = if matches!(option, "base" | "max" | "jitter") { option } else { "growth" };
        if given.iter().any(|given| given == slot) {
            let reason = match slot {
                "growth" => format!("a backoff grows in one way only: remove `{option}`"),
                _ => format!("`{option}` is given twice: remove one"),
            };
            return Err(syn::Error::new(word.span(), reason));
        }
        given.push(slot.to_owned());
        match option {
            "base" => backoff.base = Some(time(input, &word)?.0),
            "max" => backoff.max = Some(time(input, &word)?.0),
            "jitter" => backoff.jitter = Some(choice(input, &word, &JITTERS)?),
            growth => backoff.growth = flag(input, &word)?.then_some(growth),
        }
        Ok(())
    });
    errors.into_result()?;
    check_backoff(&backoff, word)?;
    Ok(backoff)
}

fn check_backoff(backoff: &Backoff, word: &Ident) -> syn::Result<()> {
    let reason = match (backoff.growth, backoff.base, backoff.max) {
        (Some(growth @ ("linear" | "fixed")), None, _) => {
            format!("a {growth} backoff needs its first delay: add `base = \"10s\"`")
        }
        (_, Some(base), Some(max)) if max < base => {
            "`max` is shorter than `base`: no delay could be right".to_owned()
        }
        _ => return Ok(()),
    };
    Err(syn::Error::new(word.span(), reason))
}

/// Everything that `#[mq::handler(…)]` can say.
#[derive(Default)]
pub(crate) struct HandlerOptions {
    pub(crate) state: Option<Type>,
    pub(crate) krate: Option<Path>,
}

impl HandlerOptions {
    /// Reads the options inside the brackets.
    pub(crate) fn read(tokens: proc_macro2::TokenStream, errors: &mut Errors) -> Self {
        const KNOWN: [&str; 2] = ["state", "crate"];
        let mut options = Self::default();
        let parser = |input: ParseStream<'_>| {
            each(input, errors, |input, _| {
                let word = word(input, "state = App")?;
                match known_word(&word.to_string(), word.span(), "option ", &KNOWN)? {
                    "state" => options.state = Some(value(input, &word, "state = App")?),
                    _ => options.krate = Some(value(input, &word, "crate = my_app::mq")?),
                }
                Ok(())
            });
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }
}
