//! Turns a handler's panic into a failure with its message and its place.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Where the latest panic of this thread was. The payload that `catch_unwind` brings does not
    /// say, only the hook is told.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Starts to note the places of panics. What the program's own hook does, it goes on doing.
pub(crate) fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string);
            // A panic while the thread's storage is being destroyed has no place to go.
            let _ = PLACE.try_with(|slot| *slot.borrow_mut() = place);
            before(info);
        }));
    });
}

/// Runs a piece of a handler; the error is the text of its panic.
pub(crate) fn catch<T>(piece: impl FnOnce() -> T) -> Result<T, String> {
    // Whatever state the handler left behind half done, nobody will look at it again.
    catch_unwind(AssertUnwindSafe(piece)).map_err(|payload| text(payload.as_ref()))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let message = if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.as_str()
    } else {
        "with a value that is not a text"
    };
    match PLACE.try_with(|slot| slot.borrow_mut().take()).ok().flatten() {
        Some(place) => format!("panicked at {place}: {message}"),
        None => format!("panicked: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_and_place_are_kept() {
        note_places();
        let line = line!() + 1;
        let caught: Result<(), _> = catch(|| panic!("no {}", "luck"));
        let text = caught.unwrap_err();
        assert!(text.contains(&format!("panic.rs:{line}:")), "{text}");
        assert!(text.ends_with(": no luck"), "{text}");
        assert_eq!(catch(|| 3), Ok(3));
    }
}
