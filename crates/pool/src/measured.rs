//! Statements of native applications that are measured, as Python's are: counted for the server, and logged when they are
//! slow.

use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use crate::connection::Connection;

/// Of a statement in the log, in characters.
const LONGEST: usize = 2000;

/// A value for a statement, and what type it is to be taken for.
type Typed<'a> = (&'a (dyn ToSql + Sync), Type);

impl Connection {
    /// tokio-postgres's `query_typed`, measured: one round trip, and no prepared statement, so that it works through PgBouncer
    /// in every mode.
    #[track_caller]
    pub fn query_typed(
        &self,
        statement: &str,
        parameters: &[Typed<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send {
        let work = async move || self.client.query_typed(statement, parameters).await;
        self.measured(statement, Location::caller(), work())
    }

    /// tokio-postgres's `execute_typed`, measured: for statements whose rows nobody wants, the number of those affected.
    #[track_caller]
    pub fn execute_typed(
        &self,
        statement: &str,
        parameters: &[Typed<'_>],
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        let work = async move || self.client.execute_typed(statement, parameters).await;
        self.measured(statement, Location::caller(), work())
    }

    async fn measured<T>(
        &self,
        statement: &str,
        caller: &Location<'_>,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let began = Instant::now();
        // Whoever drops this before its end leaves it so.
        let was_unsure = self.unsure.swap(true, Ordering::Relaxed);
        let ended = work.await;
        self.unsure.store(was_unsure, Ordering::Relaxed);
        let took = began.elapsed();
        self.measures.ran(took, ended.is_err());
        if self.options.slow_query.is_some_and(|threshold| took >= threshold) {
            log::warn!("{}", slow(took, caller, statement));
        }
        ended
    }
}

/// One line, without values: they may be nobody's business.
fn slow(took: Duration, caller: &Location<'_>, statement: &str) -> String {
    let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = statement.chars().take(LONGEST).collect();
    format!("Slow query: {:.1} ms, {}:{}: {shown}", took.as_secs_f64() * 1000.0, caller.file(), caller.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_statement_is_one_line_with_its_place_and_of_bounded_length() {
        let line = slow(Duration::from_micros(12_340), Location::caller(), &format!("a\n   {}", "x".repeat(LONGEST)));
        assert!(line.starts_with("Slow query: 12.3 ms, ") && line.contains("measured.rs:"), "{line}");
        assert!(line.ends_with(&format!(": a {}", "x".repeat(LONGEST - 2))), "{line}");
    }
}
