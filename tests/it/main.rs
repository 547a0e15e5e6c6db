//! One binary of integration tests: the real router on port 0 with a real database per test, on
//! SQLite and on PostgreSQL.

mod harness;
mod story;
