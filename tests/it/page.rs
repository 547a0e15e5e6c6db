//! The page: once with a real browser, once by plain HTTP for what a browser would hide.

use std::panic::AssertUnwindSafe;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::FutureExt as _;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use serde_json::json;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

use crate::harness::{Engine, PASSWORD, TestApp, eventually};

const RETURNS: &str = "You can return any unworn item within 30 days of delivery. Returns are free \
    in the UK. The refund is paid to the card you used within 5 working days after the parcel arrives.";

// ---------------------------------------------------------------- browser

/// A chromedriver of its own; it and its browser go with it.
pub struct Driver {
    child: Child,
    port: u16,
    profile: tempfile::TempDir,
}

impl Driver {
    pub async fn start() -> Self {
        use std::os::unix::process::CommandExt as _;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver: `make test` installs it");
        let me = Self { child, port, profile: tempfile::tempdir().unwrap() };
        let client = client();
        let status = format!("{}/status", me.url());
        eventually(|| async {
            let answer = client.get(&status).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await
        .expect("chromedriver doesn't answer");
        me
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn open(&self) -> WebDriver {
        let mut caps = DesiredCapabilities::chrome();
        caps.set_binary("/usr/bin/chromium").unwrap();
        for arg in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
        ] {
            caps.add_arg(arg).unwrap();
        }
        caps.add_arg(&format!("--user-data-dir={}", self.profile.path().display())).unwrap();
        caps.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = WebDriver::builder(self.url(), caps).client(client()).connect().await.unwrap();
        driver.set_window_rect(0, 0, 1440, 900).await.unwrap();
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The whole group, so that no browser is left behind.
        let group = format!("kill -KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

/// The first element of a selector, once it can be seen.
pub async fn shown(driver: &WebDriver, css: &str) -> WebElement {
    eventually(|| async {
        let found = driver.find(By::Css(css)).await.ok()?;
        found.is_displayed().await.ok()?.then_some(found)
    })
    .await
    .unwrap_or_else(|| panic!("{css} never showed"))
}

/// Waits until the text of an element holds `part`, and gives the whole text.
async fn says(driver: &WebDriver, css: &str, part: &str) -> String {
    eventually(|| async {
        let text = driver.find(By::Css(css)).await.ok()?.text().await.ok()?;
        text.contains(part).then_some(text)
    })
    .await
    .unwrap_or_else(|| panic!("{css} never said {part:?}"))
}

pub async fn at(driver: &WebDriver, path: &str) {
    let there = eventually(|| async {
        let url = driver.current_url().await.ok()?;
        (url.path() == path).then_some(())
    })
    .await;
    assert!(there.is_some(), "the browser never came to {path}");
}

pub async fn log_in(driver: &WebDriver, password: &str) {
    let name = shown(driver, "#name").await;
    name.clear().await.unwrap();
    name.send_keys("anna").await.unwrap();
    shown(driver, "#password").await.send_keys(password).await.unwrap();
    shown(driver, "form.card button[type=submit]").await.click().await.unwrap();
}

async fn story(app: &TestApp, driver: &WebDriver) {
    app.teach("Returns", RETURNS).await;
    let asked = app
        .say(
            "p-1",
            "t-1",
            "Hi, my email is robin@example.com. How long do I have to return an item?",
        )
        .await;
    let angry = app
        .say("p-2", "t-2", "This is outrageous! I am furious. Where is my refund? I want it NOW!!!")
        .await;
    let german = app
        .say("p-3", "t-3", "Guten Tag, wie lange kann ich einen Artikel zurückgeben? Vielen Dank.")
        .await;
    let review = app.review_in(&asked, &["pending"]).await;
    for id in [&angry, &german] {
        app.review_in(id, &["pending", "no_match", "escalated", "filed"]).await;
    }
    let path = format!("/reviews/{}", review["id"].as_str().unwrap());

    driver.goto(format!("{}/", app.base)).await.unwrap();
    at(driver, "/login").await;
    log_in(driver, "not the password").await;
    says(driver, "#problem", "wrong").await;
    log_in(driver, PASSWORD).await;
    at(driver, "/").await;
    shown(driver, "ol.rows .row-link").await;

    let link = format!("a.row-link[href^='{path}']");
    shown(driver, &link).await.click().await.unwrap();
    at(driver, &path).await;
    says(driver, "#letter", "30 days").await;
    let thread = says(driver, "ol.messages", "<EMAIL_1>").await;
    assert!(!thread.contains("robin@example.com"), "{thread}");
    let png = driver.screenshot_as_png().await.unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    if let Ok(to) = std::env::var("COUNTERSIGN_SCREENSHOT") {
        std::fs::write(to, &png).unwrap();
    }

    shown(driver, "#act-edit > summary").await.click().await.unwrap();
    let text = shown(driver, "#edit-text").await;
    text.send_keys(" We confirm it to <EMAIL_1>.").await.unwrap();
    for tick in driver.find_all(By::Css("#act-edit input[name='flags_read']")).await.unwrap() {
        tick.click().await.unwrap();
    }
    let save = "#act-edit button[name='then'][value='approve']";
    shown(driver, save).await.click().await.unwrap();
    says(driver, ".hold", "Sends in").await;
    let held = app.review_in(&asked, &["held", "sending", "sent"]).await;
    assert_eq!(held["id"], review["id"]);
    app.review_in(&asked, &["sent"]).await;

    driver.goto(format!("{}/outbox", app.base)).await.unwrap();
    let sent = says(driver, "article.send .text", "We confirm it to").await;
    assert!(sent.contains("We confirm it to robin@example.com"), "{sent}");
    assert!(sent.contains("30 days") && !sent.contains("<EMAIL_1>"), "{sent}");

    // Not every driver has this log; where it does, the page kept its own policy.
    if let Ok(log) = driver.browser_log().await {
        let broken: Vec<_> =
            log.iter().filter(|e| e.message.contains("Content Security Policy")).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}

/// Tells a story in a browser, which ends whatever becomes of it.
pub async fn tell<T>(
    chrome: Driver,
    driver: &WebDriver,
    limit: Duration,
    story: impl Future<Output = T>,
) -> T {
    let told = AssertUnwindSafe(tokio::time::timeout(limit, story)).catch_unwind().await;
    let _ = driver.clone().quit().await;
    drop(chrome);
    match told {
        Ok(in_time) => in_time.expect("the story took too long"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reviewer_edits_and_signs_in_a_browser() {
    let app = TestApp::start_with(Engine::Sqlite, &["review.hold_s=3"]).await;
    let chrome = Driver::start().await;
    let driver = chrome.open().await;
    tell(chrome, &driver, Duration::from_secs(240), story(&app, &driver)).await;
    app.stop().await;
}

// ---------------------------------------------------------------- plain HTTP

const FORM: &str = "application/x-www-form-urlencoded";

pub fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The `Set-Cookie` headers of an answer.
pub fn cookies(answer: &reqwest::Response) -> Vec<String> {
    let all = answer.headers().get_all(SET_COOKIE).iter();
    all.map(|v| v.to_str().unwrap().to_owned()).collect()
}

/// `name=value` of the first cookie of a name.
pub fn pair(all: &[String], name: &str) -> Option<String> {
    let begin = format!("{name}=");
    let found = all.iter().find(|c| c.starts_with(&begin))?;
    Some(found.split(';').next().unwrap_or_default().to_owned())
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |v| v.to_str().unwrap())
}

fn guarded(answer: &reqwest::Response) {
    let csp = header(answer, "content-security-policy");
    assert!(csp.contains("default-src 'none'"), "{csp:?}");
    assert!(csp.contains("frame-ancestors 'none'"), "{csp:?}");
    assert!(!csp.contains("unsafe"), "{csp:?}");
    assert_eq!(header(answer, "x-content-type-options"), "nosniff");
    assert_eq!(header(answer, "x-frame-options"), "DENY");
}

pub struct Visitor {
    pub http: reqwest::Client,
    pub base: String,
}

impl Visitor {
    pub async fn get(&self, path: &str, cookie: &str) -> reqwest::Response {
        let r = self.http.get(format!("{}{path}", self.base));
        r.header(COOKIE, cookie).send().await.unwrap()
    }

    pub async fn post(
        &self,
        path: &str,
        cookie: &str,
        pairs: &[(&str, &str)],
    ) -> reqwest::Response {
        self.http
            .post(format!("{}{path}", self.base))
            .header(COOKIE, cookie)
            .header(CONTENT_TYPE, FORM)
            .body(form(pairs))
            .send()
            .await
            .unwrap()
    }

    /// Sends the login form with its token.
    pub async fn log_in(&self, name: &str, password: &str) -> reqwest::Response {
        let page = self.get("/login", "").await;
        assert_eq!(page.status(), 200);
        guarded(&page);
        let token = pair(&cookies(&page), "countersign-login").expect("a cookie for the form");
        let csrf = token.split_once('=').unwrap().1;
        let fields = [("name", name), ("password", password), ("csrf", csrf)];
        self.post("/login", &token, &fields).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_page_keeps_strangers_and_markup_out() {
    let app = TestApp::start(Engine::Sqlite).await;
    let v = Visitor { http: client(), base: app.base.clone() };

    let stranger = v.get("/", "").await;
    assert_eq!(stranger.status(), 303);
    assert!(header(&stranger, LOCATION.as_str()).starts_with("/login"));
    guarded(&stranger);

    let entered = v.log_in("anna", PASSWORD).await;
    assert_eq!(entered.status(), 303);
    assert_eq!(header(&entered, LOCATION.as_str()), "/");
    let set = cookies(&entered);
    let session = pair(&set, "countersign").expect("a session");
    let whole = set.iter().find(|c| c.starts_with("countersign=")).unwrap();
    assert!(whole.contains("HttpOnly") && whole.contains("SameSite=Strict"), "{whole}");

    let queue = v.get("/", &session).await;
    assert_eq!(queue.status(), 200);
    guarded(&queue);
    let queue = queue.text().await.unwrap();
    let csrf = queue.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();

    // Without the form's token nothing changes, whatever the cookie says.
    assert_eq!(v.post("/reviews/x/approve", &session, &[]).await.status(), 403);
    assert_eq!(v.post("/logout", &session, &[("csrf", "guessed")]).await.status(), 403);

    let script = "<script>alert(1)</script>";
    let image = "\"><img src=x onerror=alert(1)>";
    let body = json!({
        "channel": "chat", "external_id": "x-1", "thread": "x",
        "subject": format!("{script} {image}"),
        "text": format!("How long do I have to return an item? {script} {image}"),
        "from": {"address": "customer-of-x", "name": format!("Robin {script}{image}")},
    });
    let (status, taken) = app.post(&app.home.key, "/v1/messages", &body).await;
    assert_eq!(status, 202, "{taken}");
    let states = ["pending", "no_match", "escalated", "filed"];
    let review = app.review_in(taken["id"].as_str().unwrap(), &states).await;
    for path in [format!("/reviews/{}", review["id"].as_str().unwrap()), "/?tab=all".to_owned()] {
        let page = v.get(&path, &session).await;
        assert_eq!(page.status(), 200, "{path}");
        let page = page.text().await.unwrap();
        assert!(page.contains("&lt;script"), "{path} shows it as text");
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}");
    }

    let left = v.post("/logout", &session, &[("csrf", csrf)]).await;
    assert_eq!((left.status().as_u16(), header(&left, LOCATION.as_str())), (303, "/login"));
    assert_eq!(v.get("/", &session).await.status(), 303);

    for n in 1..=10 {
        assert_eq!(v.log_in("anna", "not the password").await.status(), 401, "try {n}");
    }
    assert_eq!(v.log_in("anna", PASSWORD).await.status(), 429);
    app.stop().await;
}
