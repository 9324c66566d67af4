//! What is shipped beside the program and made of its command: shell completions and the manual page. The tests keep
//! the files current: `UPDATE=1 cargo test -p ferricorn-settings`.

use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use ferricorn_settings::{Kind, TABLE, command};
use std::path::Path;
use std::{env, fs, io};

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

fn completions(shell: Shell) -> io::Result<String> {
    let mut script = Vec::new();
    generate(shell, &mut described(), PROGRAM, &mut script);
    tidy(script)
}

fn manual_page() -> io::Result<String> {
    let man = Man::new(described()).source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"))).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut further = Roff::new();
    for (title, entries) in SECTIONS {
        further.control("SH", [title]);
        for (term, meaning) in entries {
            further.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    further.to_writer(&mut page)?;
    tidy(page)
}

/// Without blanks at the ends of lines, which editors and git take away.
fn tidy(text: Vec<u8>) -> io::Result<String> {
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    Ok(text.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

/// Whether the file holds this text; with UPDATE in the environment it is made to.
fn is_current(name: &str, wanted: io::Result<String>) -> io::Result<bool> {
    let (root, wanted) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), wanted?);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(root.join("etc/completions"))?;
        fs::write(root.join(name), &wanted)?;
    }
    Ok(fs::read_to_string(root.join(name)).unwrap_or_default() == wanted)
}

/// What a test says of a file that is not.
const STALE: &str = "the file is stale: UPDATE=1 cargo test -p ferricorn-settings";

#[test]
fn completions_are_current() {
    assert!(is_current("etc/completions/ferricorn.bash", completions(Shell::Bash)).unwrap(), "{STALE}");
    assert!(is_current("etc/completions/_ferricorn", completions(Shell::Zsh)).unwrap(), "{STALE}");
    assert!(is_current("etc/completions/ferricorn.fish", completions(Shell::Fish)).unwrap(), "{STALE}");
}

#[test]
fn the_manual_page_is_current() {
    assert!(is_current("docs/ferricorn.1", manual_page()).unwrap(), "{STALE}");
}

#[test]
fn every_flag_is_in_every_file() {
    let scripts = [Shell::Bash, Shell::Zsh, Shell::Fish].map(completions);
    for file in scripts.into_iter().chain([manual_page()]) {
        let plain = file.unwrap().replace("\\-", "-");
        for flag in TABLE.iter().filter_map(|setting| setting.long.first()) {
            assert!(plain.contains(flag), "{flag} is missing in {}", plain.lines().next().unwrap());
        }
    }
}
