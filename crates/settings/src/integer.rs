//! Whole numbers as Python reads them, because flags and conf files have always been read that way.

/// Like `int(text)`: decimal, blanks around it, a sign, underscores between digits.
pub(crate) fn decimal(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text.trim());
    signed(negative, magnitude(digits, 10)?)
}

/// Like `int(text, 0)`: with a prefix 0x, 0o or 0b too, but no leading zero without one.
pub(crate) fn prefixed(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text.trim());
    signed(negative, any_base(digits)?)
}

/// As `prefixed`, and `022` is octal: what --umask takes.
pub(crate) fn octal_too(text: &str) -> Option<i64> {
    match text.as_bytes() {
        [b'0', b'0'..=b'9', ..] => signed(false, magnitude(&text[1..], 8)?),
        _ => prefixed(text),
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn signed(negative: bool, magnitude: i64) -> Option<i64> {
    Some(if negative { -magnitude } else { magnitude })
}

fn any_base(digits: &str) -> Option<i64> {
    let base = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => 10,
    };
    match base {
        10 => magnitude(digits, 10).filter(|number| *number == 0 || !digits.starts_with('0')),
        base => magnitude(digits[2..].strip_prefix('_').unwrap_or(&digits[2..]), base),
    }
}

fn magnitude(digits: &str, base: u32) -> Option<i64> {
    let well_separated = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let plain = digits.replace('_', "");
    let only_digits = plain.chars().all(|letter| letter.is_digit(base));
    (well_separated && only_digits).then(|| i64::from_str_radix(&plain, base).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_python() {
        let decimals =
            [(" 3 ", Some(3)), ("-1", Some(-1)), ("1_0", Some(10)), ("007", Some(7)), ("0x3", None), ("", None)];
        for (text, number) in decimals {
            assert_eq!(decimal(text), number, "{text:?}");
        }
        let any = [
            ("0x1F", Some(31)),
            ("0o22", Some(18)),
            ("0b_11", Some(3)),
            ("022", None),
            ("00", Some(0)),
            ("1__0", None),
        ];
        for (text, number) in any {
            assert_eq!(prefixed(text), number, "{text:?}");
        }
        let masks =
            [("022", Some(18)), ("0o22", Some(18)), ("18", Some(18)), ("0", Some(0)), ("08", None), ("--1", None)];
        for (text, number) in masks {
            assert_eq!(octal_too(text), number, "{text:?}");
        }
    }
}
