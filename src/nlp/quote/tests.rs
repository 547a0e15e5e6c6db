//! Whole messages through both ways, with our own examples.

use proptest::prelude::*;

use super::*;

fn visible(text: &str) -> String {
    split(text).visible
}

#[test]
fn a_top_posted_reply_is_all_that_is_seen() {
    for below in [
        "On Tue, 4 May 2021 at 10:02, Anna Berg <anna@shop.test> wrote:\n\n> Which parcel?\n>\n> Anna",
        "> On Tue, 4 May 2021 at 10:02, Anna Berg <anna@shop.test> wrote:\n> Which parcel?",
        "-----Ursprüngliche Nachricht-----\nVon: Anna\nGesendet: Dienstag\nAn: ich\nBetreff: Paket\n\nWelches Paket?",
        "________________________________\nFrom: Anna Berg <anna@shop.test>\nSent: Tuesday, 4 May 2021 10:02\nTo: me\nSubject: parcel\n\nWhich parcel?",
        "---- On Tue, 04 May 2021 10:02:00 +0200 Anna Berg <anna@shop.test> wrote ----\n\nWhich parcel?",
        "Op di 4 mei 2021 om 10:02 schreef Anna Berg <\nanna@shop.test>:\n\nWelk pakket?",
        "Message original\nDe : Anna <anna@shop.test>\nEnvoyé : mardi 4 mai 2021 10:02\nÀ : moi\nObjet : colis\n\nQuel colis ?",
        "##- Please type your reply above this line -##\n\nYour request was updated.",
        "Sent from my iPhone\n\nOn 4 May 2021, at 10:02, Anna <anna@shop.test> wrote:\n\nWhich parcel?",
        "On 4 May 2021 at 10:02, Anna <anna@shop.test> wrote: Which parcel?",
    ] {
        assert_eq!(
            visible(&format!("The blue one, order 7731.\n\n{below}\n")),
            "The blue one, order 7731.",
            "{below}"
        );
    }
}

#[test]
fn an_attribution_on_the_same_line_is_cut_off() {
    assert_eq!(
        visible("Yes please--- On Tue, 4 May 2021 at 10:02, anna@shop.test wrote:\n> Shall I?"),
        "Yes please"
    );
    assert_eq!(
        visible("Yes. On Tue, 4 May 2021 at 10:02, anna@shop.test wrote:\n> Shall I?"),
        "Yes."
    );
}

#[test]
fn answers_between_and_below_quotes_stay() {
    let text = "On 4 May 2021 at 10:02, Anna wrote:\n> Which colour?\n\nRed.\n\n> Which size would you like to have, and where shall we send the parcel\nto?\n\nSmall.\nTo my office.\n";
    assert_eq!(visible(text), "Red.\n\nSmall.\nTo my office.");
    let below = "Am 04.05.21 um 10:02 schrieb Anna:\n> Welches Paket?\nDas blaue.";
    assert_eq!(visible(below), "Das blaue.");
}

#[test]
fn forwards_are_for_reading() {
    let text = "See below, they are right.\n\n---------- Forwarded message ---------\nFrom: Carl <carl@x.test>\nDate: Tue, 4 May 2021\nSubject: broken\nTo: me\n\nIt broke.\n> older";
    assert_eq!(visible(text), text);
    let outlook = "For you.\n\nVon: Carl\nGesendet: Dienstag, 4. Mai 2021\nAn: ich\nBetreff: kaputt\n\nEs ist kaputt.";
    assert_eq!(visible(outlook), "For you.");
    assert_eq!(split_in(outlook, Context { forwarded: true }).visible, outlook);
}

#[test]
fn what_only_looks_like_a_marker_stays() {
    for text in [
        "On the whole I am happy. On Tuesday it came.\nOn another note: the box was open.",
        "Dear team,\n\nname | date\n-----------\nbox | 4 May 2021\n\nPlease check.",
        ">>> offer <<<\nIs this offer from you?",
        "From Berlin to Paris:\nFrom: Berlin\nTo: Paris\nDate: 4 May\nHow much is it?",
        "# Notes\n\n----\n\n1. late\n2. open\n\n----\n\nThe lines above are headings, not a signature of mine.",
        "Anna wrote:\nthis and that, and I agree.",
    ] {
        assert_eq!(visible(text), text);
    }
}

#[test]
fn hostile_sizes_take_bounded_time() {
    let start = std::time::Instant::now();
    for text in [
        "On 1:\n".repeat(200_000),
        "> ".repeat(2_000_000),
        "a".repeat(5_000_000),
        "From: a\n".repeat(200_000),
        "x <a@b.test> 2021 10:02:\n".repeat(60_000),
        "-\n".repeat(500_000),
        "--\n\n".repeat(200_000),
    ] {
        split(&text);
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
}

/// The characters of a text that are not white space, in sorted order.
fn characters(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    chars.sort_unstable();
    chars
}

fn together(split: &Split) -> Vec<char> {
    characters(&format!("{}{}{}", split.visible, split.quoted, split.signature))
}

/// Lines from which mails are made, besides arbitrary ones.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        Just("On Tue, 4 May 2021 at 10:02, Anna <anna@shop.test> wrote:".to_owned()),
        Just("> quoted (".to_owned()),
        Just("-- ".to_owned()),
        Just("Sent from my iPhone".to_owned()),
        Just("From: Anna <anna@shop.test>".to_owned()),
        Just("Sent: 4 May 2021".to_owned()),
        Just("-----Original Message-----".to_owned()),
        Just("---------- Forwarded message ---------".to_owned()),
        Just("Best regards,".to_owned()),
        Just("Anna Berg".to_owned()),
        Just("Sales Manager".to_owned()),
        Just(String::new()),
        Just("word. On Tue, 4 May 2021 at 10:02, a@b.test wrote: more".to_owned()),
    ]
}

proptest! {
    #[test]
    fn text_loses_no_character(lines in proptest::collection::vec(line(), 0..14)) {
        let text = lines.join("\n");
        prop_assert_eq!(characters(&text), together(&split(&text)));
    }

    #[test]
    fn any_text_is_split(text in "(?s).{0,300}") {
        prop_assert_eq!(characters(&text), together(&split(&text)));
    }

    #[test]
    fn html_loses_nothing_that_reading_shows(pieces in proptest::collection::vec(prop_oneof![
        line().prop_map(|l| l.replace('<', "&lt;")),
        "</?(div|p|b|blockquote|table|tr|td|ul|li|br|a href='https://x.test'|div class=gmail_quote|div class=gmail_signature|pre|hr|blockquote type=cite)>",
        "[<>&;a-z=\"' ]{0,8}",
    ], 0..30)) {
        let html = pieces.concat();
        let read = crate::nlp::html::to_text(&html, &HtmlLimits::default());
        prop_assert_eq!(characters(&read), together(&split_html(&html)));
    }
}
