//! All sources laid over each other: every value checked, and what this server does not do refused.

use crate::validate::checked;
use crate::worker_class::WorkerClass;
use crate::{Context, Layer, Origin, Setting, Settings, SettingsError, Support, TABLE, Value, typed};
use std::path::PathBuf;

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
        refuse_what_we_do_not_do(setting, value, origin)?;
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

/// Nothing is passed over in silence: what is refused may be named, but only with a value that asks for nothing.
fn refuse_what_we_do_not_do(setting: &Setting, value: &Value, origin: &Origin) -> Result<(), SettingsError> {
    let refused = |advice: String| SettingsError::invalid(setting, value, origin, advice);
    if setting.name == "worker_class" {
        return WorkerClass::of(value).map(drop).map_err(refused);
    }
    match setting.support {
        Support::Refused(advice) if *value != setting.default_value() && !asks_for_nothing(value) => {
            Err(refused(advice.to_owned()))
        }
        _ => Ok(()),
    }
}

/// What Python takes for false.
fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::None | Value::Bool(false) | Value::Int(0) => true,
        Value::Str(text) => text.is_empty(),
        _ => false,
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
    fn what_is_refused_says_what_to_do_instead() {
        let expected = "ferricorn has no line tracer; run the application under `python -m trace` instead";
        assert_eq!(problem("spew", Value::Bool(true)), expected);
        let flag = layer(Origin::CommandLine, "spew", Value::Bool(true));
        let sentence = resolve(&[flag], Some("app"), &Context::bare()).unwrap_err().to_string();
        assert_eq!(sentence, format!("`spew = True` (--spew) from the command line: {expected}"));
        let refused = [
            ("threads", Value::Int(4), "raise `workers` instead"),
            ("protocol", Value::text("uwsgi"), "proxy_pass"),
            ("certfile", Value::text("a.pem"), "end TLS in the proxy in front"),
            ("keyfile", Value::text("a.pem"), "end TLS in the proxy in front"),
            ("http2_cleartext", Value::text("both"), "HTTP/1 only"),
            ("permit_obsolete_folding", Value::Bool(true), "smuggle"),
            ("strip_header_spaces", Value::Bool(true), "smuggle"),
            ("permit_unconventional_http_version", Value::text("true"), "HTTP/1.0 or HTTP/1.1"),
            ("dirty_workers", Value::Int(1), "task queue"),
            ("worker_class", Value::text("gevent"), "sync or gthread"),
        ];
        for (name, value, advice) in refused {
            let sentence = with(name, value).expect_err(name);
            assert!(sentence.contains(advice), "{sentence}");
        }
        assert!(with("proxy_protocol", Value::Bool(true)).unwrap_err().starts_with("`proxy_protocol = 'auto'` from"));
    }

    #[test]
    fn what_is_refused_may_be_named_when_it_asks_for_nothing() {
        let defaults = [
            ("proxy_protocol", Value::Bool(false)),
            ("http2_cleartext", Value::None),
            ("certfile", Value::text("")),
            ("protocol", Value::text("http")),
            ("threads", Value::Int(1)),
            ("worker_class", Value::text("gunicorn.workers.sync.SyncWorker")),
            ("permit_obsolete_folding", Value::text("false")),
        ];
        for (name, value) in defaults {
            with(name, value).unwrap_or_else(|sentence| panic!("{sentence}"));
        }
    }

    #[test]
    fn at_most_a_dozen_settings_are_refused() {
        let refused = TABLE.iter().filter(|setting| matches!(setting.support, Support::Refused(_)));
        assert_eq!(refused.count(), 11);
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
