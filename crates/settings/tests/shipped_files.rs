//! What is shipped beside the program and made of its command: shell completions and the manual page. The tests keep
//! the files current: `UPDATE=1 cargo test -p ferricorn-settings`.

use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use ferricorn_settings::{Kind, TABLE, command};
use std::path::Path;
use std::{env, fs};

/// Name that the files are for.
const PROGRAM: &str = "ferricorn";

/// Sections of the manual page that no flag says: a title, and terms with what they mean.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "ENVIRONMENT",
        &[
            ("GUNICORN_CMD_ARGS", "Further flags. They go before the conf file, the command line goes before them."),
            ("PORT", "Listen at 0.0.0.0 and this port unless told otherwise."),
            ("WEB_CONCURRENCY, WORKERS", "Number of workers unless told otherwise; the first one that is set counts."),
            ("FORWARDED_ALLOW_IPS", "Peers whose forwarding headers are believed, unless told otherwise."),
            ("LISTEN_FDS, LISTEN_PID, NOTIFY_SOCKET", "Sockets from systemd, and where it is told of the start."),
        ],
    ),
    (
        "SIGNALS",
        &[
            ("TERM", "Stop when the requests in progress are answered, or graceful_timeout is over."),
            ("INT, QUIT", "Stop at once."),
            ("HUP", "Read the configuration and the application anew, and replace the workers one by one."),
            ("TTIN, TTOU", "One worker more, one worker less."),
            ("USR1", "Reopen the log files."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Stopped as asked, or the configuration was checked and is good."),
            ("1", "The configuration, an address, the pid file, a log file or a preloaded application is at fault."),
            ("2", "The command line makes no sense."),
            ("3", "A worker could not load the application."),
            ("4", "The application is missing in its module, or is none."),
        ],
    ),
    (
        "FILES",
        &[
            ("./gunicorn.conf.py", "The conf file, unless --config names another: settings as variables of Python."),
            ("./ferricorn.toml", "The conf file if there is no gunicorn.conf.py: settings as keys of TOML."),
        ],
    ),
];

/// The command under the version alone, and with the words of every choice.
fn described() -> Command {
    let choices = TABLE.iter().filter_map(|setting| match setting.kind {
        Kind::Choice(words) | Kind::OptionalChoice(words, _) => Some((setting.name, words)),
        _ => None,
    });
    let plain = command(PROGRAM).version(env!("CARGO_PKG_VERSION"));
    choices.fold(plain, |command, (name, words)| {
        command.mut_arg(name, |argument| argument.value_parser(PossibleValuesParser::new(words.iter().copied())))
    })
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut described(), PROGRAM, &mut script);
    tidy(script)
}

fn manual_page() -> String {
    let man = Man::new(described()).source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"))).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    let mut further = Roff::new();
    for (title, entries) in SECTIONS {
        further.control("SH", [title]);
        for (term, meaning) in entries {
            further.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    further.to_writer(&mut page).unwrap();
    tidy(page)
}

/// Without blanks at the ends of lines, which editors and git take away.
fn tidy(text: Vec<u8>) -> String {
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn must_be_current(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let current = fs::read_to_string(&path).unwrap_or_default() == wanted;
    assert!(current, "{name} is stale: UPDATE=1 cargo test -p ferricorn-settings");
}

#[test]
fn completions_are_current() {
    must_be_current("etc/completions/ferricorn.bash", &completions(Shell::Bash));
    must_be_current("etc/completions/_ferricorn", &completions(Shell::Zsh));
    must_be_current("etc/completions/ferricorn.fish", &completions(Shell::Fish));
}

#[test]
fn the_manual_page_is_current() {
    must_be_current("docs/ferricorn.1", &manual_page());
}

#[test]
fn every_flag_is_in_every_file() {
    let files = [completions(Shell::Bash), completions(Shell::Zsh), completions(Shell::Fish), manual_page()];
    for flag in TABLE.iter().filter_map(|setting| setting.long.first()) {
        for file in &files {
            let plain = file.replace("\\-", "-");
            assert!(plain.contains(flag), "{flag} is missing in {}", file.lines().next().unwrap());
        }
    }
}
