//! Catching a guest's panic, quietly.
//!
//! A panic is how a guest dies: of a bug, of a bad memory access, of empty fuel. The machine catches it and goes on.
//! A hook that is quiet only on threads that are inside [`catch`] keeps message and place for people, who are not told
//! on stderr and not in the trace; of the place only the crate goes into the trace, because it is the same on every
//! machine.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any, set_hook, take_hook};
use std::sync::Once;

use crate::hypervisor::Fault;

/// What is known of a panic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// The crate that panicked.
    pub krate: String,
    /// Message and place, for people.
    pub text: String,
}

thread_local! {
    /// Present while the thread is inside `catch`.
    static CAUGHT: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic in it becomes a value.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |info| {
            if !note(info) {
                loud(info);
            }
        }));
    });
    let outer = CAUGHT.replace(Some(Panicked::default()));
    // The machine looks at nothing that `f` may have left half done but what it made for this run.
    let result = catch_unwind(AssertUnwindSafe(f));
    let caught = CAUGHT.replace(outer);
    result.map_err(|_| caught.unwrap_or_default())
}

/// Kills the running guest, as a page fault would.
pub(crate) fn fault(fault: Fault) -> ! {
    panic_any(fault)
}

fn note(info: &PanicHookInfo<'_>) -> bool {
    CAUGHT.with(|caught| {
        let Ok(mut caught) = caught.try_borrow_mut() else {
            return false;
        };
        let Some(caught) = caught.as_mut() else {
            return false;
        };
        *caught = describe(info);
        true
    })
}

fn describe(info: &PanicHookInfo<'_>) -> Panicked {
    if let Some(fault) = info.payload().downcast_ref::<Fault>() {
        return Panicked {
            krate: "page-fault".into(),
            text: fault.to_string(),
        };
    }
    let payload = info.payload();
    let message = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "a value of no known type",
    };
    let (krate, place) = match info.location() {
        Some(place) => (crate_of(place.file()), place.to_string()),
        None => ("unknown", String::new()),
    };
    Panicked {
        krate: krate.into(),
        text: format!("{message} ({place})"),
    }
}

/// The crate of a source file: the folder above its `src` or `tests`, without a version.
fn crate_of(file: &str) -> &str {
    let mut folder = "guest";
    let mut krate = None;
    for part in file.split(['/', '\\']) {
        if matches!(part, "src" | "tests") {
            krate = Some(folder);
        }
        folder = part;
    }
    let krate = krate.unwrap_or("guest");
    match krate.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => krate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_crate_and_its_text() {
        let panicked = catch(|| panic!("no such luck {}", 1)).unwrap_err();
        assert_eq!(panicked.krate, "xenemu");
        assert!(panicked.text.starts_with("no such luck 1 ("));
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[test]
    fn a_crate_is_named_the_same_wherever_it_was_built() {
        assert_eq!(crate_of("stack/src/tcp/mod.rs"), "stack");
        let registry = "/home/me/.cargo/registry/src/index-1/smoltcp-0.14.0/src/wire/ip.rs";
        assert_eq!(crate_of(registry), "smoltcp");
        assert_eq!(crate_of("/rustc/0123/library/core/src/num/mod.rs"), "core");
        assert_eq!(crate_of("odd.rs"), "guest");
    }
}
