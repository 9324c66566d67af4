//! The statements that nearly all are: nothing about them has to be known before they are sent, and a look at their bytes tells.

/// Without one of these an ordinary beginning goes on as an ordinary statement: temporary tables, advisory locks, set_config().
const SUSPICIOUS: [&[u8]; 3] = [b"temp", b"advisory", b"set_config"];
/// What begins one.
const BEGINNINGS: [&[u8]; 4] = [b"select", b"insert", b"update", b"delete"];

/// Whether this is one statement, which leaves nothing in the session, copies nothing, and begins and ends no transaction. What
/// merely looks as if it might is not: [`split`](super::split) knows more, and takes longer.
pub fn is_ordinary(text: &str) -> bool {
    let text = text.trim_ascii().as_bytes();
    let text = text.strip_suffix(b";").unwrap_or(text);
    let begins = |word: &&[u8]| text.len() > word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    let Some(word) = BEGINNINGS.iter().find(|word| begins(word)) else { return false };
    text[word.len()].is_ascii_whitespace() && !is_suspicious(&text[word.len()..])
}

fn is_suspicious(text: &[u8]) -> bool {
    let is_at = |at: usize, word: &[u8]| text.get(at..at + word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    text.iter().enumerate().any(|(at, byte)| match byte {
        b';' => true,
        b't' | b'T' | b'a' | b'A' | b's' | b'S' => SUSPICIOUS.iter().any(|word| is_at(at, word)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::split;
    use super::*;
    use crate::lease::Residue;

    #[test]
    fn what_is_ordinary_is_so_for_the_lexer_too() {
        for text in [
            "SELECT id FROM t WHERE id = 1",
            " \n insert into t values ('it''s') ; ",
            "Update t set a = 1",
            "delete from t -- all of it",
            "select $$x$$, E'\\'', \"a b\"",
            "select 'x",
        ] {
            assert!(is_ordinary(text), "{text}");
            let statements = split(text);
            assert_eq!(statements.len(), 1, "{text}");
            let (statement, copies) = (&statements[0], statements[0].copies);
            assert_eq!((statement.residue, statement.needs_session, copies), (Residue::None, None, None), "{text}");
            assert!(!statement.controls_transaction, "{text}");
        }
    }

    #[test]
    fn what_may_be_more_is_looked_at() {
        for text in [
            "",
            ";",
            "select",
            "selection",
            "select 1; select 2",
            "select ';'",
            "/* */ select 1",
            "select Pg_Advisory_Lock(1)",
            "SELECT SET_CONFIG('a', 'b', false)",
            "select 1 into TEMP t",
            "begin",
            "copy t from stdin",
            "set x = 1",
            "with a as (select 1) select 1",
        ] {
            assert!(!is_ordinary(text), "{text}");
        }
    }
}
