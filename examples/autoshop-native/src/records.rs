//! The SQL that the four kinds of records share: a page of a list, one record, create, update. Rows are made JSON by
//! Postgres, which knows its types best. Text that becomes part of a statement is that of `tables`; what a client has sent
//! is only ever a parameter.

use std::collections::BTreeMap;
use std::error::Error;

use axum::http::StatusCode;
use ferricorn::tokio_postgres::types::private::BytesMut;
use ferricorn::tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use ferricorn::{Lease, Pool};

use crate::failure::Failure;
use crate::validation::{Field, Values};

/// How one table is read, searched and written through the API.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The last part of its route.
    pub(crate) path: &'static str,
    /// What one row is called in a message.
    pub(crate) singular: &'static str,
    /// SELECT with its joins; a WHERE is appended to it.
    pub(crate) select: &'static str,
    /// SQL expressions that `?q=` is looked for in.
    pub(crate) searched: &'static [&'static str],
    /// Ends in the id, so that no row moves between two pages.
    pub(crate) order: &'static str,
    /// What POST, PUT and PATCH accept.
    pub(crate) fields: &'static [Field],
    /// What `?name=value` narrows the list by.
    pub(crate) filters: &'static [Field],
}

/// A parameter as text, whatever its type is: Postgres finds out.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// The texts in the first column: one round trip, and no prepared statement that a PgBouncer would not know of.
async fn query(lease: &Lease, statement: &str, parameters: &[&str]) -> Result<Vec<String>, Failure> {
    let texts: Vec<Text<'_>> = parameters.iter().map(|text| Text(text)).collect();
    let typed: Vec<(&(dyn ToSql + Sync), Type)> =
        texts.iter().map(|text| (text as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
    let rows = lease.connection().query_typed(statement, &typed).await?;
    rows.iter().map(|row| row.try_get::<_, String>(0).map_err(Failure::from)).collect()
}

/// The first text of a statement.
pub(crate) async fn query_one(pool: &Pool, statement: &str, parameters: &[&str]) -> Result<Option<String>, Failure> {
    let lease = pool.get().await?;
    Ok(query(&lease, statement, parameters).await?.into_iter().next())
}

/// What of a list is asked for.
pub(crate) struct Page {
    pub(crate) search: Option<String>,
    pub(crate) filters: BTreeMap<&'static str, String>,
    pub(crate) number: u64,
    pub(crate) size: u64,
}

impl Table {
    /// One page of what matches, with the figures that a pager needs, as JSON.
    pub(crate) async fn fetch_page(&self, pool: &Pool, page: &Page) -> Result<String, Failure> {
        let mut parameters: Vec<&str> = Vec::new();
        let mut conditions = Vec::new();
        for (name, value) in &page.filters {
            parameters.push(value);
            conditions.push(format!("{}.{name} = ${}", self.name, parameters.len()));
        }
        let pattern = page.search.as_deref().map(pattern);
        if let Some(pattern) = &pattern {
            parameters.push(pattern);
            let number = parameters.len();
            let searched: Vec<_> = self.searched.iter().map(|column| format!("{column} ILIKE ${number}")).collect();
            conditions.push(format!("({})", searched.join(" OR ")));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let select = self.select;
        let lease = pool.get().await?;
        let counted = format!("SELECT count(*)::text FROM ({select}{condition}) AS matching");
        let total = query(&lease, &counted, &parameters).await?.pop();
        let total: u64 = total.and_then(|total| total.parse().ok()).unwrap_or_default();
        let (order, limit, offset) = (self.order, page.size, (page.number - 1) * page.size);
        let listed = format!(
            "SELECT row_to_json(listed)::text FROM ({select}{condition} ORDER BY {order} LIMIT {limit} OFFSET {offset}) AS listed"
        );
        let items = query(&lease, &listed, &parameters).await?.join(",");
        let pages = total.div_ceil(page.size);
        Ok(format!(
            r#"{{"items":[{items}],"total":{total},"page":{},"per_page":{},"pages":{pages}}}"#,
            page.number, page.size
        ))
    }

    /// The record as JSON, or the 404 that says what is missing.
    pub(crate) async fn fetch(&self, pool: &Pool, id: &str) -> Result<String, Failure> {
        self.fetch_with(&pool.get().await?, id).await
    }

    async fn fetch_with(&self, lease: &Lease, id: &str) -> Result<String, Failure> {
        // An id that is longer than numbers are is the id of nothing.
        if id.parse::<i32>().is_err() {
            return Err(self.missing());
        }
        let statement =
            format!("SELECT row_to_json(found)::text FROM ({} WHERE {}.id = $1) AS found", self.select, self.name);
        query(lease, &statement, &[id]).await?.pop().ok_or_else(|| self.missing())
    }

    /// Inserts and reads back in one transaction; gives the id, too.
    pub(crate) async fn create(&self, pool: &Pool, values: &Values) -> Result<(String, String), Failure> {
        let (placeholders, parameters) = placeholders(values);
        let columns: Vec<_> = values.iter().map(|(name, _)| *name).collect();
        let (columns, values) = (columns.join(", "), placeholders.join(", "));
        let statement = format!("INSERT INTO {} ({columns}) VALUES ({values}) RETURNING id::text", self.name);
        let lease = begin(pool).await?;
        let id = query(&lease, &statement, &parameters).await?.pop().unwrap_or_default();
        let row = self.fetch_with(&lease, &id).await?;
        commit(&lease).await?;
        Ok((id, row))
    }

    /// Changes the named columns and reads back in one transaction.
    pub(crate) async fn update(&self, pool: &Pool, id: &str, values: &Values) -> Result<String, Failure> {
        if id.parse::<i32>().is_err() {
            return Err(self.missing());
        }
        let (placeholders, mut parameters) = placeholders(values);
        let assignments: Vec<_> =
            values.iter().zip(placeholders).map(|((name, _), placeholder)| format!("{name} = {placeholder}")).collect();
        parameters.push(id);
        let (assignments, number) = (assignments.join(", "), parameters.len());
        let statement = format!("UPDATE {} SET {assignments} WHERE id = ${number} RETURNING id::text", self.name);
        let lease = begin(pool).await?;
        if query(&lease, &statement, &parameters).await?.is_empty() {
            return Err(self.missing());
        }
        let row = self.fetch_with(&lease, id).await?;
        commit(&lease).await?;
        Ok(row)
    }

    fn missing(&self) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, format!("no such {}", self.singular))
    }
}

/// What is not committed is rolled back with the end of the lease.
async fn begin(pool: &Pool) -> Result<Lease, Failure> {
    let lease = pool.get().await?;
    lease.connection().batch_execute("BEGIN").await?;
    Ok(lease)
}

async fn commit(lease: &Lease) -> Result<(), Failure> {
    Ok(lease.connection().batch_execute("COMMIT").await?)
}

/// `$1`, `$2` and the parameters that they stand for; DEFAULT has none.
fn placeholders(values: &Values) -> (Vec<String>, Vec<&str>) {
    let mut parameters = Vec::new();
    let placeholders = values.iter().map(|(_, value)| match value {
        Some(value) => {
            parameters.push(value.as_str());
            format!("${}", parameters.len())
        }
        None => "DEFAULT".to_owned(),
    });
    (placeholders.collect(), parameters)
}

/// A client's % and _ are characters to find, not wildcards.
fn pattern(search: &str) -> String {
    let escaped = search.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_the_default() {
        let values = vec![("a", Some("1".to_owned())), ("b", None), ("c", Some("2".to_owned()))];
        let (placeholders, parameters) = placeholders(&values);
        assert_eq!((placeholders.join(" "), parameters), ("$1 DEFAULT $2".to_owned(), vec!["1", "2"]));
        assert_eq!(pattern(r"50%_\"), r"%50\%\_\\%");
    }
}
