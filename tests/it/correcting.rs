//! A reviewer corrects what was read from a message: on the page, with the keyboard alone.

use std::path::Path;
use std::time::Duration;

use countersign::store::example;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::harness::{Engine, PASSWORD, TestApp, eventually};
use crate::page::{Driver, Visitor, at, client, cookies, log_in, pair, shown, tell};

/// Keeps a picture of the window where a folder is named for it.
pub async fn keep(driver: &WebDriver, name: &str) {
    if let Ok(folder) = std::env::var("COUNTERSIGN_SCREENSHOTS") {
        let png = driver.screenshot_as_png().await.unwrap();
        std::fs::write(Path::new(&folder).join(name), png).unwrap();
    }
}

async fn story(app: &TestApp, driver: &WebDriver) {
    let id = app.say("c-1", "t-1", "I want my money back. Write to robin@example.com.").await;
    let review = app.review_in(&id, &["pending", "no_match", "escalated"]).await;
    let path = format!("/reviews/{}", review["id"].as_str().unwrap());
    driver.goto(format!("{}/login", app.base)).await.unwrap();
    log_in(driver, PASSWORD).await;
    at(driver, "/").await;
    driver.goto(format!("{}{path}", app.base)).await.unwrap();
    shown(driver, "details.correct > summary").await;
    shown(driver, "body").await.send_keys("l").await.unwrap();
    let field = shown(driver, "#correct-intent").await;
    let focused = driver.active_element().await.unwrap();
    assert_eq!(focused.attr("id").await.unwrap().as_deref(), Some("correct-intent"));
    keep(driver, "correct.png").await;
    field.send_keys("store").await.unwrap();
    shown(driver, "#correct-urgency").await.send_keys("High").await.unwrap();
    shown(driver, "details.correct button[type=submit]")
        .await
        .send_keys(Key::Enter + "")
        .await
        .unwrap();
    let told = eventually(|| async {
        let text = driver.find(By::Css("#notice")).await.ok()?.text().await.ok()?;
        text.contains("heads can learn").then_some(())
    });
    told.await.expect("no notice");
    let summary = shown(driver, "details.correct > summary").await.text().await.unwrap();
    assert!(summary.contains("Intent: store hours contact"), "{summary}");
    assert!(summary.contains("Urgency: high"), "{summary}");
    driver.set_window_rect(0, 0, 500, 900).await.unwrap();
    shown(driver, "details.correct > summary").await.click().await.unwrap();
    shown(driver, "#correct-urgency").await.scroll_into_view().await.unwrap();
    keep(driver, "correct-phone.png").await;
    let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
    let wide = driver.execute(wide, Vec::new()).await.unwrap().json().clone();
    assert_eq!(wide, json!(false), "the page scrolls sideways");

    let mut c = app.store.db.read().await.unwrap();
    let said = example::of_message(&mut c, &app.home.id, &id.parse().unwrap()).await.unwrap();
    let wanted = [("intent", "store_hours_contact"), ("urgency", "high")];
    assert_eq!(said, wanted.map(|(task, label)| (task.to_owned(), label.to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reviewer_corrects_with_the_keyboard() {
    let app = TestApp::start(Engine::Sqlite).await;
    let chrome = Driver::start().await;
    let driver = chrome.open().await;
    tell(chrome, &driver, Duration::from_secs(240), story(&app, &driver)).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_correction_needs_the_forms_token_and_a_known_label() {
    let app = TestApp::start(Engine::Sqlite).await;
    let id = app.say("c-1", "t-1", "I want my money back.").await;
    let review = app.review_in(&id, &["pending", "no_match", "escalated"]).await;
    let v = Visitor { http: client(), base: app.base.clone() };
    let session = pair(&cookies(&v.log_in("anna", PASSWORD).await), "countersign").unwrap();
    let path = format!("/reviews/{}", review["id"].as_str().unwrap());
    let page = v.get(&path, &session).await.text().await.unwrap();
    let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let path = format!("{path}/label");
    let forged = v.post(&path, &session, &[("intent", "complaint")]).await;
    assert_eq!(forged.status(), 403);
    let unknown = v.post(&path, &session, &[("csrf", csrf), ("intent", "made_up")]).await;
    assert_eq!(unknown.status(), 422);
    assert!(!unknown.text().await.unwrap().contains("made_up"), "it isn't said again");
    let nothing = v.post(&path, &session, &[("csrf", csrf), ("intent", "")]).await;
    assert_eq!(nothing.status(), 422);
    let kept = v.post(&path, &session, &[("csrf", csrf), ("intent", "complaint")]).await;
    assert_eq!(kept.status(), 303);
    let mut c = app.store.db.read().await.unwrap();
    let said = example::of_message(&mut c, &app.home.id, &id.parse().unwrap()).await.unwrap();
    assert_eq!(said, [("intent".to_owned(), "complaint".to_owned())]);
    drop(c);
    app.stop().await;
}
