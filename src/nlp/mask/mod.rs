//! Finds personal data in text: what [`MaskedText::apply`](crate::domain::masking::MaskedText::apply)
//! then hides.
//!
//! The text is read once for its clues (`source`); a recognizer runs only where they leave it a
//! chance. Each matches by hand-written scanning from a telling byte, checks what stands around the
//! match, then what its digits say, and scores it; words near by raise or lower the score
//! (`context`). Over all finds at once, `resolve` decides which stand. Everything is linear in the
//! text, as text comes from strangers.
//!
//! A further type that patterns, a check and context words describe is a row of [`table`]: see
//! there how to write one. A type that needs more is one file with a
//! [`Recognizer`](recognizer::Recognizer) and one line in `recognizers`. If its finds are surer or
//! less sure than a shape, it has a line in `resolve`.

mod address;
mod bic;
mod candidate;
mod card;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cases_text;
mod catalogue;
mod context;
mod coordinates;
mod crypto;
mod custom;
mod date;
mod device;
mod email;
mod iban;
mod ip;
mod known;
mod label;
mod lowered;
mod mac;
mod normalise;
mod phone;
mod recognizer;
mod reference;
mod resolve;
mod secret;
mod source;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod tracking;
mod url;
mod us_ssn;
mod username;
mod vehicle;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use self::candidate::Candidate;
pub use self::catalogue::{CatalogueEntry, CatalogueForm};
use self::custom::{AllowList, Custom};
pub use self::custom::{CustomError, CustomRecognizer, TenantRules, Validator};
pub use self::known::Known;
use self::phone::Regions;
use self::recognizer::Recognizer;
use self::source::Source;
use crate::domain::masking::{Entity, Span};

/// Lowest score that is masked unless configured otherwise: a find in the shape of its type, or a
/// vaguer one with a word that confirms it.
pub const DEFAULT_MIN_SCORE: f32 = 0.4;

/// Regions whose telephone numbers are understood without a country code unless configured
/// otherwise. Which one is first matters only to numbers that two of them give out.
pub const DEFAULT_REGIONS: [&str; 26] = [
    "US", "CA", "GB", "IE", "DE", "AT", "CH", "FR", "BE", "NL", "LU", "ES", "PT", "IT", "SE", "DK",
    "NO", "FI", "PL", "AU", "NZ", "ZA", "IN", "BR", "MX", "IL",
];

/// How to mask.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskerConfig {
    /// Types to look for; `None` for all but those that replies need (dates, orders, tracking).
    pub entities: Option<BTreeSet<Entity>>,
    /// Types to look for besides those, when `entities` is `None`.
    pub also: BTreeSet<Entity>,
    /// Finds below this score (0–1) are not reported.
    pub min_score: f32,
    /// ISO 3166-1 codes of the regions whose telephone numbers may lack a country code.
    pub default_regions: Vec<String>,
    /// Recognizers of the tenant's own.
    pub custom: Vec<CustomRecognizer>,
    /// Values that are never masked, in any case.
    pub allow_list: Vec<String>,
}

impl Default for MaskerConfig {
    fn default() -> Self {
        Self {
            entities: None,
            also: BTreeSet::new(),
            min_score: DEFAULT_MIN_SCORE,
            default_regions: DEFAULT_REGIONS.map(str::to_owned).to_vec(),
            custom: Vec::new(),
            allow_list: Vec::new(),
        }
    }
}

/// A configuration that can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MaskerError {
    /// No such numbering plan.
    #[error("`{0}` is not a region with telephone numbers: expected an ISO 3166-1 code such as US")]
    Region(String),
    /// Not a score.
    #[error("the minimum score is {0}: expected 0 to 1")]
    MinScore(f32),
    /// A tenant's recognizer.
    #[error(transparent)]
    Custom(#[from] CustomError),
}

/// What is known about one text besides the text. Its Debug form counts names instead of showing
/// them.
#[derive(Clone, Copy, Default)]
pub struct Hints<'a> {
    /// ISO 639-1 code; decides which region's telephone numbers are usual.
    pub language: Option<&'a str>,
    /// Types to look for in this text only, within those configured.
    pub entities: Option<&'a BTreeSet<Entity>>,
    /// Display names and addresses of the thread's participants. For many texts with the same
    /// ones, [`Known`] is prepared once and gives `extra`.
    pub known: &'a [&'a str],
    /// Spans found elsewhere, as by the names head; they take part in the resolution.
    pub extra: &'a [Span],
}

impl fmt::Debug for Hints<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints")
            .field("language", &self.language)
            .field("entities", &self.entities)
            .field("known", &self.known.len())
            .field("extra", &self.extra)
            .finish()
    }
}

/// A span and why it was found. Holds no text of the message.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The span, with the final score.
    pub span: Span,
    /// The score of the match alone.
    pub base_score: f32,
    /// The word of the surroundings that raised it, from the recognizer's own list.
    pub context: Option<&'static str>,
    /// The check that it passed: `luhn`, `mod 97`, …
    pub validator: Option<&'static str>,
}

/// Finds personal data. Made once, shared by all threads.
pub struct Masker {
    recognizers: Vec<Box<dyn Recognizer>>,
    entities: Option<BTreeSet<Entity>>,
    also: BTreeSet<Entity>,
    /// The rows of the table among `entities`.
    rows: table::Wanted,
    custom: Vec<Custom>,
    allowed: AllowList,
    min_score: f32,
    regions: Arc<Regions>,
}

impl Masker {
    /// Makes a masker.
    ///
    /// # Errors
    /// [`MaskerError`] names the setting that can't be used.
    pub fn new(config: MaskerConfig) -> Result<Self, MaskerError> {
        let MaskerConfig { entities, also, min_score, default_regions, custom, allow_list } =
            config;
        if !(0.0..=1.0).contains(&min_score) {
            return Err(MaskerError::MinScore(min_score));
        }
        let regions = Arc::new(Regions::new(&default_regions)?);
        let recognizers: Vec<Box<dyn Recognizer>> = vec![
            Box::new(email::Email),
            Box::new(url::Url),
            Box::new(ip::IpAddress),
            Box::new(mac::MacAddress),
            Box::new(card::Card),
            Box::new(iban::Iban),
            Box::new(bic::Bic),
            Box::new(us_ssn::UsSsn),
            Box::new(secret::Password),
            Box::new(secret::OneTimeCode),
            Box::new(secret::ApiKey),
            Box::new(crypto::Crypto),
            Box::new(username::Username),
            Box::new(coordinates::Coordinates),
            Box::new(vehicle::VehicleId),
            Box::new(vehicle::LicensePlate),
            Box::new(device::DeviceId),
            Box::new(tracking::TrackingNumber),
            Box::new(reference::OrderNumber),
            Box::new(reference::CustomerNumber),
            Box::new(address::Address),
            Box::new(address::Place),
            Box::new(date::BirthDate),
            Box::new(date::DateTime),
            Box::new(phone::Phone::new(Arc::clone(&regions))),
        ];
        let rows = match &entities {
            None if also.is_empty() => table::Wanted::Usual,
            None => table::Wanted::usual_and(|e| also.contains(e)),
            Some(only) => table::Wanted::only(|e| only.contains(e)),
        };
        let custom = custom.into_iter().map(Custom::new).collect::<Result<_, _>>()?;
        let allowed = AllowList::new(&allow_list);
        Ok(Self { recognizers, entities, also, rows, custom, allowed, min_score, regions })
    }

    /// All that can be found, with how it is told, for the documentation.
    pub fn catalogue() -> &'static [CatalogueEntry] {
        catalogue::entries()
    }

    /// The personal data in `text`: sorted, without overlaps, on character boundaries. `language`
    /// is an ISO 639-1 code.
    pub fn find(&self, text: &str, language: Option<&str>) -> Vec<Span> {
        let hints = Hints { language, ..Hints::default() };
        self.explain(text, &hints).into_iter().map(|f| f.span).collect()
    }

    /// The given display names and addresses wherever they stand in `text`, and nothing else.
    pub fn find_known(&self, text: &str, known: &[&str]) -> Vec<Span> {
        let source = Source::new(text, None);
        let mut candidates = Vec::new();
        Known::new(known).find_in(&source, &mut candidates);
        let found = self.standing(&source, candidates, &Hints::default());
        found.into_iter().map(|f| f.span).collect()
    }

    /// As [`find`](Self::find), with all that is known about the text, and the reasons.
    pub fn explain(&self, text: &str, hints: &Hints<'_>) -> Vec<Finding> {
        let source = Source::new(text, hints.language);
        let mut candidates = Vec::new();
        for r in &self.recognizers {
            let asked = self.entities.is_some() || hints.entities.is_some();
            if (asked || !r.only_if_asked() || self.also.contains(r.entity()))
                && self.wants(r.entity(), hints)
                && r.may_match(source.clues())
            {
                r.find(&source, &mut candidates);
            }
        }
        match hints.entities {
            None => table::find(&source, &self.rows, self.min_score, &mut candidates),
            Some(only) => {
                let rows = table::Wanted::only(|e| only.contains(e) && self.wants(e, hints));
                table::find(&source, &rows, self.min_score, &mut candidates);
            }
        }
        for c in self.custom.iter().filter(|c| self.wants(c.entity(), hints)) {
            c.find(&source, &mut candidates);
        }
        if !hints.known.is_empty() {
            Known::new(hints.known).find_in(&source, &mut candidates);
        }
        candidates.extend(hints.extra.iter().filter_map(|span| outside(&source, text, span)));
        self.standing(&source, candidates, hints)
    }

    /// The form in which two spellings of one value are equal: e-mail in lower case, telephone
    /// numbers as E.164, cards as digits, and so on. Depends on type, text and the configured
    /// regions only.
    pub fn normalise(&self, entity: &Entity, surface: &str) -> String {
        normalise::normalise(entity, surface, &self.regions)
    }

    fn wants(&self, entity: &Entity, hints: &Hints<'_>) -> bool {
        self.entities.as_ref().is_none_or(|e| e.contains(entity))
            && hints.entities.is_none_or(|e| e.contains(entity))
    }

    fn standing(
        &self,
        source: &Source<'_>,
        mut candidates: Vec<Candidate>,
        hints: &Hints<'_>,
    ) -> Vec<Finding> {
        candidates.retain(|c| c.score >= self.min_score && self.wants(&c.entity, hints));
        candidates.retain(|c| !self.allowed.contains(&source.text()[c.range.clone()]));
        let found = resolve::resolve(source, candidates);
        found.into_iter().map(|c| finding(source, c)).collect()
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entities: Vec<&Entity> = self.recognizers.iter().map(|r| r.entity()).collect();
        f.debug_struct("Masker")
            .field("recognizers", &entities)
            .field("min_score", &self.min_score)
            .finish()
    }
}

fn finding(source: &Source<'_>, c: Candidate) -> Finding {
    let range = source.to_original(c.range);
    let span = Span {
        start: range.start,
        end: range.end,
        entity: c.entity,
        score: c.score,
        recognizer: c.recognizer,
    };
    Finding { span, base_score: c.base, context: c.context, validator: c.validator }
}

/// A span from elsewhere as a candidate; `None` if it does not fit the text.
fn outside(source: &Source<'_>, text: &str, span: &Span) -> Option<Candidate> {
    text.get(span.start..span.end)?;
    let range = source.to_folded(span.start..span.end);
    source.text().get(range.clone())?;
    let candidate = Candidate::new(range, span.entity.clone(), span.score, "");
    Some(Candidate { recognizer: Cow::clone(&span.recognizer), ..candidate })
}
