//! Users and groups by name or number, from the system's database.

use crate::Value;
use crate::integer::decimal;
use crate::value::quoted;
use nix::unistd::{Group, Uid, User, getegid, geteuid};

/// The number of a user; unset means the one this process runs as.
pub(crate) fn user_id(value: &Value) -> Result<Value, String> {
    account(value, geteuid().as_raw(), "user", |name| Ok(User::from_name(name)?.map(|user| user.uid.as_raw())))
}

/// The number of a group; unset means the one this process runs as.
pub(crate) fn group_id(value: &Value) -> Result<Value, String> {
    account(value, getegid().as_raw(), "group", |name| Ok(Group::from_name(name)?.map(|group| group.gid.as_raw())))
}

/// The name of a user, where the number has one.
pub(crate) fn user_name(user: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(user)).ok()?.map(|user| user.name)
}

fn account(
    value: &Value,
    own: u32,
    what: &str,
    look_up: impl Fn(&str) -> nix::Result<Option<u32>>,
) -> Result<Value, String> {
    let unknown = |name: &str| format!("No such {what}: {}", quoted(name));
    match value {
        Value::None => Ok(Value::Int(own.into())),
        Value::Int(number) => in_range(*number).ok_or_else(|| unknown(&number.to_string())),
        Value::Str(name) if is_number(name) => decimal(name).and_then(in_range).ok_or_else(|| unknown(name)),
        Value::Str(name) => match look_up(name) {
            Ok(Some(number)) => Ok(Value::Int(number.into())),
            Ok(None) => Err(unknown(name)),
            Err(error) => Err(format!("{what} {} cannot be looked up: {}", quoted(name), error.desc())),
        },
        _ => Err(format!("must be the name or number of a {what}")),
    }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The largest number is what the system calls read as "leave it alone", so it is nobody's.
fn in_range(number: i64) -> Option<Value> {
    let number = u32::try_from(number).ok().filter(|number| *number != u32::MAX)?;
    Some(Value::Int(number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_go_by_name_or_number() {
        assert_eq!(user_id(&Value::text("root")), Ok(Value::Int(0)));
        assert_eq!(group_id(&Value::text("root")), Ok(Value::Int(0)));
        assert_eq!(user_id(&Value::text("123456")), Ok(Value::Int(123456)));
        assert_eq!(user_id(&Value::None), Ok(Value::Int(geteuid().as_raw().into())));
        assert_eq!(user_name(0).as_deref(), Some("root"));
    }

    #[test]
    fn nobody_is_made_up() {
        assert_eq!(user_id(&Value::text("nosuch")), Err("No such user: 'nosuch'".to_owned()));
        assert_eq!(group_id(&Value::text("")), Err("No such group: ''".to_owned()));
        assert_eq!(user_id(&Value::Int(-5)), Err("No such user: '-5'".to_owned()));
        assert_eq!(user_id(&Value::Int(1 << 40)), Err("No such user: '1099511627776'".to_owned()));
        assert_eq!(group_id(&Value::Bool(true)), Err("must be the name or number of a group".to_owned()));
    }
}
