//! Markup that strangers write, in every field that they can set, on every view of the page, in a real
//! browser: no dialog, no request to another host, no element or attribute of theirs, no breach of the
//! page's policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::harness::{Engine, PASSWORD, TestApp};
use crate::page::{Driver, at, log_in, shown, tell};

/// Each sets `window.csx`, opens a dialog, asks `TRAP` for something or leaves an element with the
/// attribute `data-csx`, if anything takes it for more than text.
const CORPUS: [&str; 52] = [
    // Scripts, whole, split and misspelt.
    "<script data-csx>window.csx=1;alert('csx')</script>",
    "<ScRiPt data-csx src=TRAP/a.js></sCrIpT>",
    "<script/data-csx/src='TRAP/b.js'></script foo>",
    "<scr<script data-csx>ipt>window.csx=2</scr</script>ipt>",
    "\"><script data-csx>csx=3;alert(3)</script>",
    "'><script data-csx>csx=4;alert(4)</script>",
    "</textarea><script data-csx>csx=5;alert(5)</script>",
    "</title></style><script data-csx>csx=6;alert(6)</script>",
    "--><script data-csx>csx=7;alert(7)</script><!--",
    "]]><script data-csx>csx=8;alert(8)</script><![CDATA[",
    "<!--><img data-csx src=x onerror=csx=9>-->",
    "<\u{0}script data-csx>csx=10</script>",
    // Event handlers.
    "<img data-csx src=x onerror=\"window.csx=11;alert(11)\">",
    "\"><img data-csx src=TRAP/c.png onerror=alert(12)>",
    "' autofocus onfocus='csx=13;alert(13)' data-csx='",
    "\" autofocus tabindex=0 onfocus=\"csx=14;alert(14)\" data-csx=\"",
    "<body data-csx onload=csx=15;alert(15)>",
    "<details data-csx open ontoggle=csx=16;alert(16)><summary>x</summary></details>",
    "<input data-csx autofocus onfocus=csx=17;alert(17)>",
    "<video data-csx src=TRAP/d.mp4 onerror=csx=18 autoplay></video>",
    "<audio data-csx src=TRAP/e.ogg onerror=csx=19></audio>",
    "<marquee data-csx onstart=csx=20;alert(20)>x</marquee>",
    "<style data-csx>@keyframes k{}</style><b style='animation:k 1s' onanimationstart=csx=21>x</b>",
    // SVG and MathML.
    "<svg data-csx onload=csx=22;alert(22)>",
    "<svg data-csx><script>csx=23;alert(23)</script></svg>",
    "<svg data-csx><animate onbegin=csx=24;alert(24) attributeName=x dur=1s></svg>",
    "<svg data-csx><use href='TRAP/f.svg#x'></use></svg>",
    "<svg data-csx><foreignObject><iframe src='TRAP/g'></iframe></foreignObject></svg>",
    "<math data-csx><mtext><table><mglyph><style><img src=x onerror=csx=25></style></table></math>",
    "<math data-csx href='javascript:csx=26'>x</math>",
    "<svg data-csx><style><img src=x onerror=csx=27></style></svg>",
    // Parsers in disagreement.
    "<template data-csx><img src=x onerror=csx=28></template>",
    "<noscript data-csx><p title='</noscript><img src=x onerror=csx=29>'></noscript>",
    "<form data-csx><math><mtext></form><form><mglyph><style></math><img src=x onerror=csx=30>",
    "<select data-csx><iframe></select><img src=x onerror=csx=31></iframe>",
    "<plaintext data-csx>",
    "<a data-csx='`<img src=x onerror=csx=32>`'>x</a>",
    // Frames, links and forms.
    "<iframe data-csx srcdoc=\"<script>parent.csx=33;alert(33)</script>\"></iframe>",
    "<iframe data-csx src=\"javascript:parent.csx=34;alert(34)\"></iframe>",
    "<object data-csx data=TRAP/h.html></object><embed data-csx src=TRAP/i.swf>",
    "<a data-csx href=\"javascript:csx=35;alert(35)\">click</a>",
    "<a data-csx href=\"java\tscript:csx=36\">click</a> [click](javascript:csx=37)",
    "<base data-csx href=TRAP/>",
    "<meta data-csx http-equiv=refresh content='0;url=TRAP/j'>",
    "<form data-csx action=TRAP/k><button formaction=TRAP/l autofocus>go</button></form>",
    "<link data-csx rel=stylesheet href=TRAP/m.css><link rel=prefetch href=TRAP/n>",
    // Styles.
    "<style data-csx>body{background:url(TRAP/o.png)}@import 'TRAP/p.css';</style>",
    "<p data-csx style=\"background-image:url('TRAP/q.png');position:fixed;inset:0\">x</p>",
    // Templates, entities and hidden characters.
    "{{ 7*7 }}{% raw %}<i data-csx>${csx=38}</i>{% endraw %}{{ csrf|safe }}",
    "&lt;script data-csx&gt;csx=39&lt;/script&gt; &#60;img data-csx src=x onerror=csx=40&#62;",
    "\u{202e}<img data-csx src=x onerror=csx=41>\u{202c}\u{2066}gnp.exe\u{2069}",
    "<\u{200b}img data-csx src=x o\u{200d}nerror=csx=42>\u{feff}<scr\u{ad}ipt>csx=43</script>",
];

/// What a stranger's text would have left in the document.
const LOOK: &str = r#"
const bad = [];
const own = location.origin;
if (window.csx !== undefined) bad.push('ran: ' + window.csx);
const places = ['href', 'src', 'action', 'formaction', 'data', 'xlink:href', 'poster', 'background'];
const look = root => {
  for (const e of root.querySelectorAll('*')) {
    const tag = e.localName.toLowerCase();
    if (e.hasAttribute('data-csx')) bad.push('element ' + tag);
    if (['iframe', 'object', 'embed', 'base', 'math', 'marquee', 'foreignobject', 'video', 'audio',
         'plaintext', 'style'].includes(tag)) bad.push('element ' + tag);
    if (tag === 'meta' && (e.httpEquiv || '').toLowerCase() === 'refresh') bad.push('refresh');
    if (tag === 'script' && !new URL(e.src || 'x:', location.href).href.startsWith(own + '/assets/'))
      bad.push('a script of its own');
    for (const a of e.attributes) {
      if (/^on/i.test(a.name)) bad.push(tag + ' ' + a.name);
      if (a.name === 'srcdoc' || a.name === 'style') bad.push(tag + ' ' + a.name);
      if (places.includes(a.name) && new URL(a.value, location.href).origin !== own)
        bad.push(tag + ' ' + a.name + '=' + a.value.slice(0, 80));
    }
    if (e.content instanceof DocumentFragment) look(e.content);
  }
};
look(document);
for (const r of performance.getEntriesByType('resource'))
  if (new URL(r.name).origin !== own) bad.push('asked for ' + r.name);
return {bad, text: document.documentElement.outerHTML.includes('data-csx')};
"#;

fn word(text: &str) -> String {
    format!("=?utf-8?B?{}?=", STANDARD.encode(text))
}

/// A mail with the string in every part that a sender writes.
fn mail(n: usize, x: &str) -> Value {
    let percent: String = x.bytes().map(|b| format!("%{b:02X}")).collect();
    let plain = format!(
        "How long do I have to return an item? {x}\r\n\r\nOn Mon, 5 Jan 2026 at 10:00, {x} wrote:\r\n\
         > {x}\r\n> Thank you.\r\n\r\n-- \r\n{x}\r\n"
    );
    let html = format!(
        "<p>How long do I have to return an item?</p>{x}<blockquote>{x}</blockquote><p title=\"{x}\">x</p>"
    );
    // Half of the mails have only HTML.
    let text = if n.is_multiple_of(2) {
        format!(
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            STANDARD.encode(plain)
        )
    } else {
        format!(
            "--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            STANDARD.encode(html)
        )
    };
    let name = word(x);
    let eml = format!(
        "From: {name} <robin-{n}@example.com>\r\nTo: {name} <help@shop.example>\r\nCc: {name} <other-{n}@example.com>\r\n\
         Subject: {name}\r\nMessage-ID: <xss-{n}@example.com>\r\nDate: Thu, 01 Jan 2026 10:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{text}\
         --b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename*=utf-8''{percent}\r\n\r\na;b\r\n\
         --b--\r\n"
    );
    let id: String = format!("{n} {x}").replace(['\r', '\n', '\0'], " ");
    json!({"channel": "mail", "eml_b64": STANDARD.encode(eml), "external_id": id, "thread": id})
}

fn chat(n: usize, x: &str) -> Value {
    let text = format!("How long do I have to return an item? {x}");
    let mut m = json!({"channel": "chat", "external_id": format!("chat-{n} {x}"), "thread": format!("chat-{n} {x}"),
        "from": {"address": format!("user-{n} {x}"), "name": x}, "subject": x,
        "to": [{"address": "shop", "name": x}], "references": [x]});
    m[if n.is_multiple_of(2) { "text" } else { "html" }] = json!(text);
    m
}

/// Fills the service; gives the pages to look at.
async fn furnish(app: &TestApp, corpus: &[String]) -> Vec<String> {
    app.teach("Returns", "You can return any unworn item within 30 days of delivery.").await;
    let mut ids = Vec::new();
    for (n, x) in corpus.iter().enumerate() {
        let article = json!({"source": format!("{n}-{x}"), "title": x, "text": format!("# {x}\n\nAn item can be returned within {n} days. {x}")});
        let (status, a) = app.post(&app.home.key, "/v1/knowledge", &article).await;
        assert!(status == 201 || status == 422 || status == 400, "{status} {a}");
        let m = if n.is_multiple_of(4) { chat(n, x) } else { mail(n, x) };
        let (status, b) = app.post(&app.home.key, "/v1/messages", &m).await;
        assert_eq!(status, 202, "{x:?}: {b}");
        ids.push(b["id"].as_str().unwrap().to_owned());
    }
    app.quiet().await;
    let mut pages: Vec<String> = [
        "pending", "all", "held", "sent", "filed", "trouble", "snoozed", "rejected", "no_match",
        "<script>",
    ]
    .map(|t| format!("/?tab={t}"))
    .into();
    let (mut sent, mut rejected) = (0, 0);
    for (n, id) in ids.iter().enumerate() {
        let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
        let Some(thread) = m["thread"].as_str() else { continue };
        let (_, t) = app.get(&app.home.key, &format!("/v1/threads/{thread}")).await;
        let Some(review) = t["reviews"][0]["id"].as_str() else { continue };
        let path = format!("/v1/reviews/{review}");
        pages.push(format!("/reviews/{review}"));
        let x = &corpus[n];
        let (_, r) = app.get(&app.home.key, &path).await;
        // A third stays as it is, a third is edited and sent, a third is edited and rejected.
        if n % 3 == 0 {
            continue;
        }
        let edit = json!({"text": format!("Dear customer, {x}"), "subject": x, "revision": r["revision"], "approve": n % 3 == 1});
        let (status, _) = app.post(&app.home.key, &format!("{path}/edit"), &edit).await;
        if n % 3 == 1 {
            sent += usize::from(status == 200);
        } else {
            let (status, _) =
                app.post(&app.home.key, &format!("{path}/reject"), &json!({"reason": x})).await;
            rejected += usize::from(status == 200);
        }
    }
    assert!(sent > 5 && rejected > 5, "sent {sent}, rejected {rejected}");
    app.quiet().await;
    let (_, list) = app.get(&app.home.key, "/v1/knowledge?limit=200").await;
    for a in list["items"].as_array().unwrap() {
        pages.push(format!("/knowledge/{}", a["id"].as_str().unwrap()));
    }
    pages.extend(["/knowledge", "/outbox"].map(str::to_owned));
    for x in corpus {
        let x: String = url::form_urlencoded::byte_serialize(x.as_bytes()).collect();
        pages.push(format!("/?tab=all&q={x}&after={x}&done={x}"));
        pages.push(format!("/reviews/{x}"));
    }
    pages
}

/// A listener that nobody has a reason to ask.
async fn trap(life: &countersign::lifecycle::Lifecycle) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, stop) = (asked.clone(), life.stopping().clone());
    life.spawn(async move {
        loop {
            tokio::select! {
                taken = listener.accept() => {
                    if taken.is_ok() { count.fetch_add(1, Ordering::SeqCst); }
                }
                () = stop.cancelled() => break,
            }
        }
    });
    (base, asked)
}

async fn look(driver: &WebDriver) -> WebDriverResult<(Vec<String>, bool)> {
    let seen = driver.execute(LOOK, Vec::new()).await?;
    let bad = seen.json()["bad"].as_array().cloned().unwrap_or_default();
    let bad = bad.iter().map(|b| b.as_str().unwrap_or_default().to_owned()).collect();
    Ok((bad, seen.json()["text"] == true))
}

/// The oracle sees what it must see: on a page that takes markup as it comes.
async fn control(driver: &WebDriver, trap: &str, asked: &AtomicUsize) {
    let naive = MockServer::start().await;
    let page = |body: String| {
        ResponseTemplate::new(200).set_body_raw(format!("<!doctype html><body>{body}"), "text/html")
    };
    let quiet = format!("<img data-csx src={trap}/x.png onerror=\"window.csx=1\">");
    Mock::given(matchers::path("/quiet")).respond_with(page(quiet)).mount(&naive).await;
    let loud = "<script>setTimeout(()=>alert('csx'))</script>".to_owned();
    Mock::given(matchers::path("/loud")).respond_with(page(loud)).mount(&naive).await;
    driver.goto(format!("{}/quiet", naive.uri())).await.unwrap();
    let (bad, text) = look(driver).await.unwrap();
    assert!(text && bad.iter().any(|b| b.starts_with("element img")), "{bad:?}");
    assert!(bad.iter().any(|b| b == "img onerror"), "{bad:?}");
    assert!(asked.swap(0, Ordering::SeqCst) > 0, "the trap counts nothing");
    let _ = driver.goto(format!("{}/loud", naive.uri())).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(driver.execute("return 1", Vec::new()).await.is_err(), "a dialog goes unnoticed");
    let _ = driver.dismiss_alert().await;
    let _ = driver.browser_log().await;
}

async fn story(app: &TestApp, driver: &WebDriver) {
    let (trap, asked) = trap(&app.life).await;
    control(driver, &trap, &asked).await;
    asked.store(0, Ordering::SeqCst);
    let corpus: Vec<String> = CORPUS.iter().map(|x| x.replace("TRAP", &trap)).collect();
    let pages = furnish(app, &corpus).await;

    let first: String = url::form_urlencoded::byte_serialize(corpus[4].as_bytes()).collect();
    driver.goto(format!("{}/login?next={first}", app.base)).await.unwrap();
    log_in(driver, PASSWORD).await;
    at(driver, "/").await;
    shown(driver, "main").await;
    let mut shown = 0;
    for page in &pages {
        driver.goto(format!("{}{page}", app.base)).await.unwrap_or_else(|e| panic!("{page}: {e}"));
        let (bad, text) = look(driver).await.unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(bad.is_empty(), "{page}: {bad:?}");
        shown += usize::from(text);
    }
    // It is there, as text: otherwise there would have been nothing to see.
    assert!(shown > 2 * CORPUS.len(), "the strings show on {shown} of {} pages", pages.len());
    assert_eq!(asked.load(Ordering::SeqCst), 0, "another host was asked");
    if let Ok(log) = driver.browser_log().await {
        let broken: Vec<_> =
            log.iter().filter(|e| e.message.contains("Content Security Policy")).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn markup_of_strangers_stays_text_everywhere() {
    let app = TestApp::start(Engine::Sqlite).await;
    let chrome = Driver::start().await;
    let driver = chrome.open().await;
    tell(chrome, &driver, Duration::from_secs(400), story(&app, &driver)).await;
    app.stop().await;
}
