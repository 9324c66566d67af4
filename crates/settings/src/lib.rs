//! What the operator asked for, from one table of settings.
//!
//! # Layout
//!
//! ```text
//! setting, table    what a setting is, and all 120 of them: everything below is derived from that table
//! value, layer      what a source said, and which source it was
//! command           the table as a clap command
//! command_line      flags -> Layer            (help and usage errors come back as text, nothing is printed)
//! usage, words      argparse's sentences; a quoted variable -> words
//! toml_file         ferricorn.toml -> Layer
//! location          which conf file to read
//! context           what the environment changes about the defaults
//! machine           how many workers `auto` means
//! resolve           layers -> Resolved: check, refuse what this server does not do, lay over each other
//! typed             checked values -> Settings
//! paste             what --paste names
//! print             Resolved -> what --print-config prints
//! validate          one value of one setting; accounts, integer and full_path help it
//! worker_class      which names of worker classes are served
//! language          settings that mean something in one language only
//! settings          the typed result; bind, address_list, statsd_address and the like are its field types
//! tls, ciphers      what it says of TLS and HTTP/2
//! docs, differences the table as Markdown: all of it, and what is not as in Gunicorn
//! error             every sentence that ends a start
//! ```
//!
//! Nothing here prints, forks or opens a socket. Parsing a command line touches nothing at all; resolving looks at
//! the user database, at files and directories that a setting names, for `auto` at the limits of this process, and at
//! nothing else.

mod accounts;
mod address_list;
mod bind;
mod ciphers;
mod command;
mod command_line;
mod context;
mod differences;
mod docs;
mod error;
mod full_path;
mod integer;
mod language;
mod layer;
mod location;
mod machine;
mod paste;
mod print;
mod resolve;
mod setting;
mod settings;
mod statsd_address;
mod table;
mod tls;
mod toml_file;
mod typed;
mod usage;
mod validate;
mod value;
mod words;
mod worker_class;

pub use address_list::AddressList;
pub use bind::Bind;
pub use ciphers::{CipherSuite, cipher_suites};
pub use command::{arguments, command};
pub use command_line::{CommandLine, EarlyExit, parse, parse_environment_arguments, said};
pub use context::{Context, start_directory};
pub use differences::differences_table;
pub use docs::settings_page;
pub use error::SettingsError;
pub use language::Language;
pub use layer::{Layer, Origin};
pub use location::{ConfigLocation, config_location, paste_file};
pub use paste::paste_layer;
pub use print::print_config;
pub use resolve::{Resolved, resolve};
pub use setting::{Fallback, Kind, Section, Setting, Support};
pub use settings::{HeaderMapPolicy, LogLevel, ProxyProtocol, ReloadEngine, Settings};
pub use statsd_address::StatsdAddress;
pub use table::{FLAGS, OWN, TABLE, find, rows};
pub use tls::{ClientCertificates, Http, HttpProtocol, Tls, TlsVersion};
pub use toml_file::read_toml;
pub use validate::checked;
pub use value::Value;
