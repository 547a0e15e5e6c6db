//! Germany.

use super::check::{
    certain, cross_weighted, digit, is_digits, likely, number, passes_icao, passes_mod_11_10,
    weighted,
};
use super::{Row, Verdict, shape};
use crate::domain::masking::Entity;

/// The serial number of documents, as it is printed: the office's four characters and five random
/// ones, with no letter that could be read as another one or spell a word.
const SERIAL: &str = "[CFGHJ-NPRTV-Z][CFGHJ-NPRTV-Z0-9]{8}";
/// The same with the check digit that stands behind it in the machine-readable zone.
const SERIAL_AND_CHECK: &str = "[CFGHJ-NPRTV-Z][CFGHJ-NPRTV-Z0-9]{8}[0-9]";

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::DE_TAX_ID, "DE", "Steueridentifikationsnummer")
        .shapes(&[
            shape("[1-9][0-9]{10}", 0.2).passed(0.3),
            shape("[1-9][0-9](?: [0-9]{3}){3}|[1-9][0-9](?:/[0-9]{3}){3}", 0.3).passed(0.6),
        ])
        .check("ISO 7064 MOD 11,10", tax_id)
        .words(
            "bzst, identifikationsnummer, idnr, persönliche identifikationsnummer, steuer id, steuer \
             identifikation, steuer idnr, steuerid, steueridentifikationsnummer, steuerliche \
             identifikation*, steuernummer, tax id, tax identification, tin",
        )
        .source("Abgabenordnung § 139b; Bundeszentralamt für Steuern, Aufbau der Identifikationsnummer"),
    Row::of(Entity::DE_TAX_NUMBER, "DE", "Steuernummer")
        .shapes(&[
            shape("(?:0[1-9]|1[0-6])[0-9]{11}", 0.2),
            shape("[0-9]{3}/[0-9]{3}/[0-9]{5}", 0.4),
            shape("[0-9]{2,3}/[0-9]{3,4}/[0-9]{4,5}", 0.2),
        ])
        .words(
            "einkommensteuer, finanzamt, gewerbesteuer, körperschaftsteuer, st nr, steuer nr, \
             steuerbescheid, steuernummer, steuernr, steuerveranlagung, umsatzsteuer",
        )
        .source("Bundeszentralamt für Steuern, Aufbau der Steuernummer; ELSTER format"),
    Row::of(Entity::DE_VAT_ID, "DE", "Umsatzsteuer-Identifikationsnummer")
        .shapes(&[
            shape("DE[0-9]{9}", 0.5).passed(1.0),
            shape("(?-i:DE)[ .-][0-9]{9}|(?-i:DE)[ .-]?[0-9]{3}[ .-]?[0-9]{3}[ .-]?[0-9]{3}", 0.3).passed(0.9),
        ])
        .check("ISO 7064 MOD 11,10", vat_id)
        .words(
            "bzst, finanzamt, mehrwertsteuer, mwst, steueridentifikation, umsatzsteuer \
             identifikationsnummer, umsatzsteuer id, umsatzsteueridentifikationsnummer, ust id, ust \
             idnr, ustid, ustidnr, vat, vat id",
        )
        .source("Umsatzsteuergesetz § 27a; European Commission, VIES, structure of VAT numbers"),
    Row::of(Entity::DE_ID_CARD, "DE", "Personalausweis")
        .shapes(&[
            shape("T[0-9]{8}", 0.3),
            shape(SERIAL, 0.05).passed(0.35),
            shape(SERIAL_AND_CHECK, 0.2).passed(0.35),
        ])
        .check("ICAO 9303", id_card)
        .words(
            "ausweis, ausweisdokument, ausweisnummer, bundespersonalausweis, dokumentennummer, identity \
             card, national id, neuer personalausweis, npa, personalausweis, personalausweisgesetz, \
             personalausweisnummer, perso, seriennummer",
        )
        .source("Personalausweisgesetz § 2; ICAO Doc 9303, part 5"),
    Row::of(Entity::DE_PASSPORT, "DE", "Reisepass")
        .shapes(&[
            shape(SERIAL, 0.05).passed(0.35),
            shape(SERIAL_AND_CHECK, 0.2).passed(0.35),
        ])
        .check("ICAO 9303", serial)
        .words(
            "ausweisdokument, bundesrepublik deutschland, dokumentennummer, mrz, pass, pass nr, \
             passnummer, passport, passport number, reisepass, reisepassnummer",
        )
        .source("Passgesetz § 4; ICAO Doc 9303, part 4"),
    Row::of(Entity::DE_SOCIAL_SECURITY, "DE", "Rentenversicherungsnummer")
        .shapes(&[
            shape("[0-9]{8}[A-Z][0-9]{3}", 0.3).passed(0.9),
            shape("[0-9]{2} [0-9]{6} [A-Z] [0-9]{3}", 0.4).passed(1.0),
        ])
        .check("date of birth and check digit", social_security)
        .words(
            "deutsche rentenversicherung, drv, rente, rentenausweis, rentenversicherung, \
             rentenversicherungsnummer, rvnr, social security, sozialversicherung, \
             sozialversicherungsausweis, sozialversicherungsnummer, sv nummer, svnr, versicherungsnummer",
        )
        .source("Verordnung über die Vergabe der Versicherungsnummer (VKVV) § 4"),
    Row::of(Entity::DE_HEALTH_INSURANCE, "DE", "Krankenversichertennummer")
        .shapes(&[shape("[A-Z][0-9]{9}", 0.2).passed(0.35)])
        .check("weights 1, 2 with cross sums", health_insurance)
        .words(
            "aok, barmer, dak, egk, elektronische gesundheitskarte, gesetzliche krankenversicherung, \
             gesundheitskarte, gkv, krankenkasse, krankenversichertennummer, krankenversicherung, \
             krankenversicherungsausweis, krankenversicherungsnummer, kvnr, tkk, versichertenausweis, \
             versichertenkarte, versichertennummer",
        )
        .source("Sozialgesetzbuch V § 290; GKV-Spitzenverband, Anlage 1"),
    Row::of(Entity::DE_KFZ, "DE", "Kfz-Kennzeichen")
        .shapes(&[shape("(?:[A-Z]|\\u{C4}|\\u{D6}|\\u{DC}|\\u{E4}|\\u{F6}|\\u{FC}){1,3}(?:[ -][A-Z]{1,2} |-[A-Z]{1,2}-)[0-9]{1,4}[EH]?", 0.2)])
        .words(
            "amtliches kennzeichen, auto, autokennzeichen, fahrzeug, fahrzeugbrief, \
             fahrzeugkennzeichen, fahrzeugschein, kennzeichen, kfz, kraftfahrzeugkennzeichen, lkw, \
             nummernschild, pkw, zulassung, zulassungsbescheinigung",
        )
        .source("Fahrzeug-Zulassungsverordnung § 9 and Anlage 1"),
    Row::of(Entity::DE_FUEHRERSCHEIN, "DE", "Führerscheinnummer")
        .shapes(&[shape("[A-Z]{2}[0-9]{8}[A-Z0-9]|[A-Z][0-9]{2}[0-9A-Z]{7}[0-9]", 0.3)])
        .check("an authority's letters and digits", fuehrerschein)
        .words(
            "dokument nr, driver license, driving licence, driving license, fahrerlaubnis, \
             fahrerlaubnisklasse, fahrerlaubnisnummer, feld, fev, führerschein, führerscheininhaber, \
             führerscheinnummer, fuehrerschein*, kba, kraftfahrt bundesamt, licence number, license number",
        )
        .source("Fahrerlaubnis-Verordnung, Anlage 8"),
    Row::of(Entity::DE_HANDELSREGISTER, "DE", "Handelsregisternummer")
        .shapes(&[shape("HR[AB][ :]{0,2}[0-9]{1,6}", 0.5)])
        .words(
            "amtsgericht, einzelkauffrau, einzelkaufmann, firma, gesellschaft, gmbh, handelsregister, \
             handelsregisterblattnummer, handelsregistereintrag, handelsregisternummer, hr nummer, hra, \
             hrb, kg, ohg, registerauszug, registergericht",
        )
        .source("Handelsregisterverordnung §§ 3, 12"),
    Row::of(Entity::DE_LANR, "DE", "Lebenslange Arztnummer")
        .shapes(&[shape("[0-9]{9}", 0.05).passed(0.15)])
        .check("weights 4, 9", lanr)
        .words(
            "arzt nr, arzt nummer, arztnummer, behandelnder arzt, facharzt, hausarzt, kassenarzt, \
             kassenärztliche vereinigung, kbv, kv nummer, lanr, lebenslange arztnummer, \
             niedergelassener arzt, rezept, verschreibung, vertragsarzt",
        )
        .source("Kassenärztliche Bundesvereinigung, Arztnummern-Richtlinie"),
    Row::of(Entity::DE_BSNR, "DE", "Betriebsstättennummer")
        .shapes(&[shape("[0-9]{9}", 0.05)])
        .check("not all zeros", |code| {
            if code.len() == 9 && number(code) > 0 { Verdict::Unknown } else { Verdict::Fails }
        })
        .words(
            "arztpraxis, behandlungsort, betriebsstätte, betriebsstätten nummer, betriebsstättennummer, \
             bsnr, hauptbetriebsstätte, kassenärztliche vereinigung, kv nummer, nebenbetriebsstätte, \
             praxis, praxisadresse, praxisnummer, praxisstandort, vertragsarztpraxis",
        )
        .source("Kassenärztliche Bundesvereinigung, Arztnummern-Richtlinie"),
    Row::of(Entity::DE_PLZ, "DE", "Postleitzahl")
        .shapes(&[shape("0[1-9][0-9]{3}|[1-9][0-9]{4}", 0.01)])
        .check("01001 to 99998", |code| match number(code) {
            1_001..=99_998 => Verdict::Unknown,
            _ => Verdict::Fails,
        })
        .words(
            "adresse, bundesland, dorf, gemeinde, hausnummer, lieferadresse, ort, plz, postanschrift, \
             postfach, postleitzahl, rechnungsadresse, stadt, strasse, straße, wohnanschrift, wohnort",
        )
        .source("Deutsche Post, Postleitdaten"),
];

/// Among the first ten digits one stands twice or three times and every other one at most once;
/// newer numbers may differ, but none has a digit four times.
fn tax_id(code: &[u8]) -> Verdict {
    if code.len() != 11 || code[0] == b'0' || !is_digits(code) || !passes_mod_11_10(code) {
        return Verdict::Fails;
    }
    let mut counts = [0; 10];
    code[..10].iter().for_each(|&b| counts[digit(b) as usize % 10] += 1);
    let repeated = counts.iter().filter(|&&n| n > 1).count();
    match counts.iter().max() {
        Some(2 | 3) if repeated == 1 => Verdict::Certain,
        Some(1..=3) => Verdict::Passes,
        _ => Verdict::Fails,
    }
}

/// The office publishes no check digit; numbers that pass the one in use everywhere are certain,
/// the others stay possible.
fn vat_id(code: &[u8]) -> Verdict {
    match code.get(2..) {
        Some(digits) if digits.len() == 9 && is_digits(digits) => likely(passes_mod_11_10(digits)),
        _ => Verdict::Fails,
    }
}

/// Cards until 2010 are a T and eight digits without a check.
fn id_card(code: &[u8]) -> Verdict {
    match code {
        [b'T', digits @ ..] if digits.len() == 8 && is_digits(digits) => Verdict::Unknown,
        _ => serial(code),
    }
}

/// Ten characters end in their check digit. Nine have none, and are many other codes as well: without
/// a letter in the office's part only if their last digit checks the others, as in many examples.
fn serial(code: &[u8]) -> Verdict {
    let mixed = code.get(1..4).is_some_and(|part| !is_digits(part))
        && code.iter().filter(|b| b.is_ascii_digit()).count() > 1;
    match code.len() {
        10 => passes_icao(code).into(),
        9 if passes_icao(code) => Verdict::Passes,
        9 if mixed => Verdict::Unknown,
        _ => Verdict::Fails,
    }
}

fn social_security(code: &[u8]) -> Verdict {
    if code.len() != 12 {
        return Verdict::Fails;
    }
    // A day above 50 tells apart people whose numbers would be equal.
    let (day, month) = (number(&code[2..4]), number(&code[4..6]));
    let dated = matches!(day, 1..=31 | 51..=81) && matches!(month, 1..=12);
    let spelled = [&code[..8], &ordinal(code[8]), &code[9..11]].concat();
    let sum = cross_weighted(&spelled, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]);
    certain(dated && sum % 10 == digit(code[11]))
}

fn health_insurance(code: &[u8]) -> Verdict {
    if code.len() != 10 {
        return Verdict::Fails;
    }
    let spelled = [&ordinal(code[0]), &code[1..9]].concat();
    let sum = cross_weighted(&spelled, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    (sum % 10 == digit(code[9])).into()
}

/// A letter as two digits, A as 01.
fn ordinal(letter: u8) -> [u8; 2] {
    let n = letter.wrapping_sub(b'A').wrapping_add(1) % 100;
    [b'0' + n / 10, b'0' + n % 10]
}

/// Two letters, eight digits and a sign; or the form with a letter, two digits, the authority's own
/// seven characters and a digit, which must hold letters and digits.
fn fuehrerschein(code: &[u8]) -> Verdict {
    let letters = code.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let usual = code.len() == 11
        && code[..2].iter().all(u8::is_ascii_alphabetic)
        && is_digits(&code[2..10]);
    let other = code.len() == 11 && letters >= 3;
    if usual || other { Verdict::Unknown } else { Verdict::Fails }
}

fn lanr(code: &[u8]) -> Verdict {
    let sum = weighted(code, &[4, 9, 4, 9, 4, 9]);
    (code.len() == 9 && (10 - sum % 10) % 10 == digit(code[6]) && number(code) > 0).into()
}
