//! Whole mails, our own, in several languages and shapes; and mails made to break a parser.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn parse(raw: impl AsRef<[u8]>) -> Parsed {
    parse_mime(raw.as_ref(), &MimeLimits::default()).unwrap()
}

const REPLY: &str = "Return-Path: <carl@mail.test>\r\nMessage-ID: <m2@mail.test>\r\nIn-Reply-To: <m1@shop.test>\r\nReferences: <m0@shop.test>\r\n <m1@shop.test>\r\n\
Date: Tue, 4 May 2021 10:02:03 +0200\r\nFrom: =?utf-8?q?Carl_M=C3=BCller?= <carl@mail.test>\r\nReply-To: other@mail.test\r\nTo: \"Shop, Inc.\" <help@shop.test>, b@shop.test\r\nCc: c@shop.test\r\n\
Subject: =?iso-8859-1?Q?R=FCckgabe?=\r\n =?iso-8859-1?Q?_der_Schuhe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n\
--b1\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n\
--b2\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nDie Schuhe dr=FCcken. Kann ich sie zur=FCckgeben?\r\n\r\nViele Gr=FC=DFe\r\nCarl\r\n\r\nAm 03.05.21 um 09:00 schrieb Shop:\r\n> Ihre Bestellung ist da.\r\n\r\n\
--b2\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Die Schuhe dr\u{fc}cken.</p>\r\n--b2--\r\n\
--b1\r\nContent-Type: image/png; name=\"=?utf-8?q?schuh.png?=\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\niVBORw0KGgoAAAANSUhEUg==\r\n\
--b1\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"../../photo.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAEAAAA//8AALgAAAA=\r\n--b1--\r\n";

#[test]
fn a_reply_with_attachments_is_read_whole() {
    let mail = parse(REPLY);
    assert_eq!(mail.subject, "Rückgabe der Schuhe");
    let from = mail.from.clone().unwrap();
    assert_eq!(
        (from.name.as_deref(), from.address.as_str()),
        (Some("Carl Müller"), "carl@mail.test")
    );
    assert_eq!(mail.reply_to[0].address, "other@mail.test");
    assert_eq!(
        mail.to.iter().map(|a| a.address.as_str()).collect::<Vec<_>>(),
        ["help@shop.test", "b@shop.test"]
    );
    assert_eq!(mail.to[0].name.as_deref(), Some("Shop, Inc."));
    assert_eq!(mail.cc.len(), 1);
    assert_eq!(mail.date_micros, Some(1_620_115_323_000_000));
    assert_eq!(mail.message_id.as_deref(), Some("m2@mail.test"));
    assert_eq!(mail.in_reply_to, ["m1@shop.test"]);
    assert_eq!(mail.references, ["m0@shop.test", "m1@shop.test"]);
    assert_eq!(mail.visible, "Die Schuhe drücken. Kann ich sie zurückgeben?\n\nViele Grüße\nCarl");
    assert!(mail.quoted.contains("> Ihre Bestellung ist da."));
    assert_eq!(mail.auto, AutoKind::None);
    let [photo, program] = &mail.attachments[..] else { panic!("two attachments") };
    assert_eq!((photo.name.as_str(), photo.size, photo.allowed), ("schuh.png", 16, true));
    assert_eq!((program.name.as_str(), program.allowed), ("photo.png", false));
    assert_eq!(program.reason.as_deref(), Some("it is a program or a script"));
    assert_eq!(mail.oddities, ["An attachment was refused."]);
    assert!(!format!("{mail:?}{from:?}{photo:?}").contains("arl"));
}

#[test]
fn html_is_read_where_plain_text_is_a_stump_or_blind() {
    let mail = |plain: &str, html: &str| {
        format!(
            "From: a@b.test\nMessage-ID: <x@y>\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n{plain}\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
        )
    };
    assert_eq!(
        parse(mail("See HTML", "<p>The parcel is late, and nobody answers the phone.</p>")).visible,
        "The parcel is late, and nobody answers the phone."
    );
    let blind = parse(mail(
        "Yes.\n\nIs it blue?",
        "<div>Yes.</div><div class=gmail_quote>Is it blue?</div>",
    ));
    assert_eq!((blind.visible.as_str(), blind.quoted.as_str()), ("Yes.", "Is it blue?"));
    assert_eq!(
        parse(mail("It is **plain** enough.", "<p>It is plain enough.</p>")).visible,
        "It is **plain** enough."
    );
}

#[test]
fn a_forward_is_known_by_its_subject() {
    let body = "Bitte ansehen.\n\nVon: Dora <dora@x.test>\nGesendet: Montag, 3. Mai 2021\nAn: ich\nBetreff: kaputt\n\nDas Gerät ist kaputt.";
    let mail = |subject: &str| format!("From: a@b.test\nSubject: {subject}\n\n{body}");
    assert_eq!(parse(mail("WG: kaputt")).visible, body);
    assert_eq!(parse(mail("AW: kaputt")).visible, "Bitte ansehen.");
}

#[test]
fn programs_are_told_from_people() {
    let kind =
        |headers: &str| parse(format!("From: Anna <anna@shop.test>\n{headers}\n\nText\n")).auto;
    assert_eq!(kind("Subject: Out of office"), AutoKind::None);
    assert_eq!(
        kind("Subject: Abwesenheitsnotiz: Ihre Frage\nReturn-Path: <>"),
        AutoKind::AutoReply
    );
    assert_eq!(
        kind("Auto-Submitted: auto-replied (vacation)\nSubject: Re: x"),
        AutoKind::AutoReply
    );
    assert_eq!(kind("Auto-Submitted: no\nSubject: x"), AutoKind::None);
    assert_eq!(kind("X-Auto-Response-Suppress: All"), AutoKind::AutoReply);
    assert_eq!(kind("Precedence: auto_reply"), AutoKind::AutoReply);
    assert_eq!(kind("List-Id: <users.lists.test>\nAuto-Submitted: auto-generated"), AutoKind::List);
    assert_eq!(kind("Precedence: bulk"), AutoKind::List);
    assert_eq!(kind("Subject: Undeliverable: your idea"), AutoKind::None);
    let bounce = "From: Mail Delivery System <MAILER-DAEMON@mx.test>\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender\n\nIt could not be delivered.";
    assert_eq!(parse(bounce).auto, AutoKind::Bounce);
    let report = "From: x@mx.test\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nFailed.\n--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n--b--\n";
    assert_eq!(parse(report).auto, AutoKind::Bounce);
    let receipt = "From: x@mx.test\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nRead.\n--b--\n";
    assert_eq!(parse(receipt).auto, AutoKind::AutoReply);
}

#[test]
fn a_missing_id_is_made_from_the_content() {
    let mail = |body: &str| {
        parse(format!("From: a@b.test\nDate: Tue, 4 May 2021 10:02:03 +0000\n\n{body}"))
            .message_id
            .unwrap()
    };
    assert_eq!(mail("Hello"), mail("Hello"));
    assert_ne!(mail("Hello"), mail("Hello!"));
    assert!(mail("Hello").ends_with("@derived.invalid"));
    let file = |name: &str| {
        parse(format!(
            "From: a@b.test\nDate: Tue, 4 May 2021 10:02:03 +0000\nContent-Type: image/png\n\
            Content-Disposition: attachment; filename={name}\n\nx"
        ))
        .message_id
    };
    assert_eq!(file("a.png"), file("a.png"));
    assert_ne!(file("a.png"), file("b.png"));
}

#[test]
fn odd_mail_is_read_and_noted() {
    let mail = parse(b"From: a@b.test\nSubject: x\0y\nContent-Type: multipart/mixed; boundary=missing\n\nThe text \0is \xfchere.\n");
    assert!(mail.visible.contains("The text is ühere."), "{}", mail.visible);
    assert!(mail.oddities.iter().any(|o| o.contains("NUL")));
    let mail = parse("Subject: no sender\n\nHi\n");
    assert!(mail.from.is_none() && mail.oddities.iter().any(|o| o.contains("sender")));
    let mail = parse("From: a@b.test\n\nplease\u{202e}txt.exe\u{202c} open\n");
    assert_eq!(mail.visible, "pleasetxt.exe open");
    assert!(mail.oddities.iter().any(|o| o.contains("reorder")));
    assert_eq!(parse_mime(b"", &MimeLimits::default()), Err(NormaliseError::NotMail));
    for text in
        ["\n\njust text", "hello world no header", "one line\n\nanother", "note: to myself\n\nHi"]
    {
        let read = parse_mime(text.as_bytes(), &MimeLimits::default());
        assert_eq!(read, Err(NormaliseError::NotMail), "{text}");
    }
}

#[test]
fn text_without_mime_takes_the_same_way() {
    let text = parse_text("Ja, gerne.\n\nVon meinem iPhone gesendet", Format::Text);
    assert_eq!(
        (text.visible.as_str(), text.signature.as_str()),
        ("Ja, gerne.", "Von meinem iPhone gesendet")
    );
    let html = parse_text(
        "<div>Oui&#8203;.</div><blockquote type=cite>Alors&nbsp;?</blockquote>",
        Format::Html,
    );
    assert_eq!((html.visible.as_str(), html.quoted.as_str()), ("Oui.", "Alors ?"));
}

/// What is made to take time, memory or stack is refused or read within a second of release build
/// (the bound here is for slow test machines), on a stack of 256 kB.
#[test]
fn hostile_mail_is_refused_or_read_in_bounded_time() {
    let nested_parts: String = (0..100_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
        .collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("multiparts 100k deep", nested_parts.into()),
        ("mails 100k deep", "Content-Type: message/rfc822\n\n".repeat(100_000).into()),
        ("digests 100k deep", "Content-Type: multipart/digest; boundary=a\n\n--a\n\n".repeat(100_000).into()),
        ("a million parts", format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(1_000_000)).into()),
        ("100k nested comments", format!("From: {}a@b.test{}\n\nx", "(".repeat(100_000), ")".repeat(100_000)).into()),
        ("a 10 MB line", format!("From: a@b.test\n\n{}", "a".repeat(10_000_000)).into()),
        ("a 10 MB line of words", format!("From: a@b.test\n\n{}", "wrote: 12:30 a@b.test ".repeat(450_000)).into()),
        ("a 10 MB subject", format!("Subject: {}\n\nx", "=?ab?q?x".repeat(1_250_000)).into()),
        ("encoded words without end", format!("From: a@b.test\nSubject: {}\n\nx", "=?ab?q?x".repeat(60_000)).into()),
        ("invalid base64", format!("From: a@b.test\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{}", "!?*".repeat(1_000_000)).into()),
        ("a mail in base64 in a mail", format!("From: a@b.test\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{}", "Q29udGVudC1UeXBlOiBtZXNzYWdlL3JmYzgyMgoK\n".repeat(100_000)).into()),
        ("invalid UTF-8", [b"From: a@b.test\nContent-Type: text/plain; charset=utf-8\n\n".to_vec(), vec![0xfe; 5_000_000]].concat()),
        ("an unknown charset", [b"From: a@b.test\nContent-Type: text/plain; charset=utf-7\n\n".to_vec(), b"+AGE-".repeat(500_000)].concat()),
        ("a missing boundary", format!("From: a@b.test\nContent-Type: multipart/mixed\n\n{}", "--\n".repeat(1_000_000)).into()),
        ("boundaries that never come", format!("Content-Type: multipart/mixed; boundary=a\n\n{}", "--a\nContent-Type: multipart/mixed; boundary=z\n\n".repeat(20_000)).into()),
        ("NULs", [b"From: a@b.test\n\n".to_vec(), vec![0; 5_000_000]].concat()),
        ("nothing but fields", "a:b\n".repeat(1_000_000).into()),
        ("parameters", format!("Content-Type: text/plain{}\n\nx", ";a*1*=x'y'z".repeat(50_000)).into()),
        ("spaces", [vec![b' '; 5_000_000], b":".repeat(1_000_000)].concat()),
        ("divs 2M deep", format!("From: a@b.test\nContent-Type: text/html\n\n{}", "<div>".repeat(2_000_000)).into()),
    ];
    let worker = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        for (name, raw) in cases {
            let start = Instant::now();
            let verdict = parse_mime(&raw, &MimeLimits::default());
            let taken = start.elapsed();
            assert!(taken < Duration::from_secs(20), "{name} took {taken:?}");
            drop(verdict);
        }
        // The deepest nesting that is let through.
        let deepest = format!(
            "From: a@b.test\n{}Subject: x\n\nhi",
            "Content-Type: message/rfc822\n\n".repeat(100)
        );
        assert_eq!(parse(deepest).attachments.len(), 1);
    });
    worker.unwrap().join().unwrap();
}

/// Lines from which broken mails are made.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..30),
        Just(b"Content-Type: multipart/mixed; boundary=\"b\"\r\n".to_vec()),
        Just(b"Content-Type: multipart/alternative; boundary=c\n".to_vec()),
        Just(b"Content-Type: message/rfc822\n".to_vec()),
        Just(b"Content-Type: text/html; charset=utf-16\n".to_vec()),
        Just(b"Content-Transfer-Encoding: base64\n".to_vec()),
        Just(b"Content-Transfer-Encoding: quoted-printable\n".to_vec()),
        Just(
            b"Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b.exe\n"
                .to_vec()
        ),
        Just(b"From: \"a (b\" <a@b.test>, =?utf-8?b?w7w=?= <c@d>\n".to_vec()),
        Just(b"Subject: =?utf-8?q?x=?=\n y\n".to_vec()),
        Just(b"Date: 31 Feb 99999 25:61:61 +9999\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"--b\n".to_vec()),
        Just(b"--b--\n".to_vec()),
        Just(b"--c\r\n".to_vec()),
        Just(b"--c--".to_vec()),
        Just(b"> quoted =C3=BC SGVsbG8=\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(pieces in proptest::collection::vec(piece(), 0..25)) {
        let raw = pieces.concat();
        if let Ok(mail) = parse_mime(&raw, &MimeLimits::default()) {
            prop_assert!(mail.message_id.is_some());
            prop_assert!(!mail.visible.contains('\0'));
            prop_assert!(mail.attachments.iter().all(|a| a.allowed == a.reason.is_none()));
        }
    }
}
