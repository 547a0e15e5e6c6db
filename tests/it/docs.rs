//! The API's documentation in a browser: found and tried with the keyboard alone, on a small screen
//! too, and without anything of the key left behind.

use std::time::Duration;

use thirtyfour::prelude::*;

use crate::harness::{Engine, TestApp, eventually};
use crate::page::{Driver, shown, tell};

/// Sees to one thing that a script computes in the page.
async fn asks(driver: &WebDriver, script: &str) -> serde_json::Value {
    let found = driver.execute(script, Vec::new()).await.unwrap();
    found.json().clone()
}

async fn keep(driver: &WebDriver, name: &str) {
    if let Ok(folder) = std::env::var("COUNTERSIGN_SCREENSHOTS") {
        let png = driver.screenshot_as_png().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), png).unwrap();
    }
}

async fn story(app: &TestApp, driver: &WebDriver) {
    driver.goto(format!("{}/docs", app.base)).await.unwrap();
    let body = shown(driver, "body").await;
    keep(driver, "docs.png").await;
    body.send_keys("/").await.unwrap();
    let filter = driver.active_element().await.unwrap();
    assert_eq!(filter.attr("id").await.unwrap().as_deref(), Some("filter"));
    filter.send_keys("post classify").await.unwrap();
    filter.send_keys(Key::Enter + "").await.unwrap();
    let there = eventually(|| async {
        let url = driver.current_url().await.ok()?;
        (url.fragment() == Some("classify")).then_some(())
    });
    there.await.expect("the filter leads to the operation");

    let command = shown(driver, "#classify [data-curl]").await.text().await.unwrap();
    assert!(command.contains(&format!("{}/v1/classify", app.base)), "{command}");
    shown(driver, "#key").await.send_keys(&app.home.key).await.unwrap();
    let fold = shown(driver, "#classify .try > summary").await;
    fold.send_keys(Key::Enter + "").await.unwrap();
    let field = shown(driver, "#classify [data-body]").await;
    field.send_keys(Key::Control + Key::Enter).await.unwrap();
    let answered = eventually(|| async {
        let status = driver.find(By::Css("#classify [data-status]")).await.ok()?;
        let text = status.text().await.ok()?;
        text.starts_with("200").then_some(())
    });
    answered.await.expect("the answer is shown");
    let text = shown(driver, "#classify [data-text]").await.text().await.unwrap();
    assert!(text.contains("\"intent\""), "{text}");
    keep(driver, "docs-tried.png").await;

    let kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])";
    let kept = asks(driver, kept).await.to_string();
    assert!(!kept.contains("cs_live_"), "{kept}");
    let nameless = "return [...document.querySelectorAll('input, textarea, select, button')]
        .filter(e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).map(e => e.outerHTML)";
    assert_eq!(asks(driver, nameless).await, serde_json::json!([]));

    driver.set_window_rect(0, 0, 500, 800).await.unwrap();
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(asks(driver, wide).await, serde_json::json!(0), "the page scrolls sideways");
    keep(driver, "docs-small.png").await;
    if let Ok(log) = driver.browser_log().await {
        let broken: Vec<_> =
            log.iter().filter(|e| e.message.contains("Content Security Policy")).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_documentation_is_read_and_tried_with_the_keyboard() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let chrome = Driver::start().await;
    let driver = chrome.open().await;
    tell(chrome, &driver, Duration::from_secs(120), story(&app, &driver)).await;
    app.stop().await;
}
