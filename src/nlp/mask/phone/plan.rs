//! National numbering plans, compiled from the phone library's metadata.
//!
//! The library's own `parse` and `is_valid` go through one process-wide cache of a hundred regular
//! expressions behind a lock; with a few regions its entries push each other out and are compiled
//! again for every number. Here each region has one expression of its own, compiled on first use
//! and shared by all threads without a lock.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use phonenumber::metadata::{DATABASE, Descriptor, Metadata};
use regex::{Regex, RegexBuilder};

/// A region's rules for its numbers.
pub(super) struct Plan {
    /// ISO 3166-1 code, or `001` for international services.
    pub(super) region: String,
    country_code: u16,
    /// What is dialled before the national number inside the region.
    trunk: Option<String>,
    trunk_rule: Option<String>,
    numbers: String,
    is_main: bool,
    compiled: OnceLock<Option<Compiled>>,
}

struct Compiled {
    trunk: Option<Regex>,
    number: Regex,
}

/// All plans by country code, the main region of a code first.
pub(super) static PLANS: LazyLock<Plans> = LazyLock::new(Plans::load);

pub(super) struct Plans {
    by_code: HashMap<u16, Vec<Plan>>,
    regions: HashMap<String, (u16, usize)>,
}

/// A number as the plan reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) country_code: u16,
    /// The national significant number.
    pub(super) national: String,
}

impl Number {
    /// `+` and all digits (ITU-T E.164).
    pub(super) fn e164(&self) -> String {
        format!("+{}{}", self.country_code, self.national)
    }
}

impl Plans {
    fn load() -> Self {
        let mut by_code: HashMap<u16, Vec<Plan>> = HashMap::new();
        for metadata in DATABASE.iter() {
            by_code.entry(metadata.country_code()).or_default().push(Plan::new(metadata));
        }
        let mut regions = HashMap::new();
        for (code, plans) in &mut by_code {
            plans.sort_by(|a, b| b.is_main.cmp(&a.is_main).then_with(|| a.region.cmp(&b.region)));
            for (i, plan) in plans.iter().enumerate() {
                regions.insert(plan.region.clone(), (*code, i));
            }
        }
        Self { by_code, regions }
    }

    /// The plan of a region by its ISO 3166-1 code in upper case.
    pub(super) fn region(&self, id: &str) -> Option<&Plan> {
        let (code, i) = self.regions.get(id)?;
        self.by_code.get(code)?.get(*i)
    }

    /// Reads digits that begin with a country code. `Ok` for a number that some region of the code
    /// gives out, `Err` for one that at least has a country code and a possible length.
    pub(super) fn international(&self, digits: &str) -> Option<Result<Number, Number>> {
        let (code, plans) = (1..=3).find_map(|len| {
            let code = digits.get(..len)?.parse::<u16>().ok()?;
            Some((code, self.by_code.get(&code)?))
        })?;
        let national = &digits[code.to_string().len()..];
        if let Some(number) = plans.iter().find_map(|p| p.national(national)) {
            return Some(Ok(number));
        }
        // E.164: 15 digits with the country code.
        let possible = (6..=14).contains(&national.len()) && digits.len() <= 15;
        possible.then(|| Err(Number { country_code: code, national: national.to_owned() }))
    }
}

impl Plan {
    fn new(m: &Metadata) -> Self {
        let d = m.descriptors();
        let kinds = [
            d.fixed_line(),
            d.mobile(),
            d.toll_free(),
            d.premium_rate(),
            d.shared_cost(),
            d.personal_number(),
            d.voip(),
            d.pager(),
            d.uan(),
            d.voicemail(),
        ];
        let numbers: Vec<&str> = kinds.into_iter().flatten().map(pattern).collect();
        // Plans without kinds of their own say everything in the general one.
        let numbers = if numbers.is_empty() {
            pattern(d.general()).to_owned()
        } else {
            numbers.join(")|(?:")
        };
        Self {
            region: m.id().to_owned(),
            country_code: m.country_code(),
            trunk: m
                .national_prefix_for_parsing()
                .map(|r| r.as_str())
                .or(m.national_prefix())
                .map(str::to_owned),
            trunk_rule: m.national_prefix_transform_rule().map(str::to_owned),
            numbers,
            is_main: m.is_main_country_for_code(),
            compiled: OnceLock::new(),
        }
    }

    fn compiled(&self) -> Option<&Compiled> {
        let build = || {
            let trunk = self.trunk.as_ref().map(|t| compile(&format!(r"\A(?:{t})")));
            Some(Compiled {
                trunk: trunk.transpose().ok()?,
                number: compile(&format!(r"\A(?:(?:{}))\z", self.numbers)).ok()?,
            })
        };
        self.compiled.get_or_init(build).as_ref()
    }

    /// Reads digits as dialled within the region, with or without trunk prefix; `None` if no such
    /// number is given out.
    pub(super) fn national(&self, digits: &str) -> Option<Number> {
        let compiled = self.compiled()?;
        let number = |national: &str| Number {
            country_code: self.country_code,
            national: national.to_owned(),
        };
        if compiled.number.is_match(digits) {
            return Some(number(digits));
        }
        let caps = compiled.trunk.as_ref()?.captures(digits)?;
        let rest = &digits[caps.get(0)?.end()..];
        // Some regions move digits around: 0343 15 555 1212 is +54 9 343 555 1212.
        let national = match (&self.trunk_rule, caps.iter().skip(1).flatten().last()) {
            (Some(rule), Some(_)) => {
                let mut moved = String::new();
                caps.expand(&rule.replace("$1", "${1}").replace("$2", "${2}"), &mut moved);
                moved.push_str(rest);
                moved
            }
            _ => rest.to_owned(),
        };
        compiled.number.is_match(&national).then(|| number(&national))
    }

    /// Whether something is dialled in front of a number inside the region.
    pub(super) fn has_trunk_prefix(&self) -> bool {
        self.trunk.is_some()
    }

    /// The expression for digits as dialled within the region.
    pub(super) fn dialled(&self) -> String {
        let trunk = self.trunk.as_ref().map_or(String::new(), |t| format!("(?:{t})?"));
        format!("{trunk}(?:(?:{}))", self.numbers)
    }
}

fn pattern(d: &Descriptor) -> &str {
    d.national_number().as_str()
}

/// Compiles the metadata's patterns, which are spread over lines and match ASCII digits.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).ignore_whitespace(true).unicode(false).size_limit(1 << 25).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_compiles_and_accepts_its_example() {
        for metadata in DATABASE.iter() {
            let plan = PLANS.region(metadata.id()).unwrap();
            assert!(plan.compiled().is_some(), "{}", plan.region);
            for d in [metadata.descriptors().fixed_line(), metadata.descriptors().mobile()]
                .into_iter()
                .flatten()
            {
                let example = d.example().unwrap_or_default();
                if !example.is_empty() && metadata.id() != "001" {
                    assert!(plan.national(example).is_some(), "{} {example}", plan.region);
                }
            }
        }
    }

    #[test]
    fn reads_trunk_prefixes() {
        let e164 =
            |region: &str, digits: &str| PLANS.region(region)?.national(digits).map(|n| n.e164());
        assert_eq!(e164("DE", "030901820").as_deref(), Some("+4930901820"));
        assert_eq!(e164("IT", "0612345678").as_deref(), Some("+390612345678"));
        assert_eq!(e164("AR", "0343155551212").as_deref(), Some("+5493435551212"));
        assert_eq!(e164("US", "4155550132").as_deref(), Some("+14155550132"));
        assert_eq!(e164("US", "1155550132"), None);
        assert!(matches!(PLANS.international("4930901820"), Some(Ok(_))));
        assert!(matches!(PLANS.international("19031404508"), Some(Err(_))));
        assert_eq!(PLANS.international("99912345678"), None);
    }
}
