//! How many SMS segments a text takes, which is what carriers count and charge: GSM-7 holds 160
//! septets alone and 153 each when concatenated (characters of the extension table count two),
//! anything else is UCS-2 with 70 and 67 (3GPP TS 23.038 and 23.040).

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                     ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The number of segments; 0 for an empty text.
pub fn sms(text: &str) -> u32 {
    let mut septets = 0u32;
    for c in text.chars() {
        if BASIC.contains(c) {
            septets += 1;
        } else if EXTENSION.contains(c) {
            septets += 2;
        } else {
            let units = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
            return count(units, 70, 67);
        }
    }
    count(septets, 160, 153)
}

fn count(units: u32, alone: u32, each: u32) -> u32 {
    match units {
        0 => 0,
        n if n <= alone => 1,
        n => n.div_ceil(each),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_at_every_edge() {
        for (text, want) in [
            (String::new(), 0),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
        ] {
            assert_eq!(sms(&text), want, "{} characters", text.chars().count());
        }
    }
}
