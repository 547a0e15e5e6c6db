//! Messages to a shop's support, made up from templates: the same ones in every run and on every
//! machine.
//!
//! They are as long as such messages are (484 characters on average, 150 to about 1,000) and hold
//! what fills them: order numbers, prices, times, versions, quotes, half a dozen accented letters.
//! Two in five hold one to four values that patterns find, the common ones most often. Half of them
//! end with a first name, which patterns don't look for. English, as the peers read nothing else.

/// How many there are.
pub const MESSAGES: usize = 2000;

/// The messages.
pub fn messages() -> Vec<String> {
    let mut dice = Dice(0x5EED);
    (0..MESSAGES).map(|_| message(&mut dice)).collect()
}

/// SplitMix64 (Steele, Lea and Flood 2014): made here, as the streams of a library may change.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to `sides - 1`.
    fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll() >> 33).unwrap_or_default() % sides.max(1)
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    fn chance(&mut self, per_cent: usize) -> bool {
        self.below(100) < per_cent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }

    fn digits(&mut self, how_many: usize) -> String {
        (0..how_many)
            .map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap_or(0)))
            .collect()
    }
}

const GREETINGS: &[&str] = &[
    "Hi,",
    "Hello,",
    "Hello there,",
    "Good morning,",
    "Dear support team,",
    "Hi team,",
    "Hey,",
    "To whom it may concern,",
    "Good evening, hope you are well.",
    "Hi again –",
];

const CLOSINGS: &[&str] = &[
    "Thanks",
    "Many thanks",
    "Kind regards",
    "Best",
    "Cheers",
    "Best wishes",
    "Regards",
    "Thank you in advance",
    "Yours sincerely",
];

const FIRST: &[&str] = &[
    "Maren", "Oliver", "Priya", "Tomasz", "José", "Ines", "Hannah", "Kwame", "Søren", "Aiko",
    "Declan", "Zoë", "Farid", "Lucía", "Grace", "Viktor", "Noor", "Eleanor",
];

const LAST: &[&str] = &[
    "Whitcombe",
    "Okafor",
    "Lindqvist",
    "Ferreira",
    "Novak",
    "Brandt",
    "Castellano",
    "Haddad",
    "Nakamura",
    "Pemberton",
    "Sørensen",
    "Adeyemi",
    "Rossi",
    "Kowalczyk",
];

const THINGS: &[&str] = &[
    "desk lamp",
    "rain jacket",
    "coffee grinder",
    "standing desk",
    "pair of boots",
    "blender",
    "phone case",
    "bicycle pump",
    "tent",
    "office chair",
    "kettle",
    "set of knives",
    "headphones",
    "monthly plan",
    "router",
    "backpack",
];

const CITIES: &[(&str, &str)] = &[
    ("Bristol", "BS1 4DJ"),
    ("Leeds", "LS2 7EW"),
    ("Portland, OR", "97205"),
    ("Austin, TX", "78704"),
    ("Columbus, OH", "43215"),
    ("Norwich", "NR2 1RD"),
    ("Denver, CO", "80203"),
    ("York", "YO1 7HH"),
];

const STREETS: &[&str] = &[
    "Mill Lane",
    "Harbour Road",
    "Cedar Avenue",
    "Station Street",
    "Park Drive",
    "Alder Court",
    "Church Lane",
    "Elm Street",
    "Riverside Terrace",
];

const HOSTS: &[&str] =
    &["example.com", "example.org", "mail.example.net", "post.example.co.uk", "inbox.example.io"];

/// What people write about; the marks in braces are filled in by [`filled`].
const SENTENCES: &[&str] = &[
    "I ordered a {thing} from your website {n} days ago and it still hasn't arrived.",
    "The {thing} came yesterday, but the box was torn and one of the parts is missing.",
    "My order number is {order} and the status has said \"processing\" since {day}.",
    "I was charged ${price} twice for the same {thing}, once on {day} and again the day after.",
    "Could you tell me whether it is possible to swap it for a larger size?",
    "I have tried turning it off and on again, resetting it to factory settings and updating to version {version}, and nothing helps.",
    "The app closes by itself every time I open the settings page (version {version}, both on wifi and mobile data).",
    "According to your returns page I have {n} days to send it back, is that counted from the order or from the delivery?",
    "When I try to check out with the discount code the total goes from ${price} back to ${price} without any explanation.",
    "I waited on the chat for {n} minutes and then it simply closed.",
    "It's quite frustrating, since this was meant as a birthday present for my sister.",
    "I'd like a full refund, please, not a voucher.",
    "Please cancel order #{order} if it has not been sent yet.",
    "The parcel was supposed to come between {time} and {time}, and I stayed home the whole afternoon for nothing.",
    "Your colleague told me last week that somebody would get back to me within {n} hours, but I haven't heard anything.",
    "I've been a customer for over {n} years and never had a problem before.",
    "The invoice shows ${price}, whereas the confirmation says ${price}; which one is right?",
    "Also, the manual that came with the {thing} is only in a language that I don't read.",
    "How do I change the plan from the {n}-seat tier to the {n}-seat tier without losing our data?",
    "The light on the front blinks {n} times and then stays red; error code E{n}{n}.",
    "I can't find the button that the help article mentions, maybe it was moved in the redesign?",
    "We are a small team of {n} people and everything has been down since {time} this morning.",
    "If that isn't possible, I would be fine with a replacement as long as it gets here before {day}.",
    "Everything else about the {thing} is great, by the way, and the colour is exactly as in the photo.",
    "Is there a way to see which of my past orders already include the extended warranty?",
    "I attached {n} pictures of the damage so that you can see what I mean.",
    "The seam on the left side came apart after {n} washes, even though I followed the label.",
    "Sorry for the long message, I just want to be sure that all the details are in one place.",
    "The tracking page still says \u{201c}label created\u{201d}, which is what it said on {day} too.",
    "Do you ship the {thing} to Canada, and if so, how much are customs and postage for about {n} kg?",
    "On your site it says it's \"in stock – ships in 24 h\", so I don't understand the delay.",
    "> Thank you for contacting us. Your request has been received and will be answered soon.",
    "I would also like to stop the weekly newsletter, the link at the bottom doesn't do anything.",
    "The {thing} works, but it's much louder than the {n} dB on the box.",
    "Nobody at the café next door had seen the courier either 😕.",
];

fn filled(template: &str, dice: &mut Dice) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (mark, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        match mark {
            "thing" => text.push_str(dice.pick(THINGS)),
            "order" => text.push_str(&format!("{}{}", dice.between(1, 9), dice.digits(6))),
            "n" => text.push_str(&dice.between(2, 30).to_string()),
            "price" => text.push_str(&format!("{}.{}", dice.between(8, 400), dice.digits(2))),
            "version" => {
                text.push_str(&format!("{}.{}.{}", dice.below(9), dice.below(20), dice.below(9)));
            }
            "time" => text.push_str(&format!("{}:{}0", dice.between(8, 19), dice.below(6))),
            _ => text.push_str(dice.pick(&["Monday", "Tuesday", "Thursday", "Friday", "Saturday"])),
        }
        rest = after;
    }
    text + rest
}

/// A sentence with one value that patterns find. The weights are those of a shop's inbox: addresses
/// of e-mail, telephones and postal addresses before cards, and bank numbers before the rest.
fn value(dice: &mut Dice) -> String {
    match dice.below(100) {
        0..28 => {
            let (first, last) = (ascii(dice.pick(FIRST)), ascii(dice.pick(LAST)));
            let dot = dice.pick(&[".", "_", "", "-"]);
            let (number, host) = (dice.between(1, 99), dice.pick(HOSTS));
            let template = dice.pick(&[
                "You can reach me at {}.",
                "My account is registered under {}, in case you need that.",
                "Please send the confirmation to {} instead of the old address.",
                "e-mail: {}",
            ]);
            template.replace("{}", &format!("{first}{dot}{last}{number}@{host}"))
        }
        28..50 => {
            let template = dice.pick(&[
                "My phone number is {}.",
                "Call me on {} any time after five.",
                "You can also text me: {}",
                "The courier should ring {} before coming.",
            ]);
            template.replace("{}", &telephone(dice))
        }
        50..64 => {
            let (city, code) = CITIES.get(dice.below(CITIES.len())).copied().unwrap_or_default();
            let (number, street) = (dice.between(1, 240), dice.pick(STREETS));
            let template = dice.pick(&[
                "The delivery address is {}.",
                "I have moved, so please use {} from now on.",
                "It should have gone to {}, not to my office.",
            ]);
            template.replace("{}", &format!("{number} {street}, {city} {code}"))
        }
        64..73 => card(dice),
        73..80 => account(dice),
        80..86 => {
            let (y, m, d) = (dice.between(1950, 2005), dice.between(1, 12), dice.between(1, 28));
            format!("For verification, my date of birth is {d:02}/{m:02}/{y}.")
        }
        86..91 => {
            let parts: Vec<String> = (0..4).map(|_| dice.between(1, 254).to_string()).collect();
            format!("Your page says that my address {} is blocked.", parts.join("."))
        }
        91..96 => {
            let (host, id) = (dice.pick(HOSTS), dice.digits(9));
            format!("This is the page where it fails: https://shop.{host}/orders/{id}?step=2")
        }
        96..98 => {
            let (a, b, c) =
                (dice.between(100, 660), dice.between(10, 98), dice.between(1000, 9998));
            format!("The form also wants my social security number, which is {a}-{b}-{c}.")
        }
        _ => {
            format!("My password is tulip-{}-Kite, maybe you can see why it fails.", dice.digits(3))
        }
    }
}

fn card(dice: &mut Dice) -> String {
    let brand = dice.pick(&["4", "51", "2221", "4539"]);
    let number = luhn(format!("{brand}{}", dice.digits(15 - brand.len())));
    let template = dice.pick(&[
        "It was paid with the card {}.",
        "Card: {}",
        "My card number is {}, please check.",
    ]);
    template.replace("{}", &grouped(&number, dice.pick(&[" ", "-", ""])))
}

fn account(dice: &mut Dice) -> String {
    let (country, length) = [("DE", 18), ("GB", 18), ("NL", 14), ("FR", 23)][dice.below(4)];
    let bank = if matches!(country, "GB" | "NL") { "NWBK" } else { "" };
    let account = format!("{bank}{}", dice.digits(length - bank.len()));
    let template = dice.pick(&["Please refund it to {}.", "My IBAN is {} if you need it."]);
    template.replace("{}", &grouped(&iban(country, &account), dice.pick(&[" ", ""])))
}

fn telephone(dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => format!("({}) 555-01{}", dice.pick(&["212", "415", "503", "614"]), dice.digits(2)),
        1 => format!("+1 {} 555 01{}", dice.pick(&["312", "720", "206"]), dice.digits(2)),
        2 => format!("07700 900{}", dice.digits(3)),
        3 => format!("+44 20 7946 0{}", dice.digits(3)),
        _ => format!("+49 30 23125 {}", dice.digits(3)),
    }
}

fn ascii(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .map(|c| match c {
            'é' | 'ë' => 'e',
            'í' => 'i',
            'ø' => 'o',
            c => c,
        })
        .collect()
}

/// Adds the check digit of ISO/IEC 7812-1 to a number of odd length.
fn luhn(mut number: String) -> String {
    let sum: u32 = number
        .chars()
        .filter_map(|c| c.to_digit(10))
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d })
        .sum();
    number.push_str(&((10 - sum % 10) % 10).to_string());
    number
}

/// Puts a country and check digits (ISO 13616) before an account.
fn iban(country: &str, account: &str) -> String {
    let rest = format!("{account}{country}00").chars().fold(0u32, |rest, c| {
        let value = c.to_digit(36).unwrap_or_default();
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    format!("{country}{:02}{account}", 98 - rest)
}

fn grouped(text: &str, between: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (i, c) in text.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push_str(between);
        }
        out.push(c);
    }
    out
}

fn message(dice: &mut Dice) -> String {
    // Most are short, a few long.
    let wanted = 110 + dice.below(330) + dice.below(330) * usize::from(dice.chance(60));
    let mut sentences: Vec<String> = Vec::new();
    let mut length = 0;
    let mut said = vec![false; SENTENCES.len()];
    while length < wanted {
        let which = dice.below(SENTENCES.len());
        if std::mem::replace(&mut said[which], true) {
            continue;
        }
        let sentence = filled(SENTENCES[which], dice);
        length += sentence.chars().count() + 1;
        sentences.push(sentence);
    }
    if dice.chance(40) {
        // Half of those have one value.
        let values = [1, 1, 1, 2, 2, 3, 4][dice.below(7)];
        for _ in 0..values {
            let at = dice.below(sentences.len() + 1);
            sentences.insert(at, value(dice));
        }
    }
    let mut text = String::with_capacity(wanted + 200);
    if dice.chance(80) {
        text.push_str(dice.pick(GREETINGS));
        text.push_str(dice.pick(&["\n\n", "\n", " "]));
    }
    for (i, sentence) in sentences.iter().enumerate() {
        if i > 0 {
            // A quoted line stands by itself.
            let quoted = |i: usize| sentences.get(i).is_some_and(|s| s.starts_with('>'));
            let paragraph = quoted(i) || quoted(i - 1) || dice.chance(15);
            text.push_str(if paragraph { "\n\n" } else { " " });
        }
        text.push_str(sentence);
    }
    if dice.chance(70) {
        text.push_str("\n\n");
        text.push_str(dice.pick(CLOSINGS));
        if dice.chance(70) {
            text.push_str(",\n");
            text.push_str(dice.pick(FIRST));
        }
    }
    text
}
