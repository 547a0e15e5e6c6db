//! Several statements in one go. Each way to a database and back costs more than a small statement
//! itself; SQLite takes a whole script with its parameters at once, PostgreSQL one statement a time.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::Result;

/// A parameter.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    MaybeText(Option<String>),
    MaybeInt(Option<i64>),
    Bytes(Vec<u8>),
    MaybeBytes(Option<Vec<u8>>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Statements that insert rows, in their order.
#[derive(Default)]
pub(super) struct Batch(Vec<(String, Vec<Value>)>);

impl Batch {
    /// Adds a statement over several rows. `before` and `after` stand around the rows' placeholders;
    /// nothing is added when there are no rows.
    pub(super) fn add(
        &mut self,
        c: &AnyConnection,
        before: &str,
        rows: Vec<Vec<Value>>,
        after: &str,
    ) {
        let Some(columns) = rows.first().map(Vec::len) else { return };
        let sql = format!("{before} {} {after}", super::rows(c, rows.len(), columns));
        self.0.push((sql, rows.into_iter().flatten().collect()));
    }

    /// Runs them; gives the ids that they return.
    ///
    /// # Errors
    /// Database errors; statements before the one that failed have been run.
    pub(super) async fn run(self, c: &mut AnyConnection) -> Result<Vec<String>> {
        if super::is_postgres(c) {
            let mut ids = Vec::new();
            for (sql, values) in self.0 {
                ids.extend(fetch(c, sql, values).await?);
            }
            return Ok(ids);
        }
        let (statements, values): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        fetch(c, statements.join(";\n"), values.concat()).await
    }
}

async fn fetch(c: &mut AnyConnection, sql: String, values: Vec<Value>) -> Result<Vec<String>> {
    // Its text depends on the number of rows, of which there are few: the connection keeps it.
    let mut query = sqlx::query_as::<_, (String,)>(AssertSqlSafe(sql));
    for value in values {
        query = match value {
            Value::Text(v) => query.bind(v),
            Value::Int(v) => query.bind(v),
            Value::MaybeText(v) => query.bind(v),
            Value::MaybeInt(v) => query.bind(v),
            Value::Bytes(v) => query.bind(v),
            Value::MaybeBytes(v) => query.bind(v),
        };
    }
    Ok(query.fetch_all(c).await?.into_iter().map(|(id,)| id).collect())
}
