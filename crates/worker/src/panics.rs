//! Panics of a native application: caught where they come out of its code, and told in words.

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;
use std::task::Poll;

use ferricorn_application::service::LocalFuture;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has the place of each panic remembered, before whoever else has a hook is told of it.
pub(crate) fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let place = info.location().map(ToString::to_string);
            // The thread may be at its end, where it remembers nothing any more.
            let _ = PLACE.try_with(|known| known.replace(place));
            next(info);
        }));
    });
}

/// Runs something of the application's. The error says what it panicked with, and where.
pub(crate) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // What was in the making is thrown away with the future, or the body, that it belongs to.
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| words(payload.as_ref()))
}

/// The same for a future, from its making to its end.
pub(crate) fn caught<T>(make: impl FnOnce() -> LocalFuture<T>) -> impl Future<Output = Result<T, String>> {
    // At once: what `make` holds, be it a request, needs no room here.
    let made = caught_now(make);
    async move {
        let mut future = made?;
        poll_fn(|context| match caught_now(|| future.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(words) => Poll::Ready(Err(words)),
        })
        .await
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a value that is no text");
    match PLACE.take() {
        Some(place) => format!("{text} (at {place})"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn words_and_place_of_a_panic_come_out() {
        remember_places();
        async fn runs_dry() {
            panic!("out of {}", "oil")
        }
        let mut future = Box::pin(caught(|| Box::pin(runs_dry())));
        let Poll::Ready(Err(words)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it is over")
        };
        assert!(words.starts_with("out of oil (at ") && words.contains("panics.rs:"), "{words}");
        assert_eq!(caught_now(|| 7), Ok(7));
    }
}
