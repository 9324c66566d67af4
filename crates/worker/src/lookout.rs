//! The lookout: a thread of the worker's that looks after calls which take long, because the thread that is in such a
//! call can do nothing. What is done about them are [`Duty`]s. It knows no Python, touches nothing of the main thread's
//! runtime, and sees of a call only when it began: that is at the [`Post`] of the thread that is in it.
//!
//! A call that is short costs two stores at the post. The lookout looks again when a call that it has seen would become
//! long, or one that has begun since could be; once nothing goes on it rests until the next call begins.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use ferricorn_application::{GoesOn, target};
use ferricorn_unix::clock;
use ferricorn_unix::thread::spawn_undisturbed;
use http::request::Parts;

/// The post of the main thread, where that makes the calls.
pub(crate) const MAIN_THREAD: usize = 0;

/// What is to be done about calls that take long.
pub(crate) trait Duty: Send {
    /// How long a call goes on before it matters here.
    fn after(&self) -> Duration;

    /// A call has gone on for that long. Says how much later to come back to it, if it goes on, or that this was all. To
    /// take long here is to keep the other duties waiting.
    fn attend(&mut self, call: &LongCall<'_>) -> Option<Duration>;

    /// Spends a pause, which may end early, with something of its own to wait for; `false`: it has nothing.
    fn wait(&mut self, _pause: Duration) -> bool {
        false
    }
}

/// A call that goes on, or did a moment ago.
pub(crate) struct LongCall<'a> {
    posts: &'a Arc<Posts>,
    /// The number of the post: of the thread that is in it.
    pub(crate) number: usize,
    /// When it began, by the monotonic clock. No two calls of a thread begin at the same time.
    pub(crate) began: Duration,
}

impl LongCall<'_> {
    /// Whether it still goes on.
    pub(crate) fn goes_on(&self) -> bool {
        self.posts.call(self.number) == Some(self.began)
    }

    /// The same question for another thread.
    pub(crate) fn question(&self) -> GoesOn {
        let (posts, number, began) = (Arc::clone(self.posts), self.number, self.began);
        Arc::new(move || posts.call(number) == Some(began))
    }

    /// The request, if it was described.
    pub(crate) fn what(&self) -> String {
        self.posts.posts[self.number].what().clone()
    }

    /// To be called once its thread has been told to end it, or cannot be told.
    pub(crate) fn notice(&self) -> impl FnOnce() + Send + use<> {
        let (posts, number, began) = (Arc::clone(self.posts), self.number, self.began);
        move || {
            let mut told = posts.posts[number].told();
            // A call that is over has nothing to do with the next one.
            if posts.call(number) == Some(began) {
                *told = Some(Told { call: began, looks: 0 });
            }
        }
    }

    /// The call has gone on for longer than it may, and its thread is to know.
    pub(crate) fn note_late(&self) {
        self.posts.posts[self.number].late.store(word_of(self.began), Ordering::SeqCst);
    }
}

/// Where a thread that makes calls says which one it is in. `call`: when that began, in nanoseconds shifted by one, and in the lowest
/// bit whether it still goes on.
#[derive(Default)]
struct Post {
    call: AtomicU64,
    /// The last call that went on for too long, in the same form.
    late: AtomicU64,
    /// The number of the last call, where the main thread knows calls by numbers.
    of_crew: AtomicU64,
    /// Which request it is about, where somebody will ask.
    what: Mutex<String>,
    /// The last call that its thread has been told to end.
    told: Mutex<Option<Told>>,
}

struct Told {
    /// When the call began.
    call: Duration,
    /// How often the main thread has found since then that it goes on.
    looks: u32,
}

impl Post {
    fn what(&self) -> MutexGuard<'_, String> {
        self.what.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The main thread looks once more: whether this call was to end, and goes on though it has looked so often.
    fn look(&self, began: Duration, patience: u32) -> bool {
        let mut told = self.told();
        let Some(told) = told.as_mut().filter(|told| told.call == began) else { return false };
        told.looks = told.looks.saturating_add(1);
        told.looks > patience
    }
}

fn word_of(began: Duration) -> u64 {
    (began.as_nanos() as u64) << 1 | 1
}

fn call_in(word: u64) -> Option<Duration> {
    (word & 1 == 1).then(|| Duration::from_nanos(word >> 1))
}

/// What the lookout shares with the threads that it looks after.
#[derive(Default)]
pub(crate) struct Posts {
    posts: Box<[Post]>,
    /// Somebody will ask which requests take long.
    describes: bool,
    /// The lookout wants to be woken by the next call.
    rests: AtomicBool,
    closed: AtomicBool,
    lookout: OnceLock<Thread>,
}

impl Posts {
    /// For so many threads; with `describes` they are to say which request a call is about.
    pub(crate) fn new(threads: usize, describes: bool) -> Arc<Self> {
        Arc::new(Self { posts: (0..threads).map(|_| Post::default()).collect(), describes, ..Self::default() })
    }

    /// Which request the next call of this thread is about. `of_crew`: see [`of_crew`](Self::of_crew).
    pub(crate) fn describe(&self, number: usize, of_crew: u64, head: &Parts) {
        if self.describes {
            let post = &self.posts[number];
            *post.what() = format!("{} {}", head.method, target::path(head));
            post.of_crew.store(of_crew, Ordering::Release);
        }
    }

    /// The thread at this post begins a call. To be called by that thread alone.
    pub(crate) fn begin(&self, number: usize, now: Duration) {
        // Sequentially consistent on both sides: either the lookout sees the call, or it is seen to rest.
        self.posts[number].call.store(word_of(now), Ordering::SeqCst);
        if self.rests.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Its call has returned.
    pub(crate) fn end(&self, number: usize) {
        let word = &self.posts[number].call;
        word.store(word.load(Ordering::Relaxed) & !1, Ordering::Release);
    }

    /// The call that the thread at this post is in.
    pub(crate) fn call(&self, number: usize) -> Option<Duration> {
        call_in(self.posts[number].call.load(Ordering::SeqCst))
    }

    /// How many threads are in calls that have gone on for at least this long.
    pub(crate) fn as_long_as(&self, length: Duration) -> usize {
        let now = clock::monotonic();
        let is_longer = |began: Duration| now.saturating_sub(began) >= length;
        (0..self.posts.len()).filter(|number| self.call(*number).is_some_and(is_longer)).count()
    }

    /// Whether the last call at this post went on, or goes on, for longer than it may.
    pub(crate) fn is_late(&self, number: usize) -> bool {
        let post = &self.posts[number];
        post.late.load(Ordering::SeqCst) == post.call.load(Ordering::SeqCst) | 1
    }

    /// Calls that were to end and go on though the main thread has looked so often, by the numbers that it knows. To look is to
    /// call this. It is looks that count, not time: when the machine stands still neither side has had any.
    pub(crate) fn of_crew(&self, patience: u32) -> Vec<u64> {
        let number = |at: usize| {
            let began = self.call(at).filter(|began| self.posts[at].look(*began, patience))?;
            let number = self.posts[at].of_crew.load(Ordering::Acquire);
            // If it is still in the same call, that is the number of this one.
            (self.call(at) == Some(began)).then_some(number)
        };
        (0..self.posts.len()).filter_map(number).collect()
    }

    /// There will be no more calls; the lookout ends, if there is one.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(lookout) = self.lookout.get() {
            lookout.unpark();
        }
    }
}

/// Starts a lookout with these duties. Without any there is none.
pub(crate) fn start(posts: &Arc<Posts>, duties: Vec<Box<dyn Duty>>) -> io::Result<()> {
    if duties.is_empty() {
        return Ok(());
    }
    let lookout = Lookout::new(Arc::clone(posts), duties);
    let handle = spawn_undisturbed("lookout", || lookout.look_out())?;
    if posts.lookout.set(handle.thread().clone()).is_err() {
        return Err(io::Error::other("there is a lookout already"));
    }
    // It may rest since before anybody could have woken it.
    posts.wake();
    Ok(())
}

struct Lookout {
    posts: Arc<Posts>,
    engagements: Vec<Engagement>,
    /// The posts as last seen.
    seen: Vec<u64>,
    /// No call can become long sooner than this after it began.
    shortest: Duration,
}

/// A duty, and for each post the call that it is about next.
struct Engagement {
    duty: Box<dyn Duty>,
    next: Vec<Next>,
}

#[derive(Clone, Copy, Default)]
struct Next {
    call: Duration,
    due: Option<Duration>,
}

impl Lookout {
    fn new(posts: Arc<Posts>, duties: Vec<Box<dyn Duty>>) -> Self {
        let count = posts.posts.len();
        let shortest = duties.iter().map(|duty| duty.after()).min().unwrap_or_default();
        let engage = |duty| Engagement { duty, next: vec![Next::default(); count] };
        Self { posts, engagements: duties.into_iter().map(engage).collect(), seen: vec![0; count], shortest }
    }

    fn look_out(mut self) {
        while !self.posts.closed.load(Ordering::SeqCst) {
            match self.look() {
                Some(pause) => self.pause(pause),
                None => self.rest(),
            }
        }
    }

    /// Attends to what is due. Says how long nothing more can be; `None` if nothing goes on, and nothing has since the last
    /// look.
    fn look(&mut self) -> Option<Duration> {
        let now = clock::monotonic();
        let mut quiet = true;
        let mut next = now + self.shortest;
        for (number, post) in self.posts.posts.iter().enumerate() {
            let word = post.call.load(Ordering::SeqCst);
            quiet &= std::mem::replace(&mut self.seen[number], word) == word;
            let Some(began) = call_in(word) else { continue };
            quiet = false;
            let call = LongCall { posts: &self.posts, number, began };
            let due = self.engagements.iter_mut().filter_map(|engagement| engagement.attend(&call, now));
            next = due.fold(next, Duration::min);
        }
        (!quiet).then(|| next.saturating_sub(clock::monotonic()))
    }

    /// A call may end before that; then there is nothing to be missed.
    fn pause(&mut self, pause: Duration) {
        if !self.engagements.iter_mut().any(|engagement| engagement.duty.wait(pause)) {
            thread::park_timeout(pause);
        }
    }

    /// Until the next call begins.
    fn rest(&self) {
        self.posts.rests.store(true, Ordering::SeqCst);
        let word = |post: &Post| post.call.load(Ordering::SeqCst);
        let unchanged = self.posts.posts.iter().zip(&self.seen).all(|(post, seen)| word(post) == *seen);
        if unchanged && !self.posts.closed.load(Ordering::SeqCst) {
            thread::park();
        }
        self.posts.rests.store(false, Ordering::SeqCst);
    }
}

impl Engagement {
    /// Says when to come back to this call.
    fn attend(&mut self, call: &LongCall<'_>, now: Duration) -> Option<Duration> {
        let next = &mut self.next[call.number];
        if next.call != call.began {
            *next = Next { call: call.began, due: Some(call.began + self.duty.after()) };
        }
        if next.due.is_some_and(|due| due <= now) && call.goes_on() {
            next.due = self.duty.attend(call).map(|later| clock::monotonic() + later);
        }
        next.due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Tells of each call once, and again after the same time.
    struct Tell(Duration, Sender<(usize, Duration)>);

    impl Duty for Tell {
        fn after(&self) -> Duration {
            self.0
        }

        fn attend(&mut self, call: &LongCall<'_>) -> Option<Duration> {
            self.1.send((call.number, call.began)).unwrap();
            Some(self.0)
        }
    }

    fn wait_rest(posts: &Posts) {
        while !posts.rests.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }

    #[test]
    fn long_calls_are_attended_to_again_and_again() {
        let (posts, (told, tellings)) = (Posts::new(2, false), channel());
        start(&posts, vec![Box::new(Tell(Duration::from_millis(5), told))]).unwrap();
        wait_rest(&posts);
        let long = clock::monotonic();
        posts.begin(1, long);
        for _ in 0..1000 {
            posts.begin(0, clock::monotonic());
            posts.end(0);
        }
        // On a busy machine a call of the other thread may become long, too.
        let of_long = tellings.iter().filter(|telling| *telling == (1, long));
        assert_eq!(of_long.take(3).count(), 3);
        posts.end(1);
        wait_rest(&posts);
        while tellings.try_recv().is_ok() {}
        let another = clock::monotonic();
        posts.begin(0, another);
        assert_eq!(tellings.recv().unwrap(), (0, another));
        posts.close();
        // The thread ends, and with it the sender.
        while tellings.recv().is_ok() {}
    }

    #[test]
    fn who_was_told_to_end_is_given_some_looks() {
        let posts = Posts::new(2, true);
        let head = http::Request::new(()).into_parts().0;
        let begin = |number: u64| {
            posts.describe(1, number, &head);
            posts.begin(1, Duration::from_secs(number));
            LongCall { posts: &posts, number: 1, began: Duration::from_secs(number) }
        };
        let first = begin(7);
        assert_eq!((0..9).map(|_| posts.of_crew(2)).max(), Some(vec![]), "it was told nothing");
        let late = first.notice();
        first.notice()();
        assert_eq!([posts.of_crew(2), posts.of_crew(2), posts.of_crew(2)], [vec![], vec![], vec![7]]);
        posts.end(1);
        assert!(posts.of_crew(2).is_empty());
        begin(8).notice()();
        late();
        assert_eq!([posts.of_crew(1), posts.of_crew(1)], [vec![], vec![8]], "it is the second that was told");
    }

    #[test]
    fn each_duty_has_its_own_time() {
        let (posts, (told, tellings)) = (Posts::new(1, false), channel());
        let duties: Vec<Box<dyn Duty>> = vec![
            Box::new(Tell(Duration::from_secs(3600), told.clone())),
            Box::new(Tell(Duration::from_millis(1), told)),
        ];
        let mut lookout = Lookout::new(Arc::clone(&posts), duties);
        let now = clock::monotonic();
        posts.begin(0, now.saturating_sub(Duration::from_secs(1)));
        assert!(lookout.look().is_some_and(|pause| pause <= Duration::from_millis(1)));
        assert_eq!(tellings.try_iter().count(), 1);
        posts.begin(0, now.saturating_sub(Duration::from_secs(7200)));
        assert!(lookout.look().is_some());
        assert_eq!(tellings.try_iter().count(), 2);
        posts.end(0);
        assert!(lookout.look().is_some(), "something went on since the last look");
        assert_eq!(lookout.look(), None);
    }
}
