//! All sources laid over each other: every value checked, and what this server does not do refused.

use crate::error::place;
use crate::machine::Machine;
use crate::paste;
use crate::validate::{checked, is_auto};
use crate::worker_class::WorkerClass;
use crate::{Context, Kind, Language, Layer, Origin, Setting, Settings, SettingsError, Support, Value, rows, typed};
use std::path::PathBuf;

/// The outcome: for the server, and for those who want to know where a value came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What the server runs with.
    pub settings: Settings,
    /// Every setting in the order of the table: its value as it is printed, and who said so.
    pub values: Vec<(&'static str, Value, Origin)>,
    /// One sentence for each setting that somebody set and that changes nothing, to be logged once at debug.
    pub without_effect: Vec<String>,
    /// Whoever prints the values is to say where each came from: `--explain-config`.
    pub explained: bool,
}

/// Lays `layers` over the defaults, later ones over earlier ones. Every value is checked, also one that a later layer
/// replaces. `application` is the one named on the command line.
pub fn resolve(layers: &[Layer], application: Option<&str>, context: &Context) -> Result<Resolved, SettingsError> {
    let mut values = defaults(context, application);
    for layer in context.layers().iter().chain(layers) {
        lay_over(&mut values, layer, context)?;
    }
    for (setting, (_, value, origin)) in rows().zip(&values) {
        refuse_what_we_do_not_do(setting, value, origin, context.language)?;
    }
    refuse_half_of_tls(&values)?;
    name_after_paste(&mut values, context);
    let mut settings = typed::settings(&values, application, context)?;
    settings.config_file = config_file(layers);
    let explained = layers.iter().any(asks_for_explanation);
    settings.print_config |= explained;
    let without_effect = without_effect(&values, context);
    for (name, value, _) in &mut values {
        *value = showable(name, value);
    }
    Ok(Resolved { settings, values, without_effect, explained })
}

/// A value as it may be shown: what can hold a password is not.
fn showable(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("db", Value::Map(pairs)) => {
            let hidden = |key: &str| matches!(key, "password" | "url");
            let pair = |(key, word): &(String, Value)| {
                (key.clone(), if hidden(key) { Value::text("***") } else { word.clone() })
            };
            Value::Map(pairs.iter().map(pair).collect())
        }
        ("db", Value::Str(_)) => Value::text("***"),
        _ => value.clone(),
    }
}

fn defaults(context: &Context, application: Option<&str>) -> Vec<(&'static str, Value, Origin)> {
    let own = |setting: &Setting| match (setting.name, application) {
        ("default_proc_name", Some(application)) => Value::text(application),
        _ => context.fallback(setting.name).unwrap_or_else(|| setting.default_value()),
    };
    rows().map(|setting| (setting.name, own(setting), Origin::Default)).collect()
}

fn lay_over(
    values: &mut [(&'static str, Value, Origin)],
    layer: &Layer,
    context: &Context,
) -> Result<(), SettingsError> {
    for (name, value) in &layer.values {
        let Some((at, setting)) = rows().enumerate().find(|(_, setting)| setting.name == name) else {
            continue;
        };
        let origin = layer.origin_of(name);
        let taken = checked(setting, value, context)
            .map_err(|problem| SettingsError::invalid(setting, &showable(setting.name, value), &origin, problem))?;
        let origin = match (setting.kind, is_auto(value)) {
            (Kind::Count, true) => Origin::Automatic(Box::new(origin), Machine::under(&context.machine_root).words()),
            _ => origin,
        };
        values[at] = (setting.name, taken, origin);
    }
    Ok(())
}

/// Nothing is passed over in silence: what is refused may be named, but only with a value that asks for nothing.
fn refuse_what_we_do_not_do(
    setting: &Setting,
    value: &Value,
    origin: &Origin,
    language: Language,
) -> Result<(), SettingsError> {
    let refused = |advice: String| SettingsError::invalid(setting, value, origin, advice);
    if setting.name == "worker_class" && language == Language::Python {
        return WorkerClass::of(value).map(drop).map_err(refused);
    }
    match setting.support_in(language) {
        Support::Refused(advice) if *value != setting.default_value() && !value.is_false() => {
            Err(refused(advice.to_owned()))
        }
        _ => Ok(()),
    }
}

/// A key that belongs to no certificate, and certificates of clients that nobody vouches for. What a hook may still
/// contribute is its own business.
fn refuse_half_of_tls(values: &[(&'static str, Value, Origin)]) -> Result<(), SettingsError> {
    let of = |wanted: &str| {
        let named = rows().zip(values).find(|(setting, _)| setting.name == wanted);
        named.expect("only settings of the table are asked for")
    };
    let is_said = |name| !of(name).1.1.is_false();
    let refused = |name: &str, advice: &str| {
        let (setting, (_, value, origin)) = of(name);
        Err(SettingsError::invalid(setting, value, origin, advice.to_owned()))
    };
    if is_said("keyfile") && !is_said("certfile") {
        return refused("keyfile", "a key needs its certificate, say which with certfile");
    }
    let has_hook = of("ssl_context").1.2 != Origin::Default;
    if is_said("certfile") && is_said("cert_reqs") && !is_said("ca_certs") && !has_hook {
        return refused("cert_reqs", "needs ca_certs, the file of the authorities that vouch for clients");
    }
    Ok(())
}

/// A PasteDeploy file is the application, and gives the process its name.
fn name_after_paste(values: &mut [(&'static str, Value, Origin)], context: &Context) {
    let uri = values.iter().find_map(|(name, value, _)| match value {
        Value::Str(uri) if *name == "paste" && !uri.is_empty() => Some(uri.clone()),
        _ => None,
    });
    let unnamed =
        values.iter_mut().find(|(name, _, origin)| *name == "default_proc_name" && *origin == Origin::Default);
    if let (Some(uri), Some((_, value, _))) = (uri, unnamed) {
        *value = Value::text(paste::file(&uri, &context.start_directory).to_string_lossy());
    }
}

/// A flag that is none of Gunicorn's; in a conf file the name is a variable.
fn asks_for_explanation(layer: &Layer) -> bool {
    let asks = |(name, value): &(String, Value)| name == "explain_config" && *value == Value::Bool(true);
    layer.origin.speaks_in_flags() && layer.values.iter().any(asks)
}

fn without_effect(values: &[(&'static str, Value, Origin)], context: &Context) -> Vec<String> {
    let mut sentences = Vec::new();
    for (setting, (_, value, origin)) in rows().zip(values) {
        let support = setting.support_in(context.language);
        if let (Support::Inert(reason), false) = (support, *origin == Origin::Default) {
            sentences.push(format!("{} has no effect: {reason}", place(setting, value, origin)));
        }
        // The variable is asked only when the setting is not; the printed setting never shows it.
        if let (Support::Inert(reason), "sendfile", Some(word)) = (support, setting.name, &context.sendfile) {
            sentences.push(format!("the environment variable SENDFILE ({word}) has no effect: {reason}"));
        }
    }
    sentences
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
        Layer::new(origin, vec![(name.to_owned(), value)])
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
        let expected =
            "`workers = 'many'` from the environment variable WEB_CONCURRENCY: must be a whole number or auto";
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
    fn auto_becomes_a_number_and_says_of_what() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", "100000 100000\n")] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let bare = Context { machine_root: root.path().into(), ..Context::bare() };
        let flag = layer(Origin::CommandLine, "workers", Value::text("auto"));
        let variable = Context { web_concurrency: Some("Auto".into()), ..bare.clone() };
        for (context, layers, source) in [
            (&bare, vec![flag], "the command line (auto: 1 processor)"),
            (&variable, vec![], "the environment variable WEB_CONCURRENCY (auto: 1 processor)"),
        ] {
            let resolved = resolve(&layers, Some("app"), context).unwrap();
            let (_, value, origin) = resolved.values.iter().find(|(name, ..)| *name == "workers").unwrap();
            assert_eq!((resolved.settings.workers, value), (2, &Value::Int(2)));
            assert_eq!(origin.to_string(), source);
        }
        assert_eq!(problem("workers", Value::text("some")), "must be a whole number or auto");
    }

    #[test]
    fn a_file_with_lines_is_quoted_with_the_line() {
        let lines = [("workers".to_owned(), 7)].into();
        let numbered = Layer { lines, ..layer(file(), "workers", Value::text("x")) };
        let sentence = resolve(&[numbered], Some("app"), &Context::bare()).unwrap_err().to_string();
        assert!(sentence.starts_with("`workers = 'x'` from /srv/gunicorn.conf.py, line 7: "), "{sentence}");
    }

    #[test]
    fn a_paste_file_is_the_application_and_names_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.ini").to_string_lossy().into_owned();
        std::fs::write(&file, "").unwrap();
        let context = Context { start_directory: folder.path().into(), ..Context::bare() };
        let values = vec![
            ("paste".to_owned(), Value::text("./shop.ini#main")),
            ("raw_paste_global_conf".to_owned(), Value::texts([r"a\=b=c=d"])),
        ];
        let flags = Layer::new(Origin::CommandLine, values);
        let resolved = resolve(&[flags], None, &context).unwrap();
        assert_eq!(resolved.settings.paste, Some(format!("{file}#main")));
        assert_eq!(resolved.settings.paste_global, [("a=b".to_owned(), "c=d".to_owned())]);
        assert_eq!((&resolved.settings.application, &resolved.settings.proc_name), (&file, &file));
        let printed = |name| resolved.values.iter().find(|(known, ..)| *known == name).unwrap().1.shown();
        assert_eq!((printed("paste"), printed("default_proc_name")), ("./shop.ini#main".to_owned(), file.clone()));
    }

    #[test]
    fn the_layer_of_a_paste_file_lies_below_the_conf_file() {
        let values = vec![("workers".into(), Value::text("3")), ("timeout".into(), Value::text("9"))];
        let paste = Layer::new(Origin::Paste("/srv/shop.ini".into()), values);
        let layers = [paste, layer(file(), "workers", Value::Int(5))];
        let settings = resolve(&layers, Some("app"), &Context::bare()).unwrap().settings;
        assert_eq!((settings.workers, settings.timeout.as_secs()), (5, 9));
        let wrong = layer(Origin::Paste("/srv/shop.ini".into()), "timeout", Value::text("soon"));
        let sentence = resolve(&[wrong], Some("app"), &Context::bare()).unwrap_err().to_string();
        assert_eq!(sentence, "`timeout = 'soon'` from the PasteDeploy file /srv/shop.ini: must be a whole number");
    }

    #[test]
    fn what_was_set_without_effect_is_said() {
        let context = Context { sendfile: Some("yes".into()), ..Context::bare() };
        let flag = layer(Origin::CommandLine, "control_socket", Value::text("/run/x"));
        let said = resolve(&[flag], Some("app"), &context).unwrap().without_effect;
        assert_eq!(
            said,
            [
                "the environment variable SENDFILE (yes) has no effect: files never go through sendfile(2)",
                "`control_socket = '/run/x'` (--control-socket) from the command line has no effect: there is no \
                 control socket",
            ]
        );
        assert_eq!(resolve(&[], Some("app"), &Context::bare()).unwrap().without_effect, [""; 0]);
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
            ("protocol", Value::text("uwsgi"), "proxy_pass"),
            ("keyfile", Value::text("a.pem"), "a key needs its certificate"),
            ("cert_reqs", Value::Int(3), "must be 0, 1 or 2"),
            ("ciphers", Value::text("RC4"), "supported are ECDHE"),
            ("http2_cleartext", Value::text("both"), "say prior-knowledge"),
            ("dirty_workers", Value::Int(1), "task queue"),
            ("worker_class", Value::text("gevent"), "sync or gthread"),
        ];
        for (name, value, advice) in refused {
            let sentence = with(name, value).expect_err(name);
            assert!(sentence.contains(advice), "{sentence}");
        }
    }

    #[test]
    fn what_is_refused_may_be_named_when_it_asks_for_nothing() {
        let defaults = [
            ("http2_cleartext", Value::None),
            ("certfile", Value::text("")),
            ("protocol", Value::text("http")),
            ("worker_class", Value::text("gunicorn.workers.sync.SyncWorker")),
        ];
        for (name, value) in defaults {
            with(name, value).unwrap_or_else(|sentence| panic!("{sentence}"));
        }
    }

    #[test]
    fn at_most_a_dozen_settings_are_refused() {
        let refused = rows().filter(|setting| matches!(setting.support, Support::Refused(_)));
        assert!(refused.count() <= 12);
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
