//! One connection, as deadpool sees it.

use std::collections::VecDeque;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{Error, SimpleQueryMessage, SimpleQueryStream};

use crate::connect::connect;
use crate::driver::Driver;
use crate::failure::{Failure, in_words};
use crate::lease::Answer;
use crate::measures::Measures;
use crate::options::{Host, Options, SslMode};
use crate::outage::Outage;
use crate::role::{self, Role};
use crate::room::Room;
use crate::server::{self, Part};
use crate::socket::Hold;
use crate::tap::{SharedJournal, Transaction};

/// After this long without use, the server is asked whether it is still there before the connection is lent.
const TRUSTED: Duration = Duration::from_secs(30);
/// Older notices are forgotten.
const MOST_NOTICES: usize = 50;

/// A connection to Postgres, which may be used as deadpool's or tokio-postgres's client.
#[derive(Debug)]
pub struct Connection {
    pub(crate) client: ClientWrapper,
    pub(crate) driver: Driver,
    pub(crate) journal: SharedJournal,
    pub(crate) notices: Notices,
    pub(crate) options: Arc<Options>,
    /// How long its statements took is told there.
    pub(crate) measures: Arc<Measures>,
    /// Where it leads.
    pub(crate) place: Host,
    /// With how much TLS it was made.
    pub(crate) sslmode: SslMode,
    last_used: Instant,
    hold: Hold,
    /// It counts among those of the process.
    _place: Option<OwnedSemaphorePermit>,
    /// Somebody has used tokio-postgres's client as he liked, or has dropped a statement before its end: what the server does
    /// because of it may be yet to come.
    pub(crate) unsure: AtomicBool,
    /// It was told to forget what its session remembers, and has not been asked whether it has.
    forgets: bool,
}

/// What undoes everything that a session remembers, but for prepared statements.
const FORGET: &str = "RESET ALL; RESET SESSION AUTHORIZATION; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); \
                      DISCARD SEQUENCES; DISCARD TEMP";
/// The server's word for the last of it.
const FORGOTTEN: &str = "DISCARD TEMP";

impl Connection {
    pub(crate) fn new(
        client: ClientWrapper,
        driver: Driver,
        journal: SharedJournal,
        notices: Notices,
        options: Arc<Options>,
        (place, sslmode): (Host, SslMode),
        hold: Hold,
    ) -> Self {
        Self {
            client,
            driver,
            journal,
            notices,
            options,
            measures: Arc::default(),
            place,
            sslmode,
            last_used: Instant::now(),
            hold,
            _place: None,
            unsure: AtomicBool::new(false),
            forgets: false,
        }
    }

    /// Host, port and database.
    pub(crate) fn target(&self) -> String {
        format!("{}/{}", self.place, self.options.database())
    }

    /// Sends a string of statements and reads everything that comes of it; the answer is that of the last.
    pub(crate) async fn read_answer(&self, statements: &str) -> Result<Answer, Error> {
        self.driver.drive(self.exchange(statements)).await
    }

    async fn exchange(&self, statements: &str) -> Result<Answer, Error> {
        let mut stream = pin!(self.client.simple_query_raw(statements).await?);
        let read = self.read(stream.as_mut()).await;
        if read.as_ref().is_err_and(|error| error.as_db_error().is_some()) {
            // After the error the server says what has become of the transaction. Whoever has the connection next must not
            // be the one who hears of it.
            while let Some(Ok(_)) = stream.next().await {}
        }
        if read.as_ref().is_err_and(is_last_word) {
            self.driver.end();
        }
        read
    }

    async fn read(&self, mut stream: Pin<&mut SimpleQueryStream>) -> Result<Answer, Error> {
        let mut answer = Answer::default();
        // Whether rows belong to the statement whose end comes next.
        let (mut has_result, mut ended_with_rows) = (false, false);
        while let Some(message) = stream.as_mut().try_next().await? {
            match message {
                SimpleQueryMessage::RowDescription(_) => {
                    has_result = true;
                    answer.rows.clear();
                }
                SimpleQueryMessage::Row(row) => answer.rows.push(row),
                SimpleQueryMessage::CommandComplete(count) => {
                    answer.affected += count;
                    ended_with_rows = std::mem::take(&mut has_result);
                }
                _ => {}
            }
        }
        let mut journal = self.journal.lock();
        (answer.columns, answer.tag) = (journal.columns.take(), journal.tag.take());
        if !ended_with_rows {
            answer.columns = None;
            answer.rows.clear();
        }
        Ok(answer)
    }

    /// Sends statements whose answer nobody waits for: they are answered in their order.
    pub(crate) fn send_ahead(&self, statements: &str) {
        self.journal.lock().unheard += 1;
        self.driver.send(|| drop(self.client.batch_execute(statements).now_or_never()));
    }

    /// Waits until the server has done everything that it was sent, and takes back what is open then. A `BEGIN` whose sender
    /// did not wait for it is as good as any.
    async fn settle(&self) -> Result<(), Error> {
        self.client.batch_execute("").await?;
        if self.journal.lock().transaction != Transaction::None {
            self.client.batch_execute("ROLLBACK").await?;
        }
        Ok(())
    }

    /// Undoes what the session remembers. One poll sends it: whoever comes next waits for its end.
    pub(crate) fn forget(&mut self) {
        self.journal.begin();
        self.driver.send(|| drop(self.client.batch_execute(FORGET).now_or_never()));
        self.forgets = true;
    }

    /// Waits for that end; says whether all of it was done. A time limit that the borrower has set, for one, counts for it, too.
    async fn has_forgotten(&self) -> bool {
        self.client.batch_execute("").await.is_ok() && self.journal.lock().tag.as_deref() == Some(FORGOTTEN)
    }

    /// Ends it, without its runtime.
    pub(crate) fn cut(&self) {
        self.hold.cut();
    }

    /// How long nobody has used it.
    pub(crate) fn rested(&self) -> Duration {
        self.last_used.elapsed()
    }

    /// It goes back to the pool.
    pub(crate) fn rests(&mut self) {
        self.last_used = Instant::now();
        self.notices.take();
    }
}

impl Deref for Connection {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.unsure.store(true, Ordering::Relaxed);
        &self.client
    }
}

/// Whether the server ends the connection after that, be it a moment later.
fn is_last_word(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

/// What the server has remarked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Mutex<VecDeque<String>>>);

impl Notices {
    /// Keeps one, as psql would show it.
    pub(crate) fn push(&self, notice: &DbError) {
        let mut text = format!("{}:  {}\n", notice.severity(), notice.message());
        for (word, more) in [("DETAIL", notice.detail()), ("HINT", notice.hint())] {
            if let Some(more) = more {
                text.push_str(&format!("{word}:  {more}\n"));
            }
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MOST_NOTICES {
            kept.pop_front();
        }
        kept.push_back(text);
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

/// Makes connections for deadpool, and looks at them before they are lent again.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) options: Arc<Options>,
    pub(crate) measures: Arc<Measures>,
    /// A change is logged, each failure is not.
    pub(crate) outage: Arc<Outage>,
    pub(crate) room: Arc<Room>,
}

impl Manager for Connector {
    // In its place on the heap: deadpool hands it from one to the other several times for each loan.
    type Type = Box<Connection>;
    type Error = Failure;

    async fn create(&self) -> Result<Box<Connection>, Failure> {
        if !role::may_connect() {
            return Err(Failure::Role(if role::current() == Role::Master { "master" } else { "mold" }));
        }
        let attempt = self.outage.attempt()?;
        let place = self.room.enter().await;
        let began = Instant::now();
        // Apart: whoever takes a connection that is there does not carry the state of making one, TLS and all.
        let made = Box::pin(connect(&self.options)).await;
        let mut made = made.map(|connection| Connection {
            _place: Some(place),
            measures: Arc::clone(&self.measures),
            ..connection
        });
        if let Ok(connection) = &mut made
            && let Some(part) = server::part()
            && part.board.looks_first()
        {
            compare_limits(connection, part).await;
        }
        match &made {
            Ok(connection) => {
                if attempt.succeeded() {
                    log::info!("Database {} answers again", connection.target());
                }
                if self.options.logs_pool {
                    log::info!(
                        "Connected to {} in {:.1} ms",
                        connection.target(),
                        began.elapsed().as_secs_f64() * 1000.0
                    );
                }
            }
            Err(failure) => {
                if attempt.failed(failure) {
                    log::error!("No connection to database {failure}");
                }
            }
        }
        made.map(Box::new)
    }

    async fn recycle(&self, connection: &mut Box<Connection>, _: &Metrics) -> RecycleResult<Failure> {
        if !connection.driver.look() {
            // What has happened to the connection while nobody looked is heard of in the first turn to I/O, and known to the
            // connection after the second.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
        }
        if connection.client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        if std::mem::take(&mut connection.forgets) {
            match timeout(self.options.connect_timeout, connection.has_forgotten()).await {
                Ok(true) => {}
                _ => return Err(RecycleError::message("its session has not forgotten what it was to forget")),
            }
        }
        if std::mem::take(connection.unsure.get_mut()) {
            match timeout(self.options.connect_timeout, connection.settle()).await {
                Ok(Ok(())) => {}
                _ => return Err(RecycleError::message("what was sent before did not come to its end")),
            }
        }
        if connection.last_used.elapsed() > TRUSTED {
            match timeout(self.options.connect_timeout, connection.client.check_connection()).await {
                Ok(Ok(())) => {}
                _ => return Err(RecycleError::message("no answer")),
            }
        }
        Ok(())
    }
}

/// Says if the server could come to want more connections than the database has.
async fn compare_limits(connection: &Connection, part: &Part) {
    const QUESTION: &str = "SELECT current_setting('max_connections')::int \
                            - current_setting('superuser_reserved_connections')::int";
    let wanted = part.limit.unwrap_or(part.workers * connection.options.pool_max as u64);
    match connection.read_answer(QUESTION).await {
        Ok(answer) => {
            let allowed = answer.rows.first().and_then(|row| row.get(0)).and_then(|text| text.parse::<u64>().ok());
            if let Some(allowed) = allowed.filter(|allowed| *allowed < wanted) {
                log::warn!(
                    "The workers may come to want {wanted} connections, and the database has {allowed} for all its users \
                     (max_connections less superuser_reserved_connections): lower DB_POOL_MAX, set db_connections, or use PgBouncer"
                );
            }
        }
        Err(error) => log::debug!("The limits of the database are not known: {}", in_words(&error)),
    }
}
