//! Leads decide which learnt head reads messages, and see topics that the taxonomy lacks: by API and on the page.

use std::time::Duration;

use countersign::domain::review::Role;
use countersign::store::model::{self, Model};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::correcting::keep;
use crate::harness::{Engine, PASSWORD, TestApp, eventually};
use crate::learning::stored;
use crate::on_both;
use crate::page::{Driver, Visitor, at, client, cookies, log_in, pair, shown, tell};
use crate::reviewing::colleague;

/// Makes the judgement of a proposal one that speaks against it.
async fn spoil(app: &TestApp, made: &Model) {
    let mut metrics = made.metrics.clone();
    for set in ["held_out", "latest"] {
        let set = &mut metrics["comparison"][set];
        set["now"]["accuracy"]["value"] = json!(1.0);
        set["proposed"]["accuracy"]["value"] = json!(0.25);
    }
    let mut tx = app.store.db.begin().await.unwrap();
    let set = sqlx::query("update model set metrics = $1 where id = $2");
    set.bind(metrics.to_string()).bind(made.id.to_string()).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// Five messages about choirs and five about boats, none with an intent.
pub async fn choirs_and_boats(app: &TestApp) {
    let choirs = ["rehearsal", "concert", "audition", "practice", "performance"];
    let boats = ["ferry", "sailing boat", "canoe", "rowing boat", "kayak"];
    for (n, (a, b)) in choirs.iter().zip(&boats).enumerate() {
        let text = format!("When does the choir {a} begin? Write to robin{n}@example.com.");
        app.say(&format!("c-{n}"), &format!("c-{n}"), &text).await;
        let text = format!("Is there a {b} across the lake on Sunday?");
        app.say(&format!("b-{n}"), &format!("b-{n}"), &text).await;
    }
    app.quiet().await;
    let mut tx = app.store.db.begin().await.unwrap();
    sqlx::query("update analysis set abstained = 1").execute(&mut *tx).await.unwrap();
    // What was read as spam or thanks is not looked at; here everything is.
    sqlx::query("update message set state = 'understood'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

on_both!(a_lead_promotes_and_takes_back_by_api, engine, {
    let app = TestApp::start(engine).await;
    let other = app.tenant("neighbour").await;
    let key = app.home.key.clone();
    let ben = colleague(&app, "ben", Role::Reviewer).await;
    let made = stored(&app.store, &app.home.id, None).await;
    let path = format!("/v1/models/{}", made.id);
    let promote = format!("{path}/promote");

    let (status, all) = app.get(&ben, "/v1/models").await;
    assert_eq!((status, all["items"][0]["id"].as_str()), (200, Some(made.id.as_str())), "{all}");
    let (status, one) = app.get(&ben, &path).await;
    assert_eq!((status, &one["state"], &one["against"]), (200, &json!("proposed"), &json!([])));
    assert_eq!(one["metrics"]["comparison"]["latest"]["gained"], 3, "{one}");
    for path in [path.as_str(), "/v1/models/none"] {
        assert_eq!(app.get(&other.key, path).await.0, 404);
    }
    assert_eq!(app.get(&other.key, "/v1/models").await.1["items"], json!([]));

    let code = |(status, body): (u16, Value)| (status, body["code"].as_str().unwrap().to_owned());
    let refused = |status, code: &str| (status, code.to_owned());
    let no = json!({});
    assert_eq!(code(app.post(&ben, &promote, &no).await), refused(403, "forbidden"));
    assert_eq!(code(app.post(&other.key, &promote, &no).await), refused(404, "not_found"));
    let odd = code(app.post(&key, &promote, &json!({"force": true})).await);
    assert_eq!(odd, refused(400, "bad_json"));
    let long = code(app.post(&key, &promote, &json!({"reason": "x".repeat(501)})).await);
    assert_eq!(long, refused(422, "bad_reason"));
    let back = json!({"task": "intent"});
    let nothing = code(app.post(&key, "/v1/models/rollback", &back).await);
    assert_eq!(nothing, refused(409, "nothing_promoted"));
    let unknown = code(app.post(&key, "/v1/models/rollback", &json!({"task": "taste"})).await);
    assert_eq!(unknown, refused(422, "unknown_label"));

    spoil(&app, &made).await;
    let against = app.get(&ben, &path).await.1["against"].to_string();
    assert!(against.contains("worse on the latest corrections"), "{against}");
    let worse = app.post(&key, &promote, &json!({"reason": "  "})).await;
    assert!(worse.1["detail"].as_str().unwrap().contains("worse"), "{worse:?}");
    assert_eq!(code(worse), refused(409, "not_promoted"));
    let (status, now) = app.post(&key, &promote, &json!({"reason": "a trial"})).await;
    assert_eq!((status, &now["state"]), (200, &json!("promoted")), "{now}");
    assert_eq!(app.get(&ben, &path).await.1["against"], json!([]), "it runs");
    assert_eq!(code(app.post(&key, &promote, &no).await), refused(409, "model_runs"));
    let read = eventually(|| async {
        let text = json!({"text": "Is there a ferry"});
        let (_, a) = app.post(&key, "/v1/classify", &text).await;
        a["versions"]["heads"].as_str()?.contains(&made.name).then_some(())
    });
    read.await.expect("the head isn't used");

    assert_eq!(code(app.post(&ben, "/v1/models/rollback", &back).await), refused(403, "forbidden"));
    let (status, gone) = app.post(&key, "/v1/models/rollback", &back).await;
    assert_eq!((status, &gone["runs"]), (200, &Value::Null), "{gone}");
    assert_eq!(gone["retired"]["id"], made.id.as_str(), "{gone}");
    let foreign = stored(&app.store, &app.home.id, Some("another/f32")).await;
    let unfit = app.post(&key, &format!("/v1/models/{}/promote", foreign.id), &no).await;
    assert_eq!(code(unfit), refused(409, "model_unfit"));
    app.stop().await;
});

on_both!(topics_are_listed_masked_and_for_their_tenant_only, engine, {
    let app = TestApp::start(engine).await;
    let other = app.tenant("neighbour").await;
    choirs_and_boats(&app).await;
    let (status, all) = app.get(&app.home.key, "/v1/topics?least=3").await;
    assert_eq!((status, &all["messages"]), (200, &json!(10)), "{all}");
    let choir = all["items"].as_array().unwrap().iter();
    let choir = choir.clone().find(|t| t["words"].to_string().contains("choir")).expect("choirs");
    let text = choir["examples"].to_string();
    assert!(text.contains("<EMAIL>") && !text.contains("example.com"), "{choir}");
    let none = app.get(&other.key, "/v1/topics").await.1;
    assert_eq!((&none["items"], &none["messages"]), (&json!([]), &json!(0)));
    for bad in ["1", "1001", "x"] {
        let (status, body) = app.get(&app.home.key, &format!("/v1/topics?least={bad}")).await;
        assert_eq!((status, &body["code"]), (400, &json!("bad_query")), "{bad}");
    }
    app.stop().await;
});

async fn story(app: &TestApp, driver: &WebDriver) {
    choirs_and_boats(app).await;
    let made = stored(&app.store, &app.home.id, None).await;
    driver.goto(format!("{}/login", app.base)).await.unwrap();
    log_in(driver, PASSWORD).await;
    at(driver, "/").await;
    shown(driver, ".nav a[href='/learning']").await.click().await.unwrap();
    at(driver, "/learning").await;
    let proposal = shown(driver, "#head-intent .proposal").await.text().await.unwrap();
    assert!(proposal.contains(&made.name) && proposal.contains("100.0 %"), "{proposal}");
    keep(driver, "learning.png").await;
    shown(driver, "#head-intent .primary").await.send_keys(Key::Enter + "").await.unwrap();
    let notice = eventually(|| async {
        let text = driver.find(By::Css("#notice")).await.ok()?.text().await.ok()?;
        text.contains("Promoted").then_some(())
    });
    notice.await.expect("no notice");
    let runs = shown(driver, "#head-intent .facts").await.text().await.unwrap();
    assert!(runs.contains(&made.name), "{runs}");

    driver.set_window_rect(0, 0, 500, 900).await.unwrap();
    keep(driver, "learning-phone.png").await;
    let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
    let wide = driver.execute(wide, Vec::new()).await.unwrap().json().clone();
    assert_eq!(wide, json!(false), "the page scrolls sideways");

    shown(driver, "#head-intent header button").await.click().await.unwrap();
    let taken = eventually(|| async {
        let text = driver.find(By::Css("#head-intent .facts")).await.ok()?.text().await.ok()?;
        text.contains("The built-in head reads").then_some(())
    });
    taken.await.expect("still promoted");
    let topic = shown(driver, ".topic").await.text().await.unwrap();
    assert!(topic.contains("5 messages"), "{topic}");
    shown(driver, ".topic a").await.click().await.unwrap();
    shown(driver, "details.correct > summary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lead_promotes_and_takes_back_on_the_page() {
    let app = TestApp::start(Engine::Sqlite).await;
    let chrome = Driver::start().await;
    let driver = chrome.open().await;
    tell(chrome, &driver, Duration::from_secs(240), story(&app, &driver)).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deciding_on_the_page_needs_the_token_a_lead_and_a_reason() {
    let app = TestApp::start(Engine::Sqlite).await;
    let made = stored(&app.store, &app.home.id, None).await;
    spoil(&app, &made).await;
    let v = Visitor { http: client(), base: app.base.clone() };
    assert_eq!(v.get("/learning", "").await.status(), 303, "log in first");
    let session = pair(&cookies(&v.log_in("anna", PASSWORD).await), "countersign").unwrap();
    let page = v.get("/learning", &session).await.text().await.unwrap();
    assert!(page.contains("worse on the latest corrections"), "it says what speaks against it");
    let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let model = made.id.as_str();
    let ask = async |action: &str, fields: &[(&str, &str)]| {
        v.post(&format!("/learning/{action}"), &session, fields).await.status().as_u16()
    };
    assert_eq!(ask("promote", &[("model", model), ("reason", "x")]).await, 403, "forged");
    let token = ("csrf", csrf);
    assert_eq!(ask("promote", &[token, ("model", model)]).await, 409, "no reason");
    assert_eq!(ask("promote", &[token, ("model", "none")]).await, 404);
    assert_eq!(ask("rollback", &[token, ("task", "intent")]).await, 409, "nothing is promoted");
    assert_eq!(ask("rollback", &[token, ("task", "<b>")]).await, 422);
    assert_eq!(ask("forget", &[token]).await, 404);

    let role = async |role: &str| {
        let mut tx = app.store.db.begin().await.unwrap();
        let set = sqlx::query("update app_user set role = $1");
        set.bind(role.to_owned()).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    let reason = [token, ("model", model), ("reason", "a trial")];
    role("reviewer").await;
    assert_eq!(ask("promote", &reason).await, 403, "no lead");
    let page = v.get("/learning", &session).await.text().await.unwrap();
    assert!(page.contains("A lead decides") && !page.contains("/learning/promote"));
    role("lead").await;
    assert_eq!(ask("promote", &reason).await, 303);
    let mut c = app.store.db.read().await.unwrap();
    let runs = model::running(&mut c, &app.home.id, "intent").await.unwrap();
    assert_eq!(runs.as_ref(), Some(&made.id));
    drop(c);
    app.stop().await;
}
