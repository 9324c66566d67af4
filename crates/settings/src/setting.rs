//! What a row of the settings table says. The rows themselves are in `table.rs`.

use crate::Value;

/// One of Gunicorn's settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name in a conf file or TOML file.
    pub name: &'static str,
    /// Heading it stands under in the help and in docs/settings.md.
    pub section: Section,
    /// Short flag.
    pub short: Option<char>,
    /// Long flags, the usual one first; empty when only a file can set it.
    pub long: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// What it is when nobody says anything.
    pub fallback: Fallback,
    /// What it means, with its unit.
    pub meaning: &'static str,
    /// What becomes of it here.
    pub support: Support,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A switch; its flag can only turn it on.
    Bool,
    /// A switch whose flag turns it off.
    BoolOff,
    /// A whole number, zero or more.
    Int,
    /// A whole number, zero or more; its flag takes 0x, 0o and leading-zero octal too.
    AutoInt,
    /// A whole number, zero or more, or `auto`.
    Count,
    /// A number of seconds, zero or more, with or without a fraction.
    Seconds,
    /// Text.
    Str,
    /// Texts; its flag may be repeated.
    List,
    /// Files and glob patterns; its flag may be repeated, and a file must exist.
    Files,
    /// Texts, separated by commas.
    Names,
    /// IP addresses and networks or `*`, separated by commas.
    Addresses,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words; the flag without a word means the second string.
    OptionalChoice(&'static [&'static str], &'static str),
    /// An alias, a dotted path or a class.
    Class,
    /// A host and port, or a unix socket.
    StatsdHost,
    /// A directory.
    Directory,
    /// A user name or number.
    User,
    /// A group name or number.
    Group,
    /// A dict.
    Map,
    /// A function of so many arguments.
    Hook(u8),
    /// Something that is handed on as it is.
    Any,
}

/// The value of a setting that nobody set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Unset.
    None,
    /// A truth value.
    Bool(bool),
    /// A number.
    Int(i64),
    /// Text.
    Str(&'static str),
    /// Texts.
    List(&'static [&'static str]),
    /// Pairs.
    Map(&'static [(&'static str, &'static str)]),
    /// A function that does nothing to speak of, by the name Gunicorn prints.
    Hook(&'static str),
    /// Depends on the process: the words say on what, [`crate::Context`] has the value.
    Context(&'static str),
}

impl Fallback {
    /// The default as a value; unset for the ones that depend on the process.
    pub fn value(&self) -> Value {
        match *self {
            Fallback::None | Fallback::Context(_) => Value::None,
            Fallback::Bool(switch) => Value::Bool(switch),
            Fallback::Int(number) => Value::Int(number),
            Fallback::Str(text) => Value::text(text),
            Fallback::List(texts) => Value::texts(texts.iter().copied()),
            Fallback::Map(pairs) => {
                Value::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::text(*value))).collect())
            }
            Fallback::Hook(name) => Value::Callable(name.to_owned()),
        }
    }
}

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what it does in Gunicorn.
    Works,
    /// It does nearly that; the phrase says what is different.
    Differs(&'static str),
    /// It is taken and changes nothing, for this reason.
    Inert(&'static str),
    /// Anything but its default ends the start; the phrase says why and what to do instead.
    Refused(&'static str),
}

/// Where a setting belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Which file, which application.
    ConfigFile,
    /// Where to listen.
    ServerSocket,
    /// How many workers and how they live.
    WorkerProcesses,
    /// Limits on what clients send.
    Security,
    /// For development.
    Debugging,
    /// The process itself.
    ServerMechanics,
    /// Logs and metrics.
    Logging,
    /// Names in the process list.
    ProcessNaming,
    /// Functions of the conf file.
    ServerHooks,
    /// TLS.
    Ssl,
    /// HTTP/2.
    Http2,
    /// Dirty pool.
    DirtyArbiters,
    /// Functions of the conf file for the dirty pool.
    DirtyArbiterHooks,
    /// The control socket.
    Control,
    /// What Gunicorn does not have.
    Ferricorn,
}

impl Section {
    /// All sections in the order they are shown.
    pub const ALL: [Section; 15] = [
        Section::ConfigFile,
        Section::ServerSocket,
        Section::WorkerProcesses,
        Section::Security,
        Section::Debugging,
        Section::ServerMechanics,
        Section::Logging,
        Section::ProcessNaming,
        Section::ServerHooks,
        Section::Ssl,
        Section::Http2,
        Section::DirtyArbiters,
        Section::DirtyArbiterHooks,
        Section::Control,
        Section::Ferricorn,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::ConfigFile => "Config File",
            Section::ServerSocket => "Server Socket",
            Section::WorkerProcesses => "Worker Processes",
            Section::Security => "Security",
            Section::Debugging => "Debugging",
            Section::ServerMechanics => "Server Mechanics",
            Section::Logging => "Logging",
            Section::ProcessNaming => "Process Naming",
            Section::ServerHooks => "Server Hooks",
            Section::Ssl => "SSL",
            Section::Http2 => "HTTP/2",
            Section::DirtyArbiters => "Dirty Arbiters",
            Section::DirtyArbiterHooks => "Dirty Arbiter Hooks",
            Section::Control => "Control",
            Section::Ferricorn => "Ferricorn",
        }
    }
}

impl Setting {
    /// A row for a setting that works and is unset by default; the methods below say where it differs.
    pub(crate) const fn new(name: &'static str, section: Section, kind: Kind) -> Setting {
        let fallback = match kind {
            Kind::Bool => Fallback::Bool(false),
            _ => Fallback::None,
        };
        Setting { name, section, short: None, long: &[], kind, fallback, meaning: "", support: Support::Works }
    }

    /// What it means, as a phrase.
    pub(crate) const fn meaning(mut self, phrase: &'static str) -> Setting {
        self.meaning = phrase;
        self
    }

    /// Flags by their names without dashes.
    pub(crate) const fn long(mut self, flags: &'static [&'static str]) -> Setting {
        self.long = flags;
        self
    }

    /// Short flag.
    pub(crate) const fn short(mut self, flag: char) -> Setting {
        self.short = Some(flag);
        self
    }

    /// Default.
    pub(crate) const fn or(mut self, fallback: Fallback) -> Setting {
        self.fallback = fallback;
        self
    }

    /// Works, with this difference.
    pub(crate) const fn differs(mut self, phrase: &'static str) -> Setting {
        self.support = Support::Differs(phrase);
        self
    }

    /// Taken without effect.
    pub(crate) const fn inert(mut self, reason: &'static str) -> Setting {
        self.support = Support::Inert(reason);
        self
    }

    /// Refused unless it is the default.
    pub(crate) const fn refused(mut self, advice: &'static str) -> Setting {
        self.support = Support::Refused(advice);
        self
    }

    /// The flag to name in a sentence.
    pub fn flag(&self) -> Option<String> {
        self.long.first().map(|long| format!("--{long}"))
    }

    /// All flags, as in "-w/--workers".
    pub fn flags(&self) -> String {
        let short = self.short.map(|short| format!("-{short}"));
        let long = self.long.iter().map(|long| format!("--{long}"));
        short.into_iter().chain(long).collect::<Vec<_>>().join("/")
    }

    /// The default, in the form that a checked value has.
    pub fn default_value(&self) -> Value {
        match (self.kind, self.fallback) {
            (Kind::Names | Kind::Addresses, Fallback::Str(list)) => Value::texts(list.split(',')),
            (_, fallback) => fallback.value(),
        }
    }
}
