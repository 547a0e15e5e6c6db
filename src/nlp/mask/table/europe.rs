//! The other states of Europe but the Nordic ones, and Israel, Russia and Turkey.

use super::check::{
    certain, complement_11, digit, is_date, is_digits, is_dmy, is_uniform, is_ymd, number,
    passes_luhn, passes_mod_11_10, weighted,
};
use super::{Edges, Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::FR_NIR, "FR", "numéro de sécurité sociale")
        .shapes(&[
            shape("[12378][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{8}", 0.2).passed(0.9),
            shape(
                "[12378] [0-9]{2} [0-9]{2} (?:[0-9]{2}|2[AB]) [0-9]{3} [0-9]{3}(?: | ?/ ?)?[0-9]{2}",
                0.4,
            ),
        ])
        .check("month, 97 − n mod 97", nir)
        .words(
            "assuré social, carte vitale, insee, nir, numéro de sécu, secu, sécu, sécurité sociale, \
             securite sociale",
        )
        .source("INSEE, Numéro d'inscription au répertoire; Code de la sécurité sociale R. 115-1"),
    Row::of(Entity::NL_BSN, "NL", "burgerservicenummer")
        .shapes(&[
            shape("[0-9]{9}", 0.01).passed(0.2),
            shape("[0-9]{4}\\.[0-9]{2}\\.[0-9]{3}|[0-9]{3}[. ][0-9]{3}[. ][0-9]{3}", 0.05).passed(0.3),
        ])
        .check("eleven test", |code| {
            let sum = weighted(code, &[9, 8, 7, 6, 5, 4, 3, 2]);
            (code.len() == 9 && sum % 11 == digit(code[8]) && number(code) > 0).into()
        })
        .words("bsn, burgerservicenummer, citizen service number, sofi nummer, sofinummer")
        .source("Rijksdienst voor Identiteitsgegevens, Logisch ontwerp BRP: elfproef"),
    Row::of(Entity::BE_NATIONAL_NUMBER, "BE", "numéro national, rijksregisternummer")
        .shapes(&[
            shape("[0-9]{2}\\.[0-9]{2}\\.[0-9]{2}-[0-9]{3}[.-][0-9]{2}", 0.4),
            shape("[0-9]{11}", 0.05).passed(0.35),
            shape("[0-9]{6}[ -][0-9]{3}[ -][0-9]{2}", 0.1).passed(0.6),
        ])
        .check("date, 97 − n mod 97", belgian)
        .words(
            "insz, national number, niss, nrn, numéro national, numéro de registre national, registre \
             national, rijksregister, rijksregisternummer, rrn",
        )
        .source("Arrêté royal du 3 avril 1984, Registre national"),
    Row::of(Entity::PT_NIF, "PT", "número de identificação fiscal")
        .shapes(&[
            shape("[1-3568][0-9]{8}|9[0189][0-9]{7}|45[0-9]{7}|7[0-9]{8}", 0.01).passed(0.2),
            shape("[1-3568][0-9]{2} [0-9]{3} [0-9]{3}", 0.05).passed(0.3),
        ])
        .check("weights 9 to 2, modulus 11", |code| {
            let sum = weighted(code, &[9, 8, 7, 6, 5, 4, 3, 2]);
            let check = complement_11(sum).unwrap_or(0);
            (code.len() == 9 && check == digit(code[8])).into()
        })
        .words("contribuinte, identificação fiscal, nif, número de contribuinte, número fiscal")
        .source("Decreto-Lei 14/2013; Autoridade Tributária e Aduaneira"),
    Row::of(Entity::AT_SVNR, "AT", "Sozialversicherungsnummer")
        .shapes(&[
            shape("[1-9][0-9]{3} [0-9]{6}", 0.2).passed(0.5),
            shape("[1-9][0-9]{9}", 0.05).passed(0.35),
        ])
        .check("date, weights 3, 7, 9, 5, 8, 4, 2, 1, 6", austrian)
        .words("e card, ecard, sozialversicherung*, sv nr, sv nummer, svnr, versicherungsnummer")
        .source("Dachverband der Sozialversicherungsträger, Versicherungsnummer; ASVG § 31"),
    Row::of(Entity::CH_AHV, "CH LI", "AHV-Nummer, numéro AVS")
        .shapes(&[
            shape("756\\.[0-9]{4}\\.[0-9]{4}\\.[0-9]{2}", 0.5),
            shape("756 [0-9]{4} [0-9]{4} [0-9]{2}|756[0-9]{10}", 0.2).passed(0.8),
        ])
        .check("EAN-13", |code| {
            let sum = weighted(code, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
            certain(code.len() == 13 && sum.is_multiple_of(10))
        })
        .words("ahv, ahv nummer, avs, numero avs, numéro avs, sozialversicherung*")
        .source("Zentrale Ausgleichsstelle, AHV-Nummer; ISO/IEC 15420"),
    Row::of(Entity::IE_PPS, "IE", "Personal Public Service number")
        .shapes(&[shape("[0-9]{7}[A-W][A-IW]?", 0.1).passed(0.4)])
        .check("letter by modulus 23", irish)
        .words("personal public service, pps, pps number, ppsn")
        .source("Department of Social Protection, Personal Public Service Number"),
    Row::of(Entity::PL_PESEL, "PL", "PESEL")
        .shapes(&[shape("[0-9]{11}", 0.1).passed(0.35)])
        .edges(Edges::Digits)
        .check("date, weights 1, 3, 7, 9", pesel)
        .words("pesel*")
        .source("Ustawa o ewidencji ludności art. 15–18; Ministerstwo Cyfryzacji"),
    Row::of(Entity::PL_NIP, "PL", "NIP")
        .shapes(&[
            shape("[0-9]{3}-[0-9]{3}-[0-9]{2}-[0-9]{2}|[0-9]{3}-[0-9]{2}-[0-9]{2}-[0-9]{3}", 0.3).passed(0.9),
            shape("[0-9]{10}", 0.01).passed(0.2),
        ])
        .check("weights 6, 5, 7, 2, 3, 4, 5, 6, 7", |code| {
            let sum = weighted(code, &[6, 5, 7, 2, 3, 4, 5, 6, 7]);
            (code.len() == 10 && sum % 11 == digit(code[9]) && number(code) > 0).into()
        })
        .words("identyfikacji podatkowej, nip*, numer identyfikacji podatkowej")
        .source("Ustawa o zasadach ewidencji i identyfikacji podatników art. 5"),
    Row::of(Entity::CZ_BIRTH_NUMBER, "CZ SK", "rodné číslo")
        .shapes(&[
            shape("[0-9]{6}/[0-9]{3,4}", 0.2).passed(0.9),
            shape("[0-9]{9,10}", 0.01).passed(0.2),
        ])
        .check("date, multiple of 11", birth_number)
        .words("birth number, r č, rodné číslo, rodne cislo, rč")
        .source("Zákon č. 133/2000 Sb. § 13"),
    Row::of(Entity::RO_CNP, "RO", "cod numeric personal")
        .shapes(&[shape("[1-9][0-9]{12}", 0.05).passed(0.5)])
        .check("date, weights 279146358279", cnp)
        .words("cnp, cod numeric, cod numeric personal, cnp ul*")
        .source("Ordonanța de urgență 97/2005; Hotărârea 1375/2006"),
    Row::of(Entity::BG_EGN, "BG", "ЕГН")
        .shapes(&[shape("[0-9]{10}", 0.01).passed(0.3)])
        .check("date, weights 2, 4, 8, 5, 10, 9, 7, 3, 6", egn)
        .words("egn, единен граждански номер, егн")
        .source("ГД ГРАО, Единен граждански номер"),
    Row::of(Entity::HR_OIB, "HR", "osobni identifikacijski broj")
        .shapes(&[shape("[0-9]{11}", 0.01).passed(0.2)])
        .check("ISO 7064 MOD 11,10", |code| {
            (code.len() == 11 && passes_mod_11_10(code) && number(code) > 0).into()
        })
        .words("identifikacijski broj, oib*, osobni identifikacijski broj")
        .source("Zakon o osobnom identifikacijskom broju"),
    Row::of(Entity::EE_LT_PERSONAL_CODE, "EE LT", "isikukood, asmens kodas")
        .shapes(&[shape("[1-8][0-9]{10}", 0.01).passed(0.35)])
        .check("date, modulus 11 in two rounds", baltic)
        .words("asmens kod*, id code, isikukood*, personal code")
        .source("EVS 585:2007, Isikukood; Lietuvos Respublikos gyventojų registras"),
    Row::of(Entity::GR_AMKA, "GR", "ΑΜΚΑ")
        .shapes(&[shape("[0-9]{11}", 0.01).passed(0.35)])
        .check("date, Luhn", |code| {
            (code.len() == 11 && is_dmy(&code[..6]) && passes_luhn(code)).into()
        })
        .words("amka, αμκα, μητρώο κοινωνικής ασφάλισης")
        .source("ΗΔΙΚΑ, Αριθμός Μητρώου Κοινωνικής Ασφάλισης"),
    Row::of(Entity::TR_NATIONAL_ID, "TR", "T.C. Kimlik No")
        .shapes(&[shape("[1-9][0-9]{10}", 0.1).passed(0.35)])
        .check("two check digits", turkish)
        .words(
            "kimlik, kimlik no, kimlik numara*, national id, nüfus cüzdanı, t c no, tc kimlik, tc no, \
             tckn, turkish id, türk kimlik",
        )
        .source("Nüfus ve Vatandaşlık İşleri Genel Müdürlüğü, T.C. Kimlik Numarası"),
    Row::of(Entity::TR_LICENSE_PLATE, "TR", "plaka")
        .shapes(&[shape(
            "(?:0[1-9]|[1-7][0-9]|8[01])(?: ?[A-PR-VYZ]{1,3} ?|-[A-PR-VYZ]{1,3}-)[0-9]{2,4}",
            0.15,
        )
        .passed(0.15)])
        .check("province 01 to 81", |code| {
            matches!(code.get(..2).map(number), Some(1..=81)).into()
        })
        .words(
            "araç, araç plakası, kayıt, license plate, number plate, plaka*, plate, taşıt plakası",
        )
        .source("Karayolları Trafik Kanunu madde 23; Karayolları Trafik Yönetmeliği"),
    Row::of(Entity::TR_PHONE_NUMBER, "TR", "telefon")
        .shapes(&[shape(
            "(?:(?:00)?90[ -]?|0[ -]?)?\\(?[2-5][0-9]{2}\\)?[ .-]?[0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{2}",
            0.4,
        )])
        .check("trunk prefix or area", |code| {
            matches!(code.len(), 10..=14).into()
        })
        .words("ara, cep, gsm, mobil, phone, tel, telefon*")
        .telephone()
        .source("Bilgi Teknolojileri ve İletişim Kurumu, Numaralandırma"),
    Row::of(Entity::IL_ID_NUMBER, "IL", "Teudat Zehut")
        .shapes(&[shape("[0-9]{9}|[0-9]{8}-[0-9]", 0.01).passed(0.15)])
        .check("Luhn", |code| (passes_luhn(code) && !is_uniform(code)).into())
        .words("israeli id, teudat zehut, zehut, מספר זהות, ת ז, תעודת זהות")
        .source("Population and Immigration Authority, identity number"),
    Row::of(Entity::RU_INN, "RU", "ИНН")
        .shapes(&[shape("[0-9]{10}|[0-9]{12}", 0.01).passed(0.2)])
        .check("weights by the tax service", inn)
        .words("inn, идентификационный номер налогоплательщика, инн")
        .source("Приказ ФНС России ММВ-7-6/435"),
    Row::of(Entity::RU_SNILS, "RU", "СНИЛС")
        .shapes(&[
            shape("[0-9]{3}-[0-9]{3}-[0-9]{3}[ -][0-9]{2}", 0.3).passed(0.9),
            shape("[0-9]{11}", 0.01).passed(0.2),
        ])
        .check("weights 9 to 1, modulus 101", |code| {
            let sum = weighted(code, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
            let fits = code.len() == 11 && u64::from(sum) == number(&code[9..]);
            (fits && number(code) > 0).into()
        })
        .words("snils, снилс, страховой номер")
        .source("Социальный фонд России, СНИЛС"),
];

/// Corsica's departments 2A and 2B count as 19 and 18; months above 20 are of unknown births.
fn nir(code: &[u8]) -> Verdict {
    if code.len() != 15 {
        return Verdict::Fails;
    }
    let month = number(&code[3..5]);
    let digits: Vec<u8> = match &code[5..7] {
        b"2A" => [&code[..5], b"19", &code[7..13]].concat(),
        b"2B" => [&code[..5], b"18", &code[7..13]].concat(),
        _ => code[..13].to_vec(),
    };
    let dated = matches!(month, 1..=12 | 20..=42 | 50..=99);
    certain(dated && is_digits(&digits) && 97 - number(&digits) % 97 == number(&code[13..]))
}

/// Births from 2000 on count with a 2 in front; month or day may be unknown, and foreigners' months
/// are raised by 20 or 40.
fn belgian(code: &[u8]) -> Verdict {
    if code.len() != 11 {
        return Verdict::Fails;
    }
    let (month, day) = (number(&code[2..4]) % 20, number(&code[4..6]));
    let check = number(&code[9..]);
    let fits = |n: u64| 97 - n % 97 == check;
    let body = number(&code[..9]);
    (month <= 12 && day <= 31 && (fits(body) || fits(2_000_000_000 + body)) && body > 0).into()
}

/// The date may have a month above 12 where the day's numbers ran out.
fn austrian(code: &[u8]) -> Verdict {
    if code.len() != 10 {
        return Verdict::Fails;
    }
    let sum = weighted(code, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let (day, month) = (number(&code[4..6]), number(&code[6..8]));
    let dated = matches!(day, 1..=31) && matches!(month, 1..=15);
    (dated && sum % 11 == digit(code[3])).into()
}

/// A second letter counts nine times; W counts nothing.
pub(super) fn irish(code: &[u8]) -> Verdict {
    let (Some(digits), Some(&first)) = (code.get(..7), code.get(7)) else { return Verdict::Fails };
    let value = |b: u8| u32::from(b.wrapping_sub(b'A')) % 26 + 1;
    let second = code.get(8).map_or(0, |&b| if b == b'W' { 0 } else { value(b) * 9 });
    let sum = (weighted(digits, &[8, 7, 6, 5, 4, 3, 2]) + second) % 23;
    let expected = if sum == 0 { 23 } else { sum };
    (is_digits(digits) && value(first) == expected && number(digits) > 0).into()
}

/// Centuries other than the twentieth raise the month by 20, 40, 60 or 80.
fn pesel(code: &[u8]) -> Verdict {
    if code.len() != 11 {
        return Verdict::Fails;
    }
    let sum = weighted(code, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    let (year, month, day) = (number(&code[..2]), number(&code[2..4]) % 20, number(&code[4..6]));
    let dated = is_date(year, month, day);
    (dated && sum.is_multiple_of(10)).into()
}

/// Women's months are raised by 50, and both by 20 more where a day's numbers ran out. Nine digits
/// were given out until 1953, without a check.
fn birth_number(code: &[u8]) -> Verdict {
    if !matches!(code.len(), 9 | 10) {
        return Verdict::Fails;
    }
    let month = match number(&code[2..4]) {
        m @ 71..=82 => m - 70,
        m @ 51..=62 => m - 50,
        m @ 21..=32 => m - 20,
        m => m,
    };
    let dated = is_date(number(&code[..2]), month, number(&code[4..6]));
    match code.len() {
        10 => {
            let body = number(&code[..9]);
            let fits = number(code).is_multiple_of(11) || body % 11 == 10 && code[9] == b'0';
            (dated && fits).into()
        }
        _ if dated && number(&code[..2]) <= 53 => Verdict::Unknown,
        _ => Verdict::Fails,
    }
}

fn cnp(code: &[u8]) -> Verdict {
    if code.len() != 13 {
        return Verdict::Fails;
    }
    let check = match weighted(code, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        d => d,
    };
    let county = number(&code[7..9]);
    let placed = matches!(county, 1..=48 | 51 | 52 | 70 | 80..=83);
    (is_ymd(&code[1..7]) && placed && check == digit(code[12])).into()
}

/// Births before 1900 raise the month by 20, those from 2000 on by 40.
fn egn(code: &[u8]) -> Verdict {
    if code.len() != 10 {
        return Verdict::Fails;
    }
    let month = match number(&code[2..4]) {
        m @ 21..=32 => m - 20,
        m @ 41..=52 => m - 40,
        m => m,
    };
    let sum = weighted(code, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    let dated = is_date(number(&code[..2]), month, number(&code[4..6]));
    (dated && sum == digit(code[9])).into()
}

fn baltic(code: &[u8]) -> Verdict {
    if code.len() != 11 || !is_ymd(&code[1..7]) {
        return Verdict::Fails;
    }
    let round = |weights: [u32; 10]| weighted(code, &weights) % 11;
    let check = match round([1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) {
        10 => round([3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 10,
        d => d,
    };
    (check == digit(code[10])).into()
}

fn turkish(code: &[u8]) -> Verdict {
    if code.len() != 11 || code[0] == b'0' || !is_digits(code) {
        return Verdict::Fails;
    }
    let odd = weighted(code, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(code, &[0, 1, 0, 1, 0, 1, 0, 1]);
    // Sums of digits: seven times the odd ones is kept positive by a multiple of ten.
    let tenth = (odd * 7 + 100 - even) % 10;
    let eleventh = (odd + even + digit(code[9])) % 10;
    (tenth == digit(code[9]) && eleventh == digit(code[10])).into()
}

fn inn(code: &[u8]) -> Verdict {
    let check = |weights: &[u32]| weighted(code, weights) % 11 % 10;
    match code.len() {
        10 => (check(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) == digit(code[9])).into(),
        12 => {
            let first = check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == digit(code[10]);
            let second = check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == digit(code[11]);
            (first && second).into()
        }
        _ => Verdict::Fails,
    }
}
