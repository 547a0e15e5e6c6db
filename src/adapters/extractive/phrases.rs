//! What a reply says besides facts: greetings, thanks, regret, closings. They claim and promise nothing; a test holds
//! each against the list of words that courtesies are made of.

use crate::domain::draft::Tone;
use crate::domain::triage::LanguageCode;

/// The courtesies of one language. `{}` stands for the customer's name.
#[derive(Debug)]
pub(super) struct Phrases {
    pub(super) greeting: &'static str,
    pub(super) greeting_named: &'static str,
    pub(super) chat_greeting: &'static str,
    /// By tone: neutral, friendly, empathetic, apologetic.
    openings: [&'static str; 4],
    /// For a message that only thanks or praises.
    pub(super) welcome: &'static str,
    pub(super) closing: &'static str,
}

impl Phrases {
    /// The sentence that takes up how the customer feels.
    pub(super) fn opening(&self, tone: Tone) -> &'static str {
        match tone {
            Tone::Neutral => self.openings[0],
            Tone::Friendly => self.openings[1],
            Tone::Empathetic => self.openings[2],
            Tone::Apologetic => self.openings[3],
        }
    }
}

/// A language's courtesies and its code; English where we have none.
pub(super) fn of(language: LanguageCode) -> (LanguageCode, &'static Phrases) {
    let found = ALL.iter().find(|(code, _)| *code == language.as_str());
    found.map_or((LanguageCode::EN, &ENGLISH), |(_, phrases)| (language, phrases))
}

static ALL: [(&str, &Phrases); 7] = [
    ("en", &ENGLISH),
    ("de", &GERMAN),
    ("es", &SPANISH),
    ("fr", &FRENCH),
    ("it", &ITALIAN),
    ("pt", &PORTUGUESE),
    ("nl", &DUTCH),
];

static ENGLISH: Phrases = Phrases {
    greeting: "Hello,",
    greeting_named: "Hello {},",
    chat_greeting: "Hello!",
    openings: [
        "Thank you for your message.",
        "Thank you very much for your kind message.",
        "We are sorry for the trouble.",
        "We are very sorry about this experience.",
    ],
    welcome: "Thank you very much for your kind words.",
    closing: "Kind regards",
};

static GERMAN: Phrases = Phrases {
    greeting: "Guten Tag,",
    greeting_named: "Guten Tag {},",
    chat_greeting: "Hallo!",
    openings: [
        "vielen Dank für Ihre Nachricht.",
        "herzlichen Dank für Ihre freundliche Nachricht.",
        "es tut uns leid, dass Sie Ärger hatten.",
        "es tut uns sehr leid, dass Sie diesen Ärger haben.",
    ],
    welcome: "vielen Dank für Ihre freundlichen Worte.",
    closing: "Mit freundlichen Grüßen",
};

static SPANISH: Phrases = Phrases {
    greeting: "Hola:",
    greeting_named: "Hola, {}:",
    chat_greeting: "¡Hola!",
    openings: [
        "Gracias por su mensaje.",
        "Muchas gracias por su amable mensaje.",
        "Lamentamos las molestias.",
        "Lamentamos mucho las molestias ocasionadas.",
    ],
    welcome: "Muchas gracias por sus amables palabras.",
    closing: "Un cordial saludo",
};

static FRENCH: Phrases = Phrases {
    greeting: "Bonjour,",
    greeting_named: "Bonjour {},",
    chat_greeting: "Bonjour !",
    openings: [
        "Merci pour votre message.",
        "Merci beaucoup pour votre gentil message.",
        "Nous sommes désolés pour ce désagrément.",
        "Nous vous présentons toutes nos excuses pour ce désagrément.",
    ],
    welcome: "Merci beaucoup pour vos mots gentils.",
    closing: "Bien cordialement",
};

static ITALIAN: Phrases = Phrases {
    greeting: "Buongiorno,",
    greeting_named: "Buongiorno {},",
    chat_greeting: "Buongiorno!",
    openings: [
        "grazie per il suo messaggio.",
        "grazie mille per il suo gentile messaggio.",
        "ci dispiace per il disagio.",
        "siamo molto spiacenti per il disagio.",
    ],
    welcome: "grazie mille per le sue gentili parole.",
    closing: "Cordiali saluti",
};

static PORTUGUESE: Phrases = Phrases {
    greeting: "Olá,",
    greeting_named: "Olá, {},",
    chat_greeting: "Olá!",
    openings: [
        "Obrigado pela sua mensagem.",
        "Muito obrigado pela sua amável mensagem.",
        "Lamentamos o incómodo.",
        "Pedimos muita desculpa pelo incómodo causado.",
    ],
    welcome: "Muito obrigado pelas suas amáveis palavras.",
    closing: "Com os melhores cumprimentos",
};

static DUTCH: Phrases = Phrases {
    greeting: "Hallo,",
    greeting_named: "Beste {},",
    chat_greeting: "Hallo!",
    openings: [
        "bedankt voor uw bericht.",
        "hartelijk dank voor uw vriendelijke bericht.",
        "het spijt ons dat u hier last van heeft.",
        "het spijt ons zeer dat u dit heeft meegemaakt.",
    ],
    welcome: "hartelijk dank voor uw vriendelijke woorden.",
    closing: "Met vriendelijke groet",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::ground::reads_as_courtesy;

    #[test]
    fn no_phrase_claims_anything() {
        for (code, p) in ALL {
            let named = p.greeting_named.replace("{}", "<PERSON_1>");
            let fixed = [p.greeting, &named, p.chat_greeting, p.welcome, p.closing];
            for phrase in fixed.into_iter().chain(p.openings) {
                assert!(reads_as_courtesy(phrase), "{code}: {phrase}");
            }
        }
    }

    #[test]
    fn unknown_languages_get_english() {
        assert_eq!(of("ja".parse().unwrap()).0, LanguageCode::EN);
        assert_eq!(of("de".parse().unwrap()).1.closing, "Mit freundlichen Grüßen");
    }
}
