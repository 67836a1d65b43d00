//! Operators in Postgres: made, listed, revoked, found by the id in their key.
//! Making and revoking one stands in the audit log or did not happen.

use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;
use usher_base::Timestamp;
use uuid::Uuid;

use super::audit;
use super::columns;
use crate::operators::{OperatorKey, Role};

/// More people do not run one sale.
pub const MAX_OPERATORS: i64 = 500;

#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("Another operator has the name {0:?}; choose another one.")]
    NameTaken(String),
    #[error("There are {MAX_OPERATORS} operators already; revoke one that is not used.")]
    TooMany,
    #[error("There is no such operator, or the key is revoked already.")]
    NotFound,
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// An operator as a list shows it: nothing of the key.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub id: Uuid,
    pub name: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// What a shown key or a console session is checked against.
pub struct Known {
    pub name: String,
    pub role: Role,
    pub key_hash: [u8; 32],
}

#[derive(Clone)]
pub struct Operators {
    pool: PgPool,
}

impl Operators {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes down the hash of the key; `by` is who made it.
    pub async fn add(
        &self,
        key: &OperatorKey,
        name: &str,
        role: Role,
        by: &str,
    ) -> Result<(), OperatorError> {
        let mut tx = self.pool.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO operators (id, name, role, key_hash, created_by)
             SELECT $1, $2, $3, $4, $5
             WHERE (SELECT count(*) FROM operators WHERE revoked_at IS NULL) < $6",
        )
        .bind(key.id)
        .bind(name)
        .bind(role.as_str())
        .bind(key.hash().as_slice())
        .bind(by)
        .bind(MAX_OPERATORS)
        .execute(&mut *tx)
        .await
        .map_err(|error| name_taken(error, name))?;
        if inserted.rows_affected() == 0 {
            return Err(OperatorError::TooMany);
        }
        let details = json!({ "name": name, "role": role });
        audit::log(&mut tx, by, "operator_added", key.id, details).await?;
        Ok(tx.commit().await?)
    }

    /// Those whose keys are good, by name.
    pub async fn list(&self) -> Result<Vec<Listed>, sqlx::Error> {
        type Row = (Uuid, String, String, time::OffsetDateTime, String);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, name, role, created_at, created_by FROM operators
             WHERE revoked_at IS NULL ORDER BY name LIMIT $1",
        )
        .bind(MAX_OPERATORS)
        .fetch_all(&self.pool)
        .await?;
        let listed = |(id, name, role, created_at, created_by): Row| {
            Ok(Listed {
                id,
                name,
                role: columns::parse(&role)?,
                created_at: columns::at(created_at),
                created_by,
            })
        };
        rows.into_iter().map(listed).collect()
    }

    /// From now on the key and the sessions that it opened are worth nothing.
    pub async fn revoke(&self, id: Uuid, by: &str) -> Result<(), OperatorError> {
        let mut tx = self.pool.begin().await?;
        let name: Option<String> = sqlx::query_scalar(
            "UPDATE operators SET revoked_at = now()
             WHERE id = $1 AND revoked_at IS NULL RETURNING name",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let name = name.ok_or(OperatorError::NotFound)?;
        let details = json!({ "name": name });
        audit::log(&mut tx, by, "operator_revoked", id, details).await?;
        Ok(tx.commit().await?)
    }

    pub async fn find(&self, id: Uuid) -> Result<Option<Known>, sqlx::Error> {
        let row: Option<(String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT name, role, key_hash FROM operators WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let known = |(name, role, hash): (String, String, Vec<u8>)| {
            let wrong = |_| sqlx::Error::Decode("a key's hash has 32 bytes".into());
            Ok(Known {
                name,
                role: columns::parse(&role)?,
                key_hash: <[u8; 32]>::try_from(hash).map_err(wrong)?,
            })
        };
        row.map(known).transpose()
    }
}

fn name_taken(error: sqlx::Error, name: &str) -> OperatorError {
    let constraint = error.as_database_error().and_then(|e| e.constraint());
    match constraint {
        Some("operators_name") => OperatorError::NameTaken(name.to_owned()),
        _ => error.into(),
    }
}
