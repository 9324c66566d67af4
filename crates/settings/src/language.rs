//! What a server's applications are written in, and what becomes of settings that mean something in one language only.

use crate::{Section, Setting, Support};
use serde::{Deserialize, Serialize};

/// The language of the applications that a program serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// WSGI applications.
    #[default]
    Python,
    /// Native applications: the program is the application.
    Rust,
}

impl Setting {
    /// What becomes of it where applications are written in this language.
    pub fn support_in(&self, language: Language) -> Support {
        match language {
            Language::Python => self.support,
            Language::Rust => self.support_in_rust(),
        }
    }

    fn support_in_rust(&self) -> Support {
        match self.name {
            "recycle_after_panic" => Support::Works,
            "worker_class" | "threads" => Support::Refused(
                "a native application answers many requests at once on one thread; leave it out, and say with \
                 worker_connections how many at most",
            ),
            "wsgi_app" | "paste" => Support::Refused("the program itself is the application; start another program"),
            "logger_class" | "logconfig" | "logconfig_dict" | "logconfig_json" | "syslog" => Support::Refused(
                "it is about Python's logging; a native application logs to errorlog and accesslog, which systemd or \
                 the container's runtime can pass on",
            ),
            "syslog_addr" | "syslog_prefix" | "syslog_facility" | "disable_redirect_access_to_syslog" => {
                Support::Inert("a native application does not log to syslog")
            }
            "queue_timeout" => Support::Inert("a request to a native application waits for no other"),
            "preload_app" => Support::Inert("a native application is loaded with its program"),
            "pythonpath" | "raw_paste_global_conf" | "server_software" => {
                Support::Inert("there is no Python in a native application")
            }
            "tmp_upload_dir" | "client_body_buffer_size" => {
                Support::Inert("a native application gets request bodies as they arrive")
            }
            _ if self.section == Section::ServerHooks || self.name == "ssl_context" => Support::Refused(
                "hooks are functions of a Python conf file; main and the factory are the places for such code",
            ),
            _ => self.support,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Layer, Origin, Value, find, resolve};

    /// What a native application's operator is told of a flag.
    fn told(name: &str, value: Value) -> Result<Vec<String>, String> {
        let context = Context { language: Language::Rust, ..Context::bare() };
        let flag = Layer::new(Origin::CommandLine, vec![(name.to_owned(), value)]);
        let resolved = resolve(&[flag], Some("shop"), &context).map_err(|error| error.to_string())?;
        Ok(resolved.without_effect)
    }

    #[test]
    fn settings_of_python_are_refused_by_name_or_said_to_be_without_effect() {
        for (name, value, words) in [
            ("threads", Value::Int(4), "`threads = 4` (--threads) from the command line: a native application answers"),
            ("worker_class", Value::text("gthread"), "leave it out"),
            ("logconfig", Value::text("x.ini"), "it is about Python's logging"),
            ("wsgi_app", Value::text("shop:app"), "the program itself is the application"),
        ] {
            let sentence = told(name, value).expect_err(name);
            assert!(sentence.contains(words), "{sentence}");
        }
        let inert = told("preload_app", Value::Bool(true)).unwrap();
        assert!(inert[0].ends_with("has no effect: a native application is loaded with its program"), "{inert:?}");
        assert_eq!(told("threads", Value::Int(1)), Ok(vec![]));
        assert_eq!(told("recycle_after_panic", Value::Bool(true)), Ok(vec![]));
    }

    #[test]
    fn what_is_without_effect_everywhere_stays_so() {
        let sendfile = find("sendfile").unwrap();
        assert_eq!(sendfile.support_in(Language::Rust), sendfile.support);
    }
}
