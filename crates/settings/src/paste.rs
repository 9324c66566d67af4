//! What `--paste` and `--paste-global` name: a PasteDeploy file, a section of it, variables for it. The file is looked
//! for and never read here.

use crate::full_path::full_path;
use crate::value::quoted;
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
    fn variables_may_hold_the_sign() {
        let own = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(pair("a=b=c"), own("a", "b=c"));
        assert_eq!(pair(r"a\=b=c\=d"), own("a=b", "c=d"));
        assert_eq!(pair(r"a\=b"), None);
        assert_eq!(pair("a="), own("a", ""));
    }
}
