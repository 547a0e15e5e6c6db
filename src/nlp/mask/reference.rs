//! Numbers of businesses: orders, invoices, tickets, bookings; and customers, members, contracts.
//! Needed to answer, so looked for only when asked for; then they are told by the words in front.

use std::ops::Range;

use super::candidate::Candidate;
use super::label::{Label, Link, Topic, announced};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use super::tracking::code_at;
use crate::domain::masking::Entity;

/// Finds numbers of orders, invoices, tickets and bookings.
pub(super) struct OrderNumber;

/// Finds numbers of customers, members and contracts.
pub(super) struct CustomerNumber;

impl Recognizer for OrderNumber {
    fn entity(&self) -> &Entity {
        const { &Entity::ORDER_NUMBER }
    }

    fn only_if_asked(&self) -> bool {
        true
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        find(source, Topic::Order, &Entity::ORDER_NUMBER, out);
    }
}

impl Recognizer for CustomerNumber {
    fn entity(&self) -> &Entity {
        const { &Entity::CUSTOMER_NUMBER }
    }

    fn only_if_asked(&self) -> bool {
        true
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.digits > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        find(source, Topic::Customer, &Entity::CUSTOMER_NUMBER, out);
    }
}

fn find(source: &Source<'_>, topic: Topic, entity: &Entity, out: &mut Vec<Candidate>) {
    for label in source.labels().iter().filter(|l| l.topic == topic) {
        if let Some((range, score)) = number(source, label) {
            out.push(Candidate::new(range, entity.clone(), score, "reference").checked("label"));
        }
    }
}

fn number(source: &Source<'_>, label: &Label) -> Option<(Range<usize>, f32)> {
    let text = source.text();
    let value = announced(text, label.range.end)?;
    if value.words > 1 || value.link == Link::Bare && value.words > 0 {
        return None;
    }
    let range = code_at(text, value.at, 3..=30)?;
    let written = &text[range.clone()];
    // `20%`, `12.50`, `12 May`, `3 items`: amounts and dates follow orders as well.
    let behind = &text[range.end..];
    let is_amount = behind.starts_with(['%', '€', '$', '£'])
        || behind.starts_with(['.', ',', ':', '/'])
            && behind[1..].starts_with(|c: char| c.is_ascii_digit());
    let is_date = super::date::starts_with_date(text, range.start);
    // A small word with digits is no number: "covid19".
    let plain = written.bytes().any(|b| b.is_ascii_lowercase()) && value.link == Link::Bare;
    let digits = written.bytes().filter(u8::is_ascii_digit).count();
    // Behind a verb alone, "the order is 200 euros", it takes a longer one.
    let least = match value.link {
        Link::Verb => 5,
        Link::Bare => 4,
        Link::Sign => 2,
    };
    let fits = digits >= least && !is_amount && !is_date && !plain && source.stands_alone(&range);
    fits.then_some((range, if value.link == Link::Bare { 0.6 } else { 0.8 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::surfaces as found;

    #[test]
    fn finds_references() {
        for (text, number) in [
            ("my order 48213 is late", "48213"),
            ("order #A-4711", "A-4711"),
            ("invoice no. INV-2024-0012.", "INV-2024-0012"),
            ("Bestellnummer: 302-1234567-8901234", "302-1234567-8901234"),
            ("numéro de commande 88412", "88412"),
        ] {
            assert_eq!(found(&OrderNumber, text), [number], "{text}");
        }
        assert_eq!(found(&CustomerNumber, "Kundennummer lautet 7781234"), ["7781234"]);
        for text in [
            "order 3 items",
            "the order of 12.05.2024",
            "order total 49.90",
            "invoice of 1200.50",
            "order 2024-05-06",
        ] {
            assert!(
                found(&OrderNumber, text).is_empty(),
                "{text}: {:?}",
                found(&OrderNumber, text)
            );
        }
    }
}
