//! Who is asking. The tenant always comes from the credential, never from the request's text: no
//! handler has another way to get one.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::App;
use super::limits::{Meter, Refused};
use super::problem::Problem;
use crate::domain::audit::Actor;
use crate::domain::ids::TenantId;
use crate::domain::review::Role;
use crate::review::actions::Reviewer;
use crate::store::key::{self, Key};
use crate::store::session::{self, Session};
use crate::store::user::{self, User};

/// A program with an API key.
#[derive(Debug, Clone)]
pub struct Caller(pub Key, Meter);

impl Caller {
    /// Whose data.
    pub fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// What its request has cost.
    pub(super) fn meter(&self) -> &Meter {
        &self.1
    }

    /// Charges what a request with several items costs besides the one unit that every request costs.
    ///
    /// # Errors
    /// 429 when the key's rate or quota doesn't allow it.
    pub(super) async fn charge_items(&self, app: &App, items: usize) -> Result<(), Refused> {
        self.1.charge(app, &self.0, (items.saturating_sub(1), items)).await
    }

    /// Charges one unit more.
    ///
    /// # Errors
    /// 429 when the key's rate or quota doesn't allow it.
    pub(super) async fn charge_one(&self, app: &App) -> Result<(), Refused> {
        self.1.charge(app, &self.0, (1, 1)).await
    }

    /// Gives back units of the quota for what was refused after all.
    pub(super) async fn give_back(&self, app: &App, units: u32) {
        self.1.give_back(app, &self.0, Some(units)).await;
    }

    /// For the audit log.
    pub fn actor(&self) -> Actor {
        Actor::Key(self.0.id.clone())
    }

    /// Refuses a key that lacks a scope.
    ///
    /// # Errors
    /// 403 with the scope's name.
    pub fn need(&self, scope: &str) -> Result<(), Problem> {
        if self.0.scopes.iter().any(|s| s == scope) {
            Ok(())
        } else {
            Err(Problem::new(
                StatusCode::FORBIDDEN,
                "scope_missing",
                format!("this key lacks the scope `{scope}`"),
            ))
        }
    }

    /// The person with whose hands this key reviews.
    ///
    /// # Errors
    /// 403 when the key is nobody's: a countersignature needs a person.
    pub async fn reviewer(&self, app: &App) -> Result<Reviewer, Problem> {
        self.need("review")?;
        let nobody = || {
            Problem::new(
                StatusCode::FORBIDDEN,
                "person_needed",
                "reviewing needs a key that belongs to a person (countersign keys create --user NAME)",
            )
        };
        let id = self.0.user.clone().ok_or_else(nobody)?;
        let mut c = app.store.db.read().await?;
        let user = user::get(&mut c, self.tenant(), &id).await?;
        if user.disabled {
            return Err(nobody());
        }
        Ok(Reviewer { tenant: self.0.tenant.clone(), user: id, role: user.role })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// The caller whose key the headers hold.
///
/// # Errors
/// 401 without a key that stands.
pub(super) async fn caller(headers: &HeaderMap, app: &App) -> Result<Caller, Problem> {
    let refused = |why: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", why);
    let Some(text) = bearer(headers) else {
        return Err(refused("send `Authorization: Bearer <API key>`"));
    };
    // A mistyped key is told from a wrong one without asking the database.
    if !key::well_formed(text) {
        return Err(refused("this is not an API key: its checksum is wrong"));
    }
    let now = app.store.host.now();
    let mut c = app.store.db.read().await?;
    let Some(found) = key::find(&mut c, text, now).await? else {
        return Err(refused("this API key is unknown, revoked or expired"));
    };
    app.key_used(&found, now);
    Ok(Caller(found, Meter::default()))
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match parts.extensions.get::<Self>() {
            // The layer over the API has looked it up.
            Some(known) => Ok(known.clone()),
            None => caller(&parts.headers, app).await,
        }
    }
}

/// A person who is logged in on the page.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their session.
    pub session: Session,
    /// Who.
    pub user: User,
}

impl Person {
    /// As the desk knows them.
    pub fn reviewer(&self) -> Reviewer {
        Reviewer {
            tenant: self.session.tenant.clone(),
            user: self.user.id.clone(),
            role: self.user.role,
        }
    }

    /// Whether they may do what leads do.
    pub fn is_lead(&self) -> bool {
        self.user.role >= Role::Lead
    }
}

/// The value of our session cookie.
pub fn cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    named_cookie(headers, app.cookie_name())
}

/// The value of the cookie of this name.
pub(super) fn named_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(k, _)| *k == name)
        .map(|(_, v)| v.to_owned())
}

/// Not logged in: to the login page.
#[derive(Debug)]
pub enum NotIn {
    /// Go there.
    Login(String),
    /// Something else is wrong.
    Problem(Problem),
}

impl axum::response::IntoResponse for NotIn {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::Login(next) => axum::response::Redirect::to(&next).into_response(),
            Self::Problem(p) => p.into_response(),
        }
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = NotIn;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NotIn> {
        let to_login = || {
            let path = if parts.method == axum::http::Method::GET { parts.uri.path() } else { "/" };
            let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
            NotIn::Login(format!("/login?next={next}"))
        };
        let Some(value) = cookie(app, &parts.headers) else { return Err(to_login()) };
        let found = async {
            let mut c = app.store.db.read().await?;
            let Some(s) = session::get(&mut c, &value, app.store.host.now()).await? else {
                return Ok(None);
            };
            let u = user::get(&mut c, &s.tenant, &s.user).await?;
            Ok::<_, crate::store::Error>((!u.disabled).then_some(Person { session: s, user: u }))
        };
        match found.await {
            Ok(Some(p)) => Ok(p),
            Ok(None) => Err(to_login()),
            Err(e) => Err(NotIn::Problem(e.into())),
        }
    }
}

impl OptionalFromRequestParts<App> for Person {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &App,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(<Self as FromRequestParts<App>>::from_request_parts(parts, app).await.ok())
    }
}

/// Whether a form came from our own page: the token of the session, and what the browser says of
/// the request's origin.
///
/// # Errors
/// 403.
pub fn same_site(
    app: &App,
    headers: &HeaderMap,
    expected: &str,
    given: &str,
) -> Result<(), Problem> {
    use subtle::ConstantTimeEq as _;
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let site = text("sec-fetch-site").is_none_or(|s| s == "same-origin" || s == "none");
    let host = text("host").unwrap_or_default();
    let origin = text("origin").is_none_or(|o| {
        o.split_once("://").is_some_and(|(_, h)| h == host)
            || o == app.config.server.public_url.origin().ascii_serialization()
    });
    let token: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
    if site && origin && token && !expected.is_empty() {
        Ok(())
    } else {
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "this form didn't come from this page, or the page is too old: load it again",
        ))
    }
}
