//! Texts made to be slow to search: strangers send them. Any length; the same ones in every run.

/// What such a text is made of.
#[derive(Clone, Copy)]
pub enum Hostile {
    /// Runs of digits, from a few to a million, with what may stand inside a number between them.
    Digits,
    /// Groups of one to six digits, as in telephone and card numbers, without an end.
    Groups,
    /// Quotations in quotations, by `>` at the beginning of lines and by marks of six kinds.
    Quotes,
    /// One word: letters, digits and the marks that addresses are made of, without any space.
    OneWord,
    /// All characters of Unicode one after the other.
    Unicode,
    /// Beginnings of values of many types which never end as such a value does.
    Beginnings,
    /// Whole values and the words that announce them, one after the other: many finds, each of
    /// which has many others near.
    Values,
}

pub const ALL: [(&str, Hostile); 7] = [
    ("digits", Hostile::Digits),
    ("digit groups", Hostile::Groups),
    ("nested quotes", Hostile::Quotes),
    ("one word", Hostile::OneWord),
    ("all of Unicode", Hostile::Unicode),
    ("half values", Hostile::Beginnings),
    ("values", Hostile::Values),
];

const BEGINNINGS: &[&str] = &[
    "a@",
    "a.b@c.",
    "http://",
    "https://a@b@",
    "www.",
    "1.1.1.",
    "::1:",
    "fe80::",
    "00:1b:44:",
    "4111 1111 1111 ",
    "DE89 3704 ",
    "GB29NWBK",
    "+1 (212) ",
    "+49 30 ",
    "078-05-",
    "password is ",
    "my password: ",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "ghp_",
    "AKIA",
    "sk-",
    "eyJhbGciOi",
    "bc1q",
    "0x",
    "P.O. Box ",
    "12 Mill ",
    "Street, ",
    "born on ",
    "31/12/",
    "51.5074, ",
    "@",
    "order #",
    "VIN ",
    "card ",
    "IBAN ",
    "call ",
    "<",
    "⟦",
    "Dear Mr. ",
];

/// From the documentation of their formats; none of them is anybody's.
const VALUES: &[&str] = &[
    "card 4111 1111 1111 1111",
    "4012888888881881",
    "IBAN DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "BIC DEUTDEFF500",
    "wallet 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "VIN 1M8GDM9AXKP042788",
    "latitude 51.50735, -0.12776",
    "51.5, -0.12",
    "phone +44 20 7946 0018",
    "(212) 555-0123",
    "someone@example.com",
    "https://example.com/a?token=1234567890abcdef",
    "192.0.2.17",
    "2001:db8::17",
    "00:1b:44:11:3a:b7",
    "social security number 219-09-9999",
    "password is hunter2-Kite",
    "your code is 482913",
    "born on 29/02/1984",
    "12 Mill Lane, Bristol BS1 4DJ",
    "IMEI 490154203237518",
    "order number 4471902",
    "tracking number 1Z999AA10123456784",
    "@some_body",
];

/// At least `bytes` of it, and little more.
pub fn text(kind: Hostile, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 5000);
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut roll = move |sides: usize| {
        // Xorshift (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or_default() % sides
    };
    let mut scalars = ('\0'..=char::MAX).cycle();
    let mut lines = 0usize;
    // Runs grow tenfold and begin anew.
    let (mut run, mut longest) = (0usize, 4usize);
    while out.len() < bytes {
        match kind {
            Hostile::Digits => {
                out.push(char::from(b'0' + u8::try_from(roll(10)).unwrap_or(0)));
                run += 1;
                if run == longest {
                    out.push_str([" ", "-", ".", " (", ") ", "/", "\n", ", +"][roll(8)]);
                    longest =
                        if longest > 1_000_000 { 4 } else { longest * 10 / (1 + roll(9)) + 3 };
                    run = 0;
                }
            }
            Hostile::Groups => {
                for _ in 0..1 + roll(6) {
                    out.push(char::from(b'0' + u8::try_from(roll(10)).unwrap_or(0)));
                }
                out.push([' ', '-', ' ', '.', ' ', '/'][roll(6)]);
            }
            Hostile::Quotes => {
                lines += 1;
                let deep = lines % 500;
                out.extend(std::iter::repeat_n("> ", deep));
                out.extend((0..deep).map(|_| ['"', '\'', '“', '«', '(', '‘'][roll(6)]));
                out.push_str("On Monday somebody wrote:\n");
            }
            Hostile::OneWord => {
                const MARKS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789AEIOU@.-_+/:=%#&";
                out.push(MARKS.get(roll(MARKS.len())).copied().map_or('a', char::from));
            }
            Hostile::Unicode => out.extend(scalars.by_ref().take(1000)),
            Hostile::Beginnings => {
                let one = BEGINNINGS[roll(BEGINNINGS.len())];
                out.extend(std::iter::repeat_n(one, 1 + roll(40)));
            }
            Hostile::Values => {
                out.push_str(VALUES[roll(VALUES.len())]);
                out.push_str([" ", ", ", "\n", "; ", " / "][roll(5)]);
            }
        }
    }
    out
}
