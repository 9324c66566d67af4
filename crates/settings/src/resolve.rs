//! All sources laid over each other: every value checked, and what is not there yet refused.

use crate::validate::checked;
use crate::{Context, Layer, Origin, Setting, Settings, SettingsError, Support, TABLE, Value, typed};
use std::path::PathBuf;

/// The only worker class, under both its names.
const SYNC: [&str; 2] = ["sync", "gunicorn.workers.sync.SyncWorker"];

/// The outcome: for the server, and for those who want to know where a value came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What the server runs with.
    pub settings: Settings,
    /// Every setting in the order of the table: its value as it is printed, and who said so.
    pub values: Vec<(&'static str, Value, Origin)>,
}

/// Lays `layers` over the defaults, later ones over earlier ones. Every value is checked, also one that a later layer
/// replaces. `application` is the one named on the command line.
pub fn resolve(layers: &[Layer], application: Option<&str>, context: &Context) -> Result<Resolved, SettingsError> {
    let mut values = defaults(context, application);
    for layer in context.layers().iter().chain(layers) {
        lay_over(&mut values, layer, context)?;
    }
    for (setting, (_, value, origin)) in TABLE.iter().zip(&values) {
        refuse_what_is_missing(setting, value, origin)?;
    }
    let mut settings = typed::settings(&values, application)?;
    settings.config_file = config_file(layers);
    Ok(Resolved { settings, values })
}

fn defaults(context: &Context, application: Option<&str>) -> Vec<(&'static str, Value, Origin)> {
    let own = |setting: &Setting| match (setting.name, application) {
        ("default_proc_name", Some(application)) => Value::text(application),
        _ => context.fallback(setting.name).unwrap_or_else(|| setting.default_value()),
    };
    TABLE.iter().map(|setting| (setting.name, own(setting), Origin::Default)).collect()
}

fn lay_over(
    values: &mut [(&'static str, Value, Origin)],
    layer: &Layer,
    context: &Context,
) -> Result<(), SettingsError> {
    for (name, value) in &layer.values {
        let Some(at) = TABLE.iter().position(|setting| setting.name == name) else {
            continue;
        };
        let setting = &TABLE[at];
        let value = checked(setting, value, &context.start_directory)
            .map_err(|problem| SettingsError::invalid(setting, value, &layer.origin, problem))?;
        values[at] = (setting.name, value, layer.origin.clone());
    }
    Ok(())
}

/// Nothing is passed over in silence: a setting we do not have may be named, but only with its default.
fn refuse_what_is_missing(setting: &Setting, value: &Value, origin: &Origin) -> Result<(), SettingsError> {
    let missing = match (setting.name, value) {
        ("worker_class", Value::Str(class)) if SYNC.contains(&class.as_str()) => None,
        ("worker_class", class) => Some(format!("the worker class {}", class.shown())),
        ("threads", Value::Int(2..)) => Some("more than one thread per worker".to_owned()),
        _ if setting.support != Support::NotYet || *origin == Origin::Default => None,
        (_, value) if *value == setting.default_value() => None,
        _ => Some("this setting".to_owned()),
    };
    match missing {
        Some(what) => Err(SettingsError::not_yet(setting, value, origin, &what)),
        None => Ok(()),
    }
}

/// The file to read again at a reload; a module has none.
fn config_file(layers: &[Layer]) -> Option<PathBuf> {
    layers.iter().rev().find_map(|layer| match &layer.origin {
        Origin::File(path) => Some(path.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AddressList, Bind};
    use std::path::Path;

    fn layer(origin: Origin, name: &str, value: Value) -> Layer {
        Layer { origin, values: vec![(name.to_owned(), value)] }
    }

    fn file() -> Origin {
        Origin::File("/srv/gunicorn.conf.py".into())
    }

    /// The settings when a conf file says this.
    fn with(name: &str, value: Value) -> Result<Settings, String> {
        let resolved = resolve(&[layer(file(), name, value)], Some("app"), &Context::bare());
        resolved.map(|resolved| resolved.settings).map_err(|error| error.to_string())
    }

    /// The sentence when a conf file says this, after the part that names the place.
    fn problem(name: &str, value: Value) -> String {
        let place = format!("`{name} = {value}` from /srv/gunicorn.conf.py: ");
        let sentence = with(name, value).expect_err("a problem");
        sentence.strip_prefix(&place).unwrap_or_else(|| panic!("{sentence}")).to_owned()
    }

    #[test]
    fn a_later_source_replaces_an_earlier_one_lists_included() {
        let context = Context { port: Some("5000".into()), web_concurrency: Some("7".into()), ..Context::bare() };
        let resolved = |layers: &[Layer]| resolve(layers, Some("app"), &context).unwrap();
        let environment = resolved(&[]);
        assert_eq!(environment.settings.workers, 7);
        assert_eq!(environment.settings.bind, [Bind::Tcp { host: "0.0.0.0".into(), port: 5000 }]);
        let layers = [
            layer(file(), "bind", Value::texts(["a:1", "b:2"])),
            layer(Origin::CommandArguments, "workers", Value::Int(3)),
            layer(Origin::CommandLine, "bind", Value::texts(["c:3"])),
        ];
        let all = resolved(&layers);
        assert_eq!((all.settings.workers, &all.settings.bind[..]), (3, &["c:3".parse().unwrap()][..]));
        let origin = |name| all.values.iter().find(|(known, ..)| *known == name).map(|(.., origin)| origin.clone());
        assert_eq!(origin("bind"), Some(Origin::CommandLine));
        assert_eq!(origin("workers"), Some(Origin::CommandArguments));
        assert_eq!(origin("backlog"), Some(Origin::Default));
        assert_eq!(all.settings.config_file.as_deref(), Some(Path::new("/srv/gunicorn.conf.py")));
    }

    #[test]
    fn a_replaced_value_is_checked_all_the_same() {
        let layers = [layer(file(), "workers", Value::Int(-1)), layer(Origin::CommandLine, "workers", Value::Int(2))];
        let sentence = resolve(&layers, Some("app"), &Context::bare()).unwrap_err().to_string();
        assert_eq!(sentence, "`workers = -1` from /srv/gunicorn.conf.py: must not be negative");
    }

    #[test]
    fn the_sentence_names_the_source_as_the_operator_knows_it() {
        let sentence =
            |context: &Context, layers: &[Layer]| resolve(layers, Some("app"), context).unwrap_err().to_string();
        let variable = Context { web_concurrency: Some("many".into()), ..Context::bare() };
        let expected = "`workers = 'many'` from the environment variable WEB_CONCURRENCY: must be a whole number";
        assert_eq!(sentence(&variable, &[]), expected);
        let flag = layer(Origin::CommandLine, "bind", Value::texts(["localhost:x"]));
        let expected = "`bind = ['localhost:x']` (--bind) from the command line: 'x' is not a valid port number.";
        assert_eq!(sentence(&Context::bare(), &[flag]), expected);
    }

    #[test]
    fn an_application_comes_from_the_command_line_or_wsgi_app() {
        let named = layer(file(), "wsgi_app", Value::text("other:app"));
        let settings =
            |application| resolve(std::slice::from_ref(&named), application, &Context::bare()).unwrap().settings;
        assert_eq!(settings(None).application, "other:app");
        assert_eq!(settings(None).proc_name, "other:app");
        assert_eq!(settings(Some("mine:app")).application, "mine:app");
        let empty = resolve(&[], Some(""), &Context::bare()).unwrap_err();
        assert_eq!(empty, SettingsError::NoApplication);
        let nothing = resolve(&[], None, &Context::bare()).unwrap_err();
        assert_eq!(nothing.to_string(), "No application module specified.");
    }

    #[test]
    fn process_names_go_by_name_then_default_then_application() {
        assert_eq!(with("workers", Value::Int(1)).unwrap().proc_name, "app");
        assert_eq!(with("default_proc_name", Value::text("shop")).unwrap().proc_name, "shop");
        assert_eq!(with("proc_name", Value::text(" shop ")).unwrap().proc_name, "shop");
    }

    #[test]
    fn what_is_not_there_yet_is_refused_unless_it_is_the_default() {
        let version = env!("CARGO_PKG_VERSION");
        let unsupported = |what: &str, remedy: &str| {
            format!("ferricorn {version} does not support {what} yet; {remedy}, or keep gunicorn for this deployment")
        };
        assert_eq!(problem("reuse_port", Value::Bool(true)), unsupported("this setting", "remove it"));
        assert_eq!(problem("pre_fork", Value::Callable("f".into())), unsupported("this setting", "remove it"));
        assert_eq!(problem("threads", Value::Int(4)), unsupported("more than one thread per worker", "use 1"));
        let class = unsupported("the worker class gevent", "use sync, the only one so far");
        assert_eq!(problem("worker_class", Value::text("gevent")), class);
        let defaults = [
            ("reuse_port", Value::text("false")),
            ("proxy_protocol", Value::Bool(false)),
            ("http_protocols", Value::text("h1")),
            ("proxy_allow_ips", Value::text("127.0.0.1, ::1")),
            ("threads", Value::Int(1)),
            ("worker_class", Value::text("gunicorn.workers.sync.SyncWorker")),
            ("dirty_apps", Value::List(Vec::new())),
        ];
        for (name, value) in defaults {
            with(name, value).unwrap_or_else(|sentence| panic!("{sentence}"));
        }
    }

    #[test]
    fn names_that_are_no_setting_are_variables_of_the_conf_file() {
        assert_eq!(with("Workers", Value::Int(9)).unwrap().workers, 1);
        assert_eq!(with("my_port", Value::Other("<module>".into())).unwrap().workers, 1);
    }

    #[test]
    fn settings_survive_a_process_boundary() {
        let path = Value::texts(["unix:\0name", "fd://3", "[::1]:1"]);
        let settings =
            Settings { forwarded_allow_ips: AddressList::parse(["*", "::/0"]).unwrap(), ..with("bind", path).unwrap() };
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
    }
}
