//! A statement's result. Rows stay text until they are fetched.

use std::sync::Arc;

use ferricorn_pool::tokio_postgres::SimpleQueryRow;
use ferricorn_pool::{Answer, Column};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::db::decode::{Casters, Decoder, OwnTypes, decode};
use crate::db::errors::raise;

/// What a row becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Tuple,
    Dict,
    List,
}

impl From<u8> for Shape {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Dict,
            2 => Self::List,
            _ => Self::Tuple,
        }
    }
}

/// See the module.
#[pyclass(module = "ferricorn._ferricorn.db")]
pub(crate) struct Rows {
    rows: Vec<SimpleQueryRow>,
    /// How many have been fetched.
    at: usize,
    columns: Option<Arc<[Column]>>,
    /// One for each column, from the first fetch on.
    decoders: Vec<Decoder>,
    /// The columns' names as Python keeps the keys of its dicts, from the first dict on.
    names: Vec<Py<PyString>>,
    tag: Option<Box<str>>,
    count: i64,
    /// What was sent.
    statement: String,
    own_types: Arc<OwnTypes>,
}

impl Rows {
    pub(crate) fn new(answer: Answer, statement: String, own_types: Arc<OwnTypes>) -> Self {
        let counted = answer.tag.as_deref().and_then(|tag| tag.rsplit(' ').next()).and_then(|word| word.parse().ok());
        let count = if answer.columns.is_some() { answer.rows.len() as i64 } else { counted.unwrap_or(-1) };
        Self {
            rows: answer.rows,
            at: 0,
            columns: answer.columns,
            decoders: Vec::new(),
            names: Vec::new(),
            tag: answer.tag,
            count,
            statement,
            own_types,
        }
    }

    fn get_ready(&mut self, py: Python<'_>, shape: Shape, cursor: &Bound<'_, PyAny>) -> PyResult<()> {
        let columns = self.columns.as_ref().ok_or_else(|| raise(py, "ProgrammingError", "no results to fetch"))?;
        if self.decoders.len() != columns.len() {
            let casters = Casters::of(cursor)?;
            let decoders = columns.iter().map(|column| Decoder::of(column.type_oid, &self.own_types, &casters));
            self.decoders = decoders.collect::<PyResult<_>>()?;
        }
        if shape == Shape::Dict && self.names.len() != columns.len() {
            self.names = columns.iter().map(|column| PyString::intern(py, &column.name).unbind()).collect();
        }
        Ok(())
    }

    fn make<'py>(&self, py: Python<'py>, row: &SimpleQueryRow, shape: Shape) -> PyResult<Bound<'py, PyAny>> {
        let values = self.decoders.iter().enumerate().map(|(number, decoder)| match row.get(number) {
            None => decoder.null(py),
            Some(text) => decode(py, decoder, text),
        });
        match shape {
            Shape::Tuple => {
                let values = values.collect::<PyResult<Vec<_>>>()?;
                Ok(PyTuple::new(py, values)?.into_any())
            }
            Shape::List => {
                let values = values.collect::<PyResult<Vec<_>>>()?;
                Ok(PyList::new(py, values)?.into_any())
            }
            Shape::Dict => {
                let dict = PyDict::new(py);
                for (name, value) in self.names.iter().zip(values) {
                    dict.set_item(name, value?)?;
                }
                Ok(dict.into_any())
            }
        }
    }
}

#[pymethods]
impl Rows {
    /// Name, type, size, modifier, table and number in it of each column; None if there is no result.
    #[getter]
    #[expect(clippy::type_complexity, reason = "it is a table's row")]
    fn columns(&self) -> Option<Vec<(&str, u32, i16, i32, u32, i16)>> {
        let columns = self.columns.as_ref()?.iter();
        let facts = columns.map(|column| {
            (&*column.name, column.type_oid, column.size, column.modifier, column.table_oid, column.number)
        });
        Some(facts.collect())
    }

    /// Whether there is a result; rows returned or affected, -1 for statements that count none; the server's word for what was
    /// done.
    #[getter]
    fn outcome(&self) -> (bool, i64, Option<&str>) {
        (self.columns.is_some(), self.count, self.tag.as_deref())
    }

    /// What was sent.
    #[getter]
    fn statement(&self) -> &str {
        &self.statement
    }

    /// The next row, or None.
    fn one<'py>(
        &mut self,
        py: Python<'py>,
        shape: u8,
        cursor: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let shape = shape.into();
        self.get_ready(py, shape, cursor)?;
        let Some(row) = self.rows.get(self.at) else { return Ok(None) };
        self.at += 1;
        self.make(py, row, shape).map(Some)
    }

    /// As many rows as there are, at most `most`.
    #[pyo3(signature = (shape, cursor, most = None))]
    fn many<'py>(
        &mut self,
        py: Python<'py>,
        shape: u8,
        cursor: &Bound<'py, PyAny>,
        most: Option<usize>,
    ) -> PyResult<Bound<'py, PyList>> {
        let shape = shape.into();
        self.get_ready(py, shape, cursor)?;
        let left = self.rows.len().saturating_sub(self.at);
        let end = self.at + most.map_or(left, |most| most.min(left));
        let list = PyList::empty(py);
        for row in &self.rows[self.at..end] {
            list.append(self.make(py, row, shape)?)?;
        }
        self.at = end;
        Ok(list)
    }

    /// Goes to a row; says whether it is there.
    fn seek(&mut self, number: usize) -> bool {
        let found = number <= self.rows.len();
        if found {
            self.at = number;
        }
        found
    }
}
