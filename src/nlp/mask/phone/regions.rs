//! The regions whose numbers may lack a country code, and the one form of a number.

use std::sync::OnceLock;

use phonenumber::country::Id;
use regex::Regex;

use super::super::MaskerError;
use super::plan::{self, PLANS, Plan};
use super::window::extension_in;

/// Regions whose national numbers are understood, first choice first.
#[derive(Default)]
pub(in super::super) struct Regions {
    ids: Vec<String>,
    /// All that can be dialled in any of them, in one expression.
    dialled: OnceLock<Option<Regex>>,
}

impl Regions {
    /// Takes ISO 3166-1 codes in any case.
    pub(in super::super) fn new(ids: &[String]) -> Result<Self, MaskerError> {
        let ids = ids.iter().map(|id| {
            let upper = id.to_ascii_uppercase();
            // Not asked of the plans: they take a tenth of a second to load, and a text without
            // digits needs none.
            upper.parse::<Id>().map(|_| upper).map_err(|_| MaskerError::Region(id.clone()))
        });
        Ok(Self { ids: ids.collect::<Result<_, _>>()?, dialled: OnceLock::new() })
    }

    pub(super) fn plans(&self) -> impl Iterator<Item = &'static Plan> {
        self.ids.iter().filter_map(|id| PLANS.region(id))
    }

    /// Whether any of the regions gives the number out.
    pub(super) fn give_out(&self, digits: &str) -> bool {
        let build = || {
            let all: Vec<String> = self.plans().map(Plan::dialled).collect();
            plan::compile(&format!(r"\A(?:{})\z", all.join("|"))).ok()
        };
        match self.dialled.get_or_init(build) {
            Some(all) => all.is_match(digits),
            None => self.plans().any(|p| p.national(digits).is_some()),
        }
    }

    /// Whether one of the regions that `is_wanted` picks gives the number out.
    pub(super) fn gives_out(&self, digits: &str, is_wanted: impl Fn(&Plan) -> bool) -> bool {
        self.plans().any(|p| is_wanted(p) && p.national(digits).is_some())
    }
}

/// The number in international form (`+49…`, with `;ext=` where it has an extension), or its
/// digits if no region gives it out. Depends on nothing but the text and the regions, so one
/// number has one form in every message.
pub(in super::super) fn canonical(text: &str, regions: &Regions) -> String {
    let extension = extension_in(text);
    let (number, extension) = text.split_at(extension.map_or(text.len(), |e| e.start));
    let digits: String =
        number.replacen("(0)", "", 1).chars().filter(char::is_ascii_digit).collect();
    let plus = number.trim_start_matches(|c: char| c == '(' || c.is_whitespace()).starts_with('+');
    let international = |d: &str| PLANS.international(d).map(|n| n.unwrap_or_else(|n| n).e164());
    let national = || regions.plans().find_map(|p| p.national(&digits)).map(|n| n.e164());
    let read = if plus {
        international(&digits)
    } else {
        dialled_abroad(&digits)
            .and_then(|d| PLANS.international(d)?.ok())
            .map(|n| n.e164())
            .or_else(national)
    };
    let extension: String = extension.chars().filter(char::is_ascii_digit).collect();
    let number = read.unwrap_or(digits);
    if extension.is_empty() { number } else { format!("{number};ext={extension}") }
}

/// Digits behind an international prefix.
pub(super) fn dialled_abroad(digits: &str) -> Option<&str> {
    digits.strip_prefix("00").or_else(|| digits.strip_prefix("011"))
}

/// Whether a language is spoken at home in a region.
pub(super) fn speaks(language: &str, region: &str) -> bool {
    let regions: &[&str] = match language {
        "en" => &["US", "CA", "GB", "IE", "AU", "NZ", "IN", "ZA", "SG"],
        "de" => &["DE", "AT", "CH", "LI", "LU"],
        "fr" => &["FR", "BE", "CH", "CA", "LU", "MC"],
        "es" => &["ES", "MX", "AR", "CO", "CL", "PE", "EC", "UY", "VE"],
        "pt" => &["PT", "BR"],
        "it" => &["IT", "CH", "SM"],
        "nl" => &["NL", "BE"],
        "sv" => &["SE", "FI"],
        "da" => &["DK"],
        "nb" | "nn" | "no" => &["NO"],
        "fi" => &["FI"],
        "pl" => &["PL"],
        "cs" => &["CZ"],
        "sk" => &["SK"],
        "hu" => &["HU"],
        "tr" => &["TR"],
        "el" => &["GR", "CY"],
        "he" => &["IL"],
        "ja" => &["JP"],
        "ko" => &["KR"],
        "zh" => &["CN", "TW", "HK", "SG"],
        "ru" => &["RU", "KZ"],
        "uk" => &["UA"],
        "hi" => &["IN"],
        _ => &[],
    };
    regions.contains(&region)
}
