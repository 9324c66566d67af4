//! Values from text, by the type of their column. What has no form of its own in Python stays the text that psql would
//! show.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyType};

use crate::db::errors::raise;
use crate::db::moment;

/// `register_type()`'s dict, of type numbers.
static CASTERS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Keeps the dict of casters, which maps the numbers of types to callables of text and cursor.
#[pyfunction]
pub(crate) fn set_caster(py: Python<'_>, casters: Py<PyDict>) -> PyResult<()> {
    // A second import of the module keeps the first dict.
    let _ = CASTERS.set(py, casters);
    Ok(())
}

/// The types that the database has of its own: of arrays the type of their elements, of others nothing.
pub(crate) type OwnTypes = HashMap<u32, Option<u32>>;

/// How the values of one column are made.
pub(crate) enum Decoder {
    Text,
    Integer,
    Float,
    Numeric,
    Boolean,
    Bytes,
    Json,
    Uuid,
    Moment(moment::Kind),
    Range(&'static str, Box<Decoder>),
    Array(Box<Decoder>),
    /// The application's own way, and the cursor that it is told of.
    Custom(Py<PyAny>, Py<PyAny>),
}

/// What has been registered with `register_type()`, as far as it is for one cursor.
pub(crate) struct Casters<'py> {
    /// For the cursor alone, or for its connection; then for all.
    dicts: [Option<Bound<'py, PyDict>>; 2],
    cursor: &'py Bound<'py, PyAny>,
}

impl<'py> Casters<'py> {
    pub(crate) fn of(cursor: &'py Bound<'py, PyAny>) -> PyResult<Self> {
        let py = cursor.py();
        let own = cursor.getattr_opt(intern!(py, "_casters"))?.filter(|own| !own.is_none());
        let own = own.map(|own| own.cast_into::<PyDict>()).transpose()?;
        let shared = CASTERS.get(py).map(|casters| casters.bind(py).clone()).filter(|casters| !casters.is_empty());
        Ok(Self { dicts: [own, shared], cursor })
    }

    fn find(&self, oid: u32) -> PyResult<Option<Decoder>> {
        for dict in self.dicts.iter().flatten() {
            if let Some(caster) = dict.get_item(oid)? {
                return Ok(Some(Decoder::Custom(caster.unbind(), self.cursor.clone().unbind())));
            }
        }
        Ok(None)
    }
}

impl Decoder {
    /// The way for this type.
    pub(crate) fn of(oid: u32, own_types: &OwnTypes, casters: &Casters<'_>) -> PyResult<Self> {
        if let Some(custom) = casters.find(oid)? {
            return Ok(custom);
        }
        match own_types.get(&oid) {
            Some(Some(element)) => Ok(Self::Array(Box::new(Self::of(*element, &OwnTypes::new(), casters)?))),
            _ => Ok(Self::known(oid)),
        }
    }

    /// By the numbers in pg_type, which are for ever.
    fn known(oid: u32) -> Self {
        use moment::Kind::{Date, Interval, Time, Timestamp};
        match oid {
            20 | 21 | 23 | 26 => Self::Integer,
            700 | 701 => Self::Float,
            1700 => Self::Numeric,
            16 => Self::Boolean,
            17 => Self::Bytes,
            114 | 3802 => Self::Json,
            2950 => Self::Uuid,
            1082 => Self::Moment(Date),
            1083 | 1266 => Self::Moment(Time),
            1114 | 1184 => Self::Moment(Timestamp),
            1186 => Self::Moment(Interval),
            3904 | 3926 | 3906 => {
                Self::Range("NumericRange", Box::new(if oid == 3906 { Self::Numeric } else { Self::Integer }))
            }
            3912 => Self::Range("DateRange", Box::new(Self::Moment(Date))),
            3908 => Self::Range("DateTimeRange", Box::new(Self::Moment(Timestamp))),
            3910 => Self::Range("DateTimeTZRange", Box::new(Self::Moment(Timestamp))),
            _ => element(oid).map_or(Self::Text, |element| Self::Array(Box::new(Self::known(element)))),
        }
    }
}

impl Decoder {
    /// What NULL becomes: the application's own way is told of it.
    pub(crate) fn null<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Custom(caster, cursor) => caster.bind(py).call1((py.None(), cursor)),
            _ => Ok(py.None().into_bound(py)),
        }
    }
}

/// A value from text, as a column of this type would have it.
#[pyfunction]
pub(crate) fn decode_text<'py>(
    py: Python<'py>,
    oid: u32,
    text: &str,
    cursor: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    decode(py, &Decoder::of(oid, &OwnTypes::new(), &Casters::of(cursor)?)?, text)
}

/// The type of an array's elements, for arrays that become lists.
fn element(array: u32) -> Option<u32> {
    Some(match array {
        1016 => 20,
        1005 => 21,
        1007 => 23,
        1028 => 26,
        1021 => 700,
        1022 => 701,
        1231 => 1700,
        1000 => 16,
        1001 => 17,
        199 => 114,
        3807 => 3802,
        2951 => 2950,
        1182 => 1082,
        1183 => 1083,
        1270 => 1266,
        1115 => 1114,
        1185 => 1184,
        1187 => 1186,
        3905 => 3904,
        3927 => 3926,
        3907 => 3906,
        3913 => 3912,
        3909 => 3908,
        3911 => 3910,
        // text, varchar, char, name, inet, cidr, macaddr, "char"
        1009 | 1015 | 1014 | 1003 | 1041 | 651 | 1040 | 1002 => 25,
        _ => return None,
    })
}

/// Makes a value.
pub(crate) fn decode<'py>(py: Python<'py>, decoder: &Decoder, text: &str) -> PyResult<Bound<'py, PyAny>> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(match decoder {
        Decoder::Text => PyString::new(py, text).into_any(),
        Decoder::Integer => match text.parse::<i64>() {
            Ok(number) => PyInt::new(py, number).into_any(),
            Err(_) => return Err(nonsense(py, "an integer", text)),
        },
        Decoder::Float => match text.parse::<f64>() {
            Ok(number) => PyFloat::new(py, number).into_any(),
            Err(_) => return Err(nonsense(py, "a float", text)),
        },
        Decoder::Numeric => DECIMAL.import(py, "decimal", "Decimal")?.call1((text,))?,
        Decoder::Boolean => PyBool::new(py, text == "t").to_owned().into_any(),
        Decoder::Bytes => PyMemoryView::from(&PyBytes::new(py, &bytes(py, text)?))?.into_any(),
        Decoder::Json => LOADS.import(py, "json", "loads")?.call1((text,))?,
        Decoder::Uuid => UUID.import(py, "uuid", "UUID")?.call1((text,))?,
        Decoder::Moment(kind) => moment::read(py, *kind, text)?,
        Decoder::Range(class, bound) => range(py, class, bound, text)?,
        Decoder::Array(element) => Array { text: text.as_bytes(), at: 0 }.read(py, element, text)?,
        Decoder::Custom(caster, cursor) => caster.bind(py).call1((text, cursor))?,
    })
}

fn nonsense(py: Python<'_>, what: &str, text: &str) -> PyErr {
    raise(py, "InterfaceError", &format!("the server's '{text}' is not {what}"))
}

/// Of both forms of `bytea_output`.
fn bytes(py: Python<'_>, text: &str) -> PyResult<Vec<u8>> {
    let wrong = || nonsense(py, "binary data", text);
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if let Some(digits) = text.strip_prefix("\\x") {
        let pairs = digits.as_bytes().chunks(2);
        let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
        return pairs.map(byte).collect::<Option<_>>().ok_or_else(wrong);
    }
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'\\', [b'\\', behind @ ..]) => {
                bytes.push(b'\\');
                rest = behind;
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            (b'\\', _) => return Err(wrong()),
            _ => bytes.push(*first),
        }
    }
    Ok(bytes)
}

/// `[1,5)`, `empty`, `["2020-01-01 00:00:00",)`.
fn range<'py>(py: Python<'py>, class: &str, bound: &Decoder, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let class = py.import("ferricorn.db._range")?.getattr(class)?;
    if text == "empty" {
        let options = PyDict::new(py);
        options.set_item("empty", true)?;
        return class.call((), Some(&options));
    }
    let wrong = || nonsense(py, "a range", text);
    let open = text.get(..1).ok_or_else(wrong)?;
    let close = text.get(text.len() - 1..).ok_or_else(wrong)?;
    let inside = text.get(1..text.len() - 1).ok_or_else(wrong)?;
    let (lower, upper) = inside.split_once(',').ok_or_else(wrong)?;
    let side = |side: &str| match side.trim_matches('"') {
        "" => Ok(py.None().into_bound(py)),
        side => decode(py, bound, side),
    };
    class.call1((side(lower)?, side(upper)?, format!("{open}{close}")))
}

/// `{1,NULL,"a \"b\""}`, nested, with or without `[0:1]=` before it.
struct Array<'a> {
    text: &'a [u8],
    at: usize,
}

impl Array<'_> {
    fn read<'py>(&mut self, py: Python<'py>, element: &Decoder, text: &str) -> PyResult<Bound<'py, PyAny>> {
        if self.text.first() == Some(&b'[') {
            self.at = text.find('=').map_or(0, |at| at + 1);
        }
        let list = self.list(py, element)?;
        list.map(Bound::into_any).ok_or_else(|| nonsense(py, "an array", text))
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// `None` for what is no array.
    fn list<'py>(&mut self, py: Python<'py>, element: &Decoder) -> PyResult<Option<Bound<'py, PyList>>> {
        if self.next() != Some(b'{') {
            return Ok(None);
        }
        let list = PyList::empty(py);
        loop {
            match self.text.get(self.at) {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Some(list));
                }
                Some(b',') => self.at += 1,
                Some(b'{') => match self.list(py, element)? {
                    Some(inner) => list.append(inner)?,
                    None => return Ok(None),
                },
                Some(_) => match self.item() {
                    Some((item, true)) if item == b"NULL" => list.append(py.None())?,
                    Some((item, _)) => {
                        let text = String::from_utf8(item).map_err(|error| PyValueError::new_err(error.to_string()))?;
                        list.append(decode(py, element, &text)?)?;
                    }
                    None => return Ok(None),
                },
                None => return Ok(None),
            }
        }
    }

    /// An element, and whether it stands without quotes.
    fn item(&mut self) -> Option<(Vec<u8>, bool)> {
        let mut item = Vec::new();
        if self.text.get(self.at) == Some(&b'"') {
            self.at += 1;
            loop {
                match self.next()? {
                    b'"' => return Some((item, false)),
                    b'\\' => item.push(self.next()?),
                    byte => item.push(byte),
                }
            }
        }
        while !matches!(self.text.get(self.at)?, b',' | b'}') {
            item.push(self.next()?);
        }
        Some((item, true))
    }
}
