//! Which types of a database's own are arrays, and of what. The server says the numbers of types only; it is asked once for
//! each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferricorn_pool::Answer;

use crate::db::decode::OwnTypes;

/// What is known of one database, shared by all sessions with it.
#[derive(Clone, Default)]
pub(crate) struct Types(Arc<Mutex<Arc<OwnTypes>>>);

impl Types {
    fn lock(&self) -> MutexGuard<'_, Arc<OwnTypes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that are known.
    pub(crate) fn known(&self) -> Arc<OwnTypes> {
        Arc::clone(&self.lock())
    }

    /// Takes the answer to [`question`]; returns all that are known now.
    pub(crate) fn learn(&self, asked: &[u32], answer: &Answer) -> Arc<OwnTypes> {
        let mut known = self.lock();
        let learned = Arc::make_mut(&mut known);
        learned.extend(asked.iter().map(|oid| (*oid, None)));
        for row in &answer.rows {
            let number = |at: usize| row.get(at).and_then(|text| text.parse().ok());
            if let (Some(array), Some(element)) = (number(0), number(1)) {
                learned.insert(array, Some(element));
            }
        }
        Arc::clone(&known)
    }
}

/// Asks which of these types are arrays.
pub(crate) fn question(oids: &[u32]) -> String {
    let list: Vec<_> = oids.iter().map(u32::to_string).collect();
    format!(
        "SELECT oid, typelem FROM pg_catalog.pg_type WHERE typcategory = 'A' AND typelem <> 0 AND oid IN ({})",
        list.join(", ")
    )
}
