//! `GUNICORN_CMD_ARGS` to words, as a POSIX shell and Python's shlex quote them. Unlike in a shell, and unlike the
//! crates that model one, `#` starts no comment: in this variable it never has.

/// The words, or `None` when a quotation is not closed.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => single_quoted(&mut letters, word.get_or_insert_default())?,
            '"' => double_quoted(&mut letters, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next()?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

fn single_quoted(letters: &mut impl Iterator<Item = char>, word: &mut String) -> Option<()> {
    loop {
        match letters.next()? {
            '\'' => return Some(()),
            letter => word.push(letter),
        }
    }
}

fn double_quoted(letters: &mut impl Iterator<Item = char>, word: &mut String) -> Option<()> {
    loop {
        match letters.next()? {
            '"' => return Some(()),
            '\\' => match letters.next()? {
                letter @ ('"' | '\\') => word.push(letter),
                letter => word.extend(['\\', letter]),
            },
            letter => word.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_hold_words_together() {
        let words = split(r#"-w  3 --name 'a b' "c \"d\" \n" e\ f '' # x"y"z "#).unwrap();
        assert_eq!(words, ["-w", "3", "--name", "a b", r#"c "d" \n"#, "e f", "", "#", "xyz"]);
    }

    #[test]
    fn an_open_quotation_is_no_words() {
        for text in ["'a", "\"a", "\"a\\", "a\\"] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
