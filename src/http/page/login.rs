//! Logging in and out. A name that fails too often must wait; a wrong name takes as long as a wrong
//! password.

use std::time::Duration;

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _};
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::logins::{NotNow, Origin};
use super::view::{DemoHint, LoginPage};
use super::{App, AppState, Failure, page};
use crate::http::auth::{self, Person};
use crate::ports::host::Host;
use crate::store::session::{self, Session};
use crate::store::user;

/// Hashes a password with argon2id.
///
/// # Errors
/// When the password can't be hashed (longer than 4 GiB).
pub fn hash_password(
    host: &dyn Host,
    password: &str,
) -> Result<String, argon2::password_hash::Error> {
    let mut salt = [0u8; 16];
    host.fill(&mut salt);
    Ok(Argon2::default().hash_password_with_salt(password.as_bytes(), &salt)?.to_string())
}

fn verify(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

/// Where to go on to after the login.
#[derive(Deserialize)]
pub struct Onward {
    next: Option<String>,
}

/// Only a path of ours: no scheme, no host, no `//`.
fn own_path(next: Option<String>) -> Option<String> {
    next.filter(|n| n.starts_with('/') && !n.starts_with("//") && !n.contains(['\\', '\n', '\r']))
}

/// `GET /login`.
pub async fn show(
    State(app): AppState,
    person: Option<Person>,
    Query(o): Query<Onward>,
) -> Result<Response, Failure> {
    if person.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    form(&app, "", None, own_path(o.next))
}

fn form(
    app: &App,
    name: &str,
    error: Option<&str>,
    next: Option<String>,
) -> Result<Response, Failure> {
    // Before there is a session, a cookie of its own carries the form's token.
    let csrf = app.store.host.token();
    let html = app.pages.login(&LoginPage {
        csrf: csrf.clone(),
        name: name.to_owned(),
        error: error.map(str::to_owned),
        next,
        demo_hint: app
            .demo
            .as_ref()
            .map(|(name, password)| DemoHint { name: name.clone(), password: password.clone() }),
    })?;
    let mut r = page(html);
    set_cookie(&mut r, &cookie_text(app, "login", &csrf, 3600));
    Ok(r)
}

fn cookie_text(app: &App, which: &str, value: &str, max_age_s: u64) -> String {
    let name = if which == "login" { login_cookie(app) } else { app.cookie_name() };
    let secure = if app.secure() { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}")
}

fn login_cookie(app: &App) -> &'static str {
    if app.secure() { "__Host-countersign-login" } else { "countersign-login" }
}

fn set_cookie(r: &mut Response, text: &str) {
    if let Ok(v) = HeaderValue::from_str(text) {
        r.headers_mut().append(header::SET_COOKIE, v);
    }
}

/// The login form.
#[derive(Deserialize)]
pub struct Login {
    name: String,
    password: String,
    csrf: String,
    next: Option<String>,
}

/// `POST /login`.
pub async fn enter(
    State(app): AppState,
    from: Origin,
    headers: HeaderMap,
    Form(f): Form<Login>,
) -> Result<Response, Failure> {
    let wanted = auth::named_cookie(&headers, login_cookie(&app)).unwrap_or_default();
    if auth::same_site(&app, &headers, &wanted, &f.csrf).is_err() {
        return form(
            &app,
            &f.name,
            Some("The form had grown old. Please try again."),
            own_path(f.next),
        );
    }
    let name: String = f.name.trim().chars().take(100).collect();
    let found = {
        let mut c = app.store.db.read().await?;
        user::by_name(&mut c, &app.home, &name).await?
    };
    // A hash of nothing that is known, so that an unknown name costs the same time.
    let stored = found.as_ref().map_or(NOBODY, |u| u.password_hash.as_str());
    let check = || verify(stored, &f.password);
    let right = match app.logins.attempt(&name, from, app.store.host.now(), check).await {
        Ok(right) => right,
        Err(not_now) => return wait(&app, &name, not_now, own_path(f.next)),
    };
    let Some(user) = found.filter(|u| right && !u.disabled) else {
        return refuse(&app, &name, own_path(f.next));
    };
    let value = format!("{}{}", app.store.host.token(), app.store.host.token());
    let s =
        Session { tenant: app.home.clone(), user: user.id.clone(), csrf: app.store.host.token() };
    let now = app.store.host.now();
    let lasts = Duration::from_secs(app.config.security.session_hours * 3600);
    let mut tx = app.store.db.begin().await?;
    // A login always begins a session of its own; one that was there before ends.
    if let Some(old) = auth::cookie(&app, &headers) {
        session::delete(&mut tx, &old).await?;
    }
    // While the check waited its turn the password may have been changed, or the login switched off.
    let now_stored = user::get(&mut tx, &app.home, &s.user).await?;
    if now_stored.disabled || now_stored.password_hash != user.password_hash {
        return refuse(&app, &name, own_path(f.next));
    }
    session::create(&mut tx, &value, &s, now, now.plus(lasts)).await?;
    tx.commit().await?;
    app.logins.succeeded(&name, from);
    let mut r = Redirect::to(&own_path(f.next).unwrap_or_else(|| "/".to_owned())).into_response();
    set_cookie(&mut r, &cookie_text(&app, "session", &value, lasts.as_secs()));
    set_cookie(&mut r, &cookie_text(&app, "login", "", 0));
    Ok(r)
}

const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The form again, with 401.
fn refuse(app: &App, name: &str, next: Option<String>) -> Result<Response, Failure> {
    let mut r = form(app, name, Some("Name or password is wrong."), next)?;
    *r.status_mut() = StatusCode::UNAUTHORIZED;
    Ok(r)
}

/// The form again, with 429 and when to come back.
fn wait(app: &App, name: &str, why: NotNow, next: Option<String>) -> Result<Response, Failure> {
    let (text, seconds) = match why {
        NotNow::Failed(s) => ("Too many failed logins. Wait a quarter of an hour.", s),
        NotNow::Busy(s) => ("Too many people log in at once. Please try again.", s),
    };
    let mut r = form(app, name, Some(text), next)?;
    *r.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    r.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(r)
}

/// The logout form.
#[derive(Deserialize)]
pub struct Logout {
    csrf: String,
}

/// `POST /logout`.
pub async fn leave(
    State(app): AppState,
    person: Person,
    headers: HeaderMap,
    Form(f): Form<Logout>,
) -> Result<Response, Failure> {
    auth::same_site(&app, &headers, &person.session.csrf, &f.csrf)?;
    if let Some(value) = auth::cookie(&app, &headers) {
        let mut tx = app.store.db.begin().await?;
        session::delete(&mut tx, &value).await?;
        tx.commit().await?;
    }
    let mut r = Redirect::to("/login").into_response();
    set_cookie(&mut r, &cookie_text(&app, "session", "", 0));
    Ok(r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::host::System;

    #[test]
    fn onward_is_only_a_path_of_ours() {
        let ok = |s: &str| own_path(Some(s.to_owned())).is_some();
        assert!(ok("/reviews/1"));
        for bad in ["//evil.example", "https://evil.example", "/\\evil", "reviews", "/a\nb"] {
            assert!(!ok(bad), "{bad:?}");
        }
    }

    #[test]
    fn passwords_verify_and_the_stand_in_never_does() {
        let h = hash_password(&System, "correct horse").unwrap();
        assert!(h.starts_with("$argon2id$"));
        assert!(verify(&h, "correct horse"));
        assert!(!verify(&h, "wrong"));
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!verify(NOBODY, ""));
    }
}
