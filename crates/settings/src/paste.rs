//! What `--paste` and `--paste-global` name: a PasteDeploy file, a section of it, variables for it. All that is read of
//! the file here is whether it configures logging.

use crate::full_path::full_path;
use crate::value::quoted;
use crate::{Layer, Origin, SettingsError, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// The file of `INI` or `INI#section`. The section may hold slashes, so the cut comes first.
pub(crate) fn file(uri: &str, start: &Path) -> PathBuf {
    full_path(start, uri.split('#').next().unwrap_or_default())
}

/// The same address with the whole path of the file.
pub(crate) fn absolute(uri: &str, start: &Path) -> String {
    let file = file(uri, start);
    match uri.split_once('#') {
        Some((_, section)) => format!("{}#{section}", file.display()),
        None => file.display().to_string(),
    }
}

/// What the file says of settings: one with a section `[loggers]` is a `logconfig` too.
pub fn paste_layer(file: &Path) -> Result<Layer, SettingsError> {
    let unreadable =
        |error: std::io::Error| SettingsError::Unreadable { path: file.into(), problem: error.to_string() };
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let configures_logging = text.lines().any(|line| line.trim_end() == "[loggers]");
    let value = || ("logconfig".to_owned(), Value::text(file.to_string_lossy()));
    Ok(Layer::new(Origin::Paste(file.into()), configures_logging.then(value).into_iter().collect()))
}

/// The file must be there.
pub(crate) fn checked(uri: &str, start: &Path) -> Result<(), String> {
    let file = file(uri, start);
    match uri.is_empty() || file.exists() {
        true => Ok(()),
        false => Err(format!("{} not found", quoted(&file.to_string_lossy()))),
    }
}

/// `KEY=VALUE`, where a `=` that belongs to either is written `\=`.
pub(crate) fn pair(text: &str) -> Option<(String, String)> {
    let bytes = text.as_bytes();
    let is_cut = |at: &usize| bytes[*at] == b'=' && (*at == 0 || bytes[at - 1] != b'\\');
    let cut = (0..bytes.len()).find(is_cut)?;
    let plain = |part: &str| part.replace("\\=", "=");
    Some((plain(&text[..cut]), plain(&text[cut + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_file_and_perhaps_a_section() {
        let start = Path::new("/srv/shop");
        assert_eq!(file("../a.ini#x/y", start), Path::new("/srv/a.ini"));
        assert_eq!(absolute("a.ini#x/y", start), "/srv/shop/a.ini#x/y");
        assert_eq!(absolute("/a.ini", start), "/a.ini");
        assert_eq!(checked("a.ini", start), Err("'/srv/shop/a.ini' not found".to_owned()));
    }

    #[test]
    fn a_file_with_loggers_configures_logging() {
        let said = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), text).unwrap();
            paste_layer(file.path()).unwrap().values.len()
        };
        assert_eq!((said("[app:main]\n"), said("[app:main]\n[loggers]\nkeys = root\n")), (0, 1));
        assert!(paste_layer(Path::new("/no/file")).is_err());
    }

    #[test]
    fn variables_may_hold_the_sign() {
        let own = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(pair("a=b=c"), own("a", "b=c"));
        assert_eq!(pair(r"a\=b=c\=d"), own("a=b", "c=d"));
        assert_eq!(pair(r"a\=b"), None);
        assert_eq!(pair("a="), own("a", ""));
    }
}
