//! Values of settings, between Python and the settings table.

use ferricorn_settings::Value;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// What a configuration file, or a program, has said about settings. Whatever else it defines is its own business.
pub(crate) fn of_settings(found: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Value)>> {
    let mut values = Vec::new();
    for (name, value) in found.iter() {
        if let Ok(name) = name.extract::<String>()
            && ferricorn_settings::find(&name).is_some()
        {
            values.push((name, of_object(&value)?));
        }
    }
    Ok(values)
}

/// One value, as it was said.
pub(crate) fn of_object(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(value, DEEPEST)
}

/// Lists of lists and the like; no setting goes deeper than two levels.
const DEEPEST: usize = 8;

fn convert(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth == 0 {
        return Ok(Value::Other("a value that is nested too deeply".to_owned()));
    }
    if value.is_none() {
        return Ok(Value::None);
    }
    // Before int, of which bool is a subclass.
    if let Ok(boolean) = value.cast::<PyBool>() {
        return Ok(Value::Bool(boolean.is_true()));
    }
    if value.is_instance_of::<PyInt>()
        && let Ok(integer) = value.extract()
    {
        return Ok(Value::Int(integer));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(value.extract()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Value::Str(value.extract()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items: PyResult<Vec<Value>> = value.try_iter()?.map(|item| convert(&item?, depth - 1)).collect();
        return Ok(Value::List(items?));
    }
    if let Ok(map) = value.cast::<PyDict>() {
        let entry = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((name.str()?.extract()?, convert(&value, depth - 1)?))
        };
        return Ok(Value::Map(map.iter().map(entry).collect::<PyResult<_>>()?));
    }
    if value.is_callable() {
        let name = value.getattr("__qualname__").or_else(|_| value.repr().map(Bound::into_any))?;
        return Ok(Value::Callable(name.extract()?));
    }
    Ok(Value::Other(value.repr()?.extract()?))
}

/// A value as Python has it. What only Python can hold (functions, classes) is not made anew: `None`.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Option<Bound<'py, PyAny>>> {
    let members = |items: &[Value]| items.iter().map(|item| to_python(py, item)).collect::<PyResult<Option<Vec<_>>>>();
    Ok(Some(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(switch) => PyBool::new(py, *switch).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => number.into_pyobject(py)?.into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::List(items) => match members(items)? {
            Some(items) => PyList::new(py, items)?.into_any(),
            None => return Ok(None),
        },
        Value::Tuple(items) => match members(items)? {
            Some(items) => PyTuple::new(py, items)?.into_any(),
            None => return Ok(None),
        },
        Value::Map(pairs) => {
            let map = PyDict::new(py);
            for (key, value) in pairs {
                match to_python(py, value)? {
                    Some(value) => map.set_item(key, value)?,
                    None => return Ok(None),
                }
            }
            map.into_any()
        }
        Value::Callable(_) | Value::Other(_) => return Ok(None),
    }))
}
