//! Which types of a database's own are arrays, and of what. The server says the numbers of types only; it is asked once for
//! each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferricorn_pool::Answer;

use crate::db::decode::Arrays;

/// What is known of one database, shared by all sessions with it.
#[derive(Clone, Default)]
pub(crate) struct Types(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// The type of an array's elements; 0 for types that are no arrays.
    elements: HashMap<u32, u32>,
    arrays: Arc<Arrays>,
}

impl Types {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of them that have not been asked for.
    pub(crate) fn unknown(&self, oids: &[u32]) -> Vec<u32> {
        let known = self.lock();
        oids.iter().copied().filter(|oid| !known.elements.contains_key(oid)).collect()
    }

    /// Takes the answer to [`question`].
    pub(crate) fn learn(&self, asked: &[u32], answer: &Answer) {
        let mut known = self.lock();
        known.elements.extend(asked.iter().map(|oid| (*oid, 0)));
        for row in &answer.rows {
            let number = |at: usize| row.get(at).and_then(|text| text.parse().ok());
            if let (Some(array), Some(element)) = (number(0), number(1)) {
                known.elements.insert(array, element);
            }
        }
        let arrays = known.elements.iter().filter(|(_, element)| **element != 0);
        known.arrays = Arc::new(arrays.map(|(array, element)| (*array, *element)).collect());
    }

    /// All arrays that are known.
    pub(crate) fn arrays(&self) -> Arc<Arrays> {
        Arc::clone(&self.lock().arrays)
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
