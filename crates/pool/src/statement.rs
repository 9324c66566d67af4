//! What a statement is, as far as one must know before it is sent: how many there are in a string, which of them leave
//! something in the session, which copy data.
//!
//! This is a lexer, not a parser: it knows strings, names, comments and words, and looks at the words. What it does not
//! recognize is sent as it is.

mod lexer;
pub mod ordinary;

use crate::lease::Residue;

use self::lexer::{Lexer, Token};

/// One statement of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Its text.
    pub text: &'a str,
    /// What it leaves in the session.
    pub residue: Residue,
    /// Why it cannot be used where a session is as long as a transaction: what it is, and what to do instead.
    pub needs_session: Option<(&'static str, &'static str)>,
    /// It copies from or to the client.
    pub copies: Option<Copy>,
    /// It begins or ends transactions.
    pub controls_transaction: bool,
}

/// Where data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// Into the database.
    In,
    /// Out of it.
    Out,
}

/// Takes a string apart. Empty statements are none.
pub fn split(text: &str) -> Vec<Statement<'_>> {
    let mut lexer = Lexer::new(text);
    let mut statements = Vec::with_capacity(1);
    let (mut start, mut words) = (0, Vec::<Token<'_>>::new());
    let mut nesting = Nesting::default();
    while let Some((token, at)) = lexer.next() {
        if token == Token::Semicolon && nesting.is_outside() {
            finish(&text[start..at], &words, &mut statements);
            words.clear();
            nesting = Nesting::default();
            start = at + 1;
        } else {
            nesting.note(token, words.last().copied());
            words.push(token);
        }
    }
    finish(&text[start..], &words, &mut statements);
    statements
}

fn finish<'a>(text: &'a str, words: &[Token<'a>], statements: &mut Vec<Statement<'a>>) {
    if words.is_empty() {
        return;
    }
    let (residue, needs_session) = match judge(words) {
        Some((residue, what, instead)) => (residue, Some((what, instead))),
        None => (Residue::None, None),
    };
    const CONTROL: [&str; 6] = ["begin", "start", "commit", "end", "rollback", "abort"];
    let pair = |first: &str, second: &str| words.windows(2).any(|pair| pair[0].is(first) && pair[1].is(second));
    let copies = match words[0].is("copy") {
        // Postgres takes either word either way.
        true if pair("from", "stdin") || pair("from", "stdout") => Some(Copy::In),
        true if pair("to", "stdout") || pair("to", "stdin") => Some(Copy::Out),
        _ => None,
    };
    let controls_transaction = CONTROL.iter().any(|word| words[0].is(word));
    statements.push(Statement { text: text.trim(), residue, needs_session, copies, controls_transaction });
}

/// What a statement leaves behind, in whose words, and what to do instead.
fn judge(words: &[Token<'_>]) -> Option<(Residue, &'static str, &'static str)> {
    const LOCAL: &str = "use SET LOCAL, or put it into the DSN's options";
    const DIRECT: &str = "use a pool with pool_mode = session or direct";
    let second = |word: &str| words.get(1).is_some_and(|token| token.is(word));
    let pair = |first: &str, second: &str| words.windows(2).any(|pair| pair[0].is(first) && pair[1].is(second));
    let Token::Word(first) = words[0] else { return by_function(words) };
    match first.to_ascii_lowercase().as_str() {
        "set" if second("local") || second("transaction") || second("constraints") => None,
        "set" => Some((Residue::Settings, "SET without LOCAL", LOCAL)),
        "reset" => Some((Residue::Settings, "RESET", LOCAL)),
        "listen" | "unlisten" => Some((Residue::Settings, "LISTEN", DIRECT)),
        "prepare" if second("transaction") => None,
        "prepare" | "execute" | "deallocate" => Some((Residue::Everything, "PREPARE", "send the statement itself")),
        "declare" if pair("with", "hold") => {
            Some((Residue::Settings, "a WITH HOLD cursor", "fetch within the transaction"))
        }
        "load" => Some((Residue::Everything, "LOAD", DIRECT)),
        "discard" => Some((Residue::Everything, "DISCARD", DIRECT)),
        "create" if creates_temporary(&words[1..]) && !pair("commit", "drop") => {
            Some((Residue::Settings, "a temporary table", "add ON COMMIT DROP"))
        }
        "select" | "with" if selects_into_temporary(words) => {
            Some((Residue::Settings, "a temporary table", "use CREATE TEMPORARY TABLE ... ON COMMIT DROP"))
        }
        _ => by_function(words),
    }
}

/// Whether what follows CREATE makes something of the session's.
fn creates_temporary(words: &[Token<'_>]) -> bool {
    const BEFORE: [&str; 4] = ["or", "replace", "local", "global"];
    // Functions there are found by nobody who does not name the schema.
    const FOUND: [&str; 9] = ["recursive", "table", "view", "sequence", "type", "domain", "if", "not", "exists"];
    let among = |list: &[&str], token: &&Token<'_>| list.iter().any(|word| token.is(word));
    let mut words = words.iter().skip_while(|token| among(&BEFORE, token)).peekable();
    words.peek().is_some_and(|token| is_temporary(token))
        || words.find(|token| !among(&FOUND, token)).is_some_and(|token| token.is("pg_temp"))
}

/// Whether a SELECT makes something of the session's. INSERT INTO finds it.
fn selects_into_temporary(words: &[Token<'_>]) -> bool {
    let makes = |(at, token): (usize, &Token<'_>)| {
        let finds = at > 0 && (words[at - 1].is("insert") || words[at - 1].is("merge"));
        let mut behind =
            words[at + 1..].iter().skip_while(|token| ["local", "global", "table"].iter().any(|word| token.is(word)));
        token.is("into") && !finds && behind.next().is_some_and(|token| is_temporary(token) || token.is("pg_temp"))
    };
    words.iter().enumerate().any(makes)
}

fn is_temporary(token: &Token<'_>) -> bool {
    token.is("temp") || token.is("temporary")
}

/// Functions whose effect lasts as long as the session.
fn by_function(words: &[Token<'_>]) -> Option<(Residue, &'static str, &'static str)> {
    const LOCKS: [&str; 7] = [
        "pg_advisory_lock",
        "pg_advisory_lock_shared",
        "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared",
        "pg_advisory_unlock",
        "pg_advisory_unlock_shared",
        "pg_advisory_unlock_all",
    ];
    for (at, token) in words.iter().enumerate() {
        if LOCKS.iter().any(|name| token.is(name)) {
            return Some((Residue::Settings, "a session's advisory lock", "use pg_advisory_xact_lock"));
        }
        if token.is("set_config") && lasts(&words[at + 1..]) {
            return Some((Residue::Settings, "set_config(..., false)", "pass true: for this transaction"));
        }
    }
    None
}

/// Whether a call's last argument is false.
fn lasts(behind: &[Token<'_>]) -> bool {
    let mut depth = 0;
    for (at, token) in behind.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 1 => return at > 0 && behind[at - 1].is("false"),
            Token::Close => depth -= 1,
            _ => {}
        }
    }
    false
}

/// What a semicolon may be inside of.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    /// Blocks of a function's body: BEGIN ATOMIC, and CASE within.
    blocks: usize,
}

impl Nesting {
    fn is_outside(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn note(&mut self, token: Token<'_>, before: Option<Token<'_>>) {
        match token {
            Token::Open => self.parentheses += 1,
            Token::Close => self.parentheses = self.parentheses.saturating_sub(1),
            _ if token.is("atomic") && before.is_some_and(|before| before.is("begin")) => self.blocks += 1,
            _ if token.is("case") && self.blocks > 0 => self.blocks += 1,
            _ if token.is("end") => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|statement| statement.text).collect()
    }
    fn needs(text: &str) -> Option<&'static str> {
        split(text)[0].needs_session.map(|(what, _)| what)
    }

    #[test]
    fn semicolons_that_are_none() {
        assert_eq!(texts("select 1"), ["select 1"]);
        assert_eq!(texts(" select 1 ; ; select 2; "), ["select 1", "select 2"]);
        assert_eq!(texts("-- nothing"), [""; 0]);
        for whole in [
            "select ';', E'\\';', \"a;b\", $$;$$, $x$ $$;$$ $x$",
            "select 1 /* ; /* ; */ ; */ -- ;",
            "select 'it''s;' || $1",
            "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
            "create rule r as on insert to t do (select 1; select 2)",
            "select a$b$c, e'x;'",
            "select E'a''b\\'c;'",
            "select E'a'\n  'b\\'c;'",
            "select E'a' 'b', 'c;'",
        ] {
            assert_eq!(texts(whole), [whole]);
            assert_eq!(texts(&format!("{whole}\n; select 2")).len(), 2);
        }
        for unfinished in ["select 'x", "select $$x", "select /* x", "select E'x\\", "select \"", "$", "'", "$1"] {
            split(unfinished);
        }
    }

    #[test]
    fn statements_that_need_a_session() {
        for fine in [
            "select 1",
            "SET LOCAL x = 1",
            "set transaction read only",
            "PREPARE TRANSACTION 'x'",
            "declare c cursor for select 1",
            "create temp table t (a int) on commit drop",
            "create table temp (a int)",
            "create index on temp (a)",
            "create table t (like pg_temp.other)",
            "select pg_advisory_xact_lock(1)",
            "select 'pg_advisory_lock(1)'",
            "select set_config('a', 'b', true)",
            "insert into t values ('set x')",
            "with x as (select 1) insert into pg_temp.t select * from x",
            "select 1 into t",
        ] {
            assert_eq!(needs(fine), None, "{fine}");
        }
        for (statement, what) in [
            ("set search_path to x", "SET without LOCAL"),
            ("/* hi */ Set Session x = 1", "SET without LOCAL"),
            ("listen x", "LISTEN"),
            ("prepare x as select 1", "PREPARE"),
            ("declare c cursor with hold for select 1", "a WITH HOLD cursor"),
            ("create temporary table t (a int)", "a temporary table"),
            ("create local temp table t (a int)", "a temporary table"),
            ("select 1 into temp t", "a temporary table"),
            ("select 1 into table pg_temp.t", "a temporary table"),
            ("with x as (select 1) select * into pg_temp.t from x", "a temporary table"),
            ("select 1 into local temporary t", "a temporary table"),
            ("create or replace local temp view v as select 1", "a temporary table"),
            ("create table if not exists pg_temp.t (a int)", "a temporary table"),
            ("select pg_try_advisory_lock(1)", "a session's advisory lock"),
            ("select set_config('a', f(1), false)", "set_config(..., false)"),
        ] {
            assert_eq!(needs(statement), Some(what), "{statement}");
        }
    }

    #[test]
    fn copies() {
        assert_eq!(split("copy t from stdin")[0].copies, Some(Copy::In));
        assert_eq!(split("COPY (select 1) TO STDOUT with csv")[0].copies, Some(Copy::Out));
        assert_eq!(split("copy t from stdout")[0].copies, Some(Copy::In));
        assert_eq!(split("copy t to stdin")[0].copies, Some(Copy::Out));
        assert_eq!(split("copy t from '/file'")[0].copies, None);
    }
}
