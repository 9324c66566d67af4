//! The settings table as Python sees it: `ferricorn.config` is made of it, and checks values by the same rules.

use ferricorn_settings::{Context, Kind, Setting, checked, find, resolve, rows};
use pyo3::exceptions::{PyAttributeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::values;

/// Under which name a process runs that serves no application by name.
const UNNAMED: &str = "gunicorn";

/// All settings in the order of the table, ours last, one dict each.
#[pyfunction]
pub(crate) fn settings_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    rows().map(|setting| row(py, setting)).collect()
}

fn row<'py>(py: Python<'py>, setting: &Setting) -> PyResult<Bound<'py, PyDict>> {
    let (choices, bare): (&[&str], Option<&str>) = match setting.kind {
        Kind::Choice(words) => (words, None),
        Kind::OptionalChoice(words, bare) => (words, Some(bare)),
        _ => (&[], None),
    };
    let arity = match setting.kind {
        Kind::Hook(arity) => Some(arity),
        _ => None,
    };
    let short = setting.short.map(|letter| format!("-{letter}"));
    let flags: Vec<String> = short.into_iter().chain(setting.long.iter().map(|name| format!("--{name}"))).collect();
    let row = PyDict::new(py);
    row.set_item("name", setting.name)?;
    row.set_item("section", setting.section.title())?;
    row.set_item("flags", flags)?;
    row.set_item("kind", word(setting.kind))?;
    row.set_item("choices", choices.to_vec())?;
    row.set_item("bare", bare)?;
    row.set_item("arity", arity)?;
    row.set_item("default", default(py, setting)?)?;
    row.set_item("meaning", setting.meaning)?;
    Ok(row)
}

/// A hook's default is a function, which Python makes; here it is the name that is printed.
fn default<'py>(py: Python<'py>, setting: &Setting) -> PyResult<Bound<'py, PyAny>> {
    let value = match setting.default_value() {
        ferricorn_settings::Value::Callable(name) => ferricorn_settings::Value::Str(name),
        value => value,
    };
    Ok(values::to_python(py, &value)?.unwrap_or_else(|| py.None().into_bound(py)))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::BoolOff => "bool_off",
        Kind::Int => "int",
        Kind::AutoInt => "auto_int",
        Kind::Count => "count",
        Kind::Seconds => "seconds",
        Kind::Str => "str",
        Kind::List => "list",
        Kind::Files => "files",
        Kind::Names => "names",
        Kind::Addresses => "addresses",
        Kind::Choice(_) => "choice",
        Kind::OptionalChoice(..) => "optional_choice",
        Kind::Class => "class",
        Kind::StatsdHost => "statsd_host",
        Kind::Directory => "directory",
        Kind::User => "user",
        Kind::Group => "group",
        Kind::Map => "map",
        Kind::Hook(_) => "hook",
        Kind::Any => "any",
    }
}

/// What every setting but the hooks is in this process when nobody says anything: user, directory and environment count.
#[pyfunction]
pub(crate) fn default_settings(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let resolved = resolve(&[], Some(UNNAMED), &Context::from_environment())
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let defaults = PyDict::new(py);
    for (name, value, _) in &resolved.values {
        if let Some(value) = values::to_python(py, value)? {
            defaults.set_item(name, value)?;
        }
    }
    Ok(defaults)
}

/// A value as the setting takes it, or ValueError with one sentence. What only Python can hold comes back as it is.
#[pyfunction]
pub(crate) fn checked_setting<'py>(
    py: Python<'py>,
    name: &str,
    value: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(setting) = find(name) else {
        return Err(PyAttributeError::new_err(format!("No configuration setting for: {name}")));
    };
    let said = values::of_object(&value)?;
    let taken = checked(setting, &said, &Context::from_environment())
        .map_err(|problem| PyValueError::new_err(format!("`{name} = {said}`: {problem}")))?;
    match setting.kind {
        Kind::Hook(_) | Kind::Map | Kind::Any => Ok(value),
        _ => Ok(values::to_python(py, &taken)?.unwrap_or(value)),
    }
}
