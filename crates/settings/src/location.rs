//! Which conf file to read, decided from what the two command lines say and from what lies in the start directory.

use crate::{CommandLine, Language, SettingsError, Value, paste};
use std::path::{Path, PathBuf};

/// Conf files that are read without being asked for, the first one that exists.
const USUAL_FILES: [&str; 2] = ["gunicorn.conf.py", "ferricorn.toml"];

/// The one conf file of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigLocation {
    /// There is none.
    None,
    /// A Python file to evaluate.
    Python(PathBuf),
    /// A Python module to import.
    PythonModule(String),
    /// A TOML file for [`crate::read_toml`].
    Toml(PathBuf),
}

/// `-c` of the command line, else of `GUNICORN_CMD_ARGS`, else a usual file of the start directory. Paths come back
/// absolute, as long as `start_directory` is.
pub fn config_location(
    command_line: &CommandLine,
    environment_arguments: Option<&CommandLine>,
    start_directory: &Path,
    language: Language,
) -> Result<ConfigLocation, SettingsError> {
    let asked = command_line.config.as_ref().or_else(|| environment_arguments?.config.as_ref());
    match asked {
        Some(asked) => named(asked, start_directory),
        None => Ok(usual(start_directory, language)),
    }
}

/// The PasteDeploy file that the command line or `GUNICORN_CMD_ARGS` names, whose settings are a layer below the conf
/// file. Absolute, as long as `start_directory` is, and not looked at.
pub fn paste_file(
    command_line: &CommandLine,
    environment_arguments: Option<&CommandLine>,
    start_directory: &Path,
) -> Option<PathBuf> {
    let uri = |line: &CommandLine| match line.layer.values.iter().find(|(name, _)| name == "paste") {
        Some((_, Value::Str(uri))) if !uri.is_empty() => Some(uri.clone()),
        _ => None,
    };
    let uri = uri(command_line).or_else(|| environment_arguments.and_then(uri))?;
    Some(paste::file(&uri, start_directory))
}

fn named(asked: &str, start_directory: &Path) -> Result<ConfigLocation, SettingsError> {
    if let Some(module) = asked.strip_prefix("python:") {
        return Ok(ConfigLocation::PythonModule(module.to_owned()));
    }
    let path = asked.strip_prefix("file:").unwrap_or(asked);
    let full = start_directory.join(path);
    match full.exists() {
        true => Ok(by_extension(full)),
        false => Err(SettingsError::NoFile(path.into())),
    }
}

/// A native application reads no Python; such a file may belong to another server.
fn usual(start_directory: &Path, language: Language) -> ConfigLocation {
    let paths = USUAL_FILES.iter().map(|name| by_extension(start_directory.join(name)));
    let is_there = |location: &ConfigLocation| match location {
        ConfigLocation::Python(path) => language == Language::Python && path.exists(),
        ConfigLocation::Toml(path) => path.exists(),
        ConfigLocation::None | ConfigLocation::PythonModule(_) => false,
    };
    paths.into_iter().find(is_there).unwrap_or(ConfigLocation::None)
}

fn by_extension(path: PathBuf) -> ConfigLocation {
    match path.extension() {
        Some(extension) if extension == "toml" => ConfigLocation::Toml(path),
        _ => ConfigLocation::Python(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, parse_environment_arguments};
    use std::fs;

    fn line(arguments: &[&str]) -> CommandLine {
        parse("ferricorn", &arguments.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_file_that_is_asked_for_goes_before_the_usual_ones() {
        let start = tempfile::tempdir().unwrap();
        let path = |name: &str| start.path().join(name);
        let location = |words: &[&str]| config_location(&line(words), None, start.path(), Language::Python);
        assert_eq!(location(&[]), Ok(ConfigLocation::None));
        fs::write(path("ferricorn.toml"), "").unwrap();
        assert_eq!(location(&[]), Ok(ConfigLocation::Toml(path("ferricorn.toml"))));
        fs::write(path("gunicorn.conf.py"), "").unwrap();
        let native = config_location(&line(&[]), None, start.path(), Language::Rust);
        assert_eq!(native, Ok(ConfigLocation::Toml(path("ferricorn.toml"))));
        assert_eq!(location(&[]), Ok(ConfigLocation::Python(path("gunicorn.conf.py"))));
        assert_eq!(location(&["-c", "file:ferricorn.toml"]), Ok(ConfigLocation::Toml(path("ferricorn.toml"))));
        assert_eq!(location(&["-cpython:a.b"]), Ok(ConfigLocation::PythonModule("a.b".into())));
        let variable = parse_environment_arguments("ferricorn", "-c ferricorn.toml").unwrap();
        let both = |words: &[&str]| config_location(&line(words), Some(&variable), start.path(), Language::Python);
        assert_eq!(both(&[]), Ok(ConfigLocation::Toml(path("ferricorn.toml"))));
        assert_eq!(both(&["-c", "gunicorn.conf.py"]), Ok(ConfigLocation::Python(path("gunicorn.conf.py"))));
    }

    #[test]
    fn a_paste_file_is_named_by_a_flag() {
        let variable = parse_environment_arguments("ferricorn", "--paste b.ini").unwrap();
        let file = |words: &[&str]| paste_file(&line(words), Some(&variable), Path::new("/srv"));
        assert_eq!(file(&["--paste", "a.ini#x"]).as_deref(), Some(Path::new("/srv/a.ini")));
        assert_eq!(file(&[]).as_deref(), Some(Path::new("/srv/b.ini")));
        assert_eq!(paste_file(&line(&["app"]), None, Path::new("/srv")), None);
    }

    #[test]
    fn a_missing_file_is_named_as_it_was_asked_for() {
        let error = config_location(&line(&["-c", "no.py"]), None, Path::new("/"), Language::Python).unwrap_err();
        assert_eq!(error.to_string(), "'no.py' doesn't exist");
    }
}
