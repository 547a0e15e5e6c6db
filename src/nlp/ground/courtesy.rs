//! Tells a sentence that only greets, thanks, regrets or closes from one that says something.
//!
//! "Sorry, gift cards can't be refunded" begins like a courtesy and is a statement, so openings prove nothing: every
//! word must be one that courtesies are made of. What is not surely a courtesy is checked as a statement.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::nlp::chunk::masked_tokens;
use crate::nlp::lexical::terms;

/// Longest courtesy, in words.
const MAX_WORDS: usize = 20;
/// Longest greeting, in words; a name may stand in it.
const MAX_GREETING_WORDS: usize = 5;

/// Words that courtesies are made of, in en, de, es, fr, it, pt, nl.
const WORDS: &str = "
hello hi hey dear good morning afternoon evening thank thanks many you your for the a an so very much again message
email e mail letter call contacting us writing to getting in touch reaching out back patience understanding kind words
feedback interest question enquiry inquiry we re are i m am sorry truly really sincerely apologise apologize apologies
our my hear about that this any inconvenience trouble problem experience delay frustration frustrating disappointment
disappointing caused has have had been understand how annoying must be is it regret hope helps best warm regards wishes
yours faithfully all nice great day week weekend welcome glad happy pleased help could enjoy appreciate lot and of sir
madam team letting know upset upsetting worry worries too with
hallo guten tag morgen abend liebe lieber sehr geehrte geehrter geehrtes damen und herren frau herr vielen herzlichen
dank danke fur ihre ihr ihren ihrer deine nachricht e mail anfrage geduld verstandnis geduldig lob freundlichen worte
ruckmeldung es tut uns mir leid das dass dies wir bedauern verstehen entschuldigen entschuldigung bitte
unannehmlichkeiten arger umstande probleme problem sie dadurch damit hatten haben arger argerlich ist wie verargert
sind mit freundlichen freundliche grussen grusse viele beste herzliche schonen schones einen ein noch gern geschehen
wir freuen freut hoffen hoffentlich hilft ihnen weiter diese auskunft die der diesen dieser dieses
hola buenos dias buenas tardes noches estimado estimada gracias muchas por su tu mensaje correo paciencia comprension
consulta lo sentimos siento mucho lamentamos las los molestias inconvenientes problema ocasionadas causadas que ha
haya tenido entendemos un saludo saludos cordial cordiales atentamente cordialmente nos alegra esperamos le ayude esto
amables palabras escribirnos contactarnos
bonjour bonsoir cher chere madame monsieur merci beaucoup pour votre vos message courriel patience comprehension
demande nous sommes je suis desole desoles desolee regrettons comprenons toutes excuses presentons les desagrements
la gene ce cet cette occasionnee occasionnes ces cordialement bien sinceres salutations vous avec plaisir ravis de le
votre bonne journee esperons que cela aide aidera mots gentils ecrit avoir
ciao salve buongiorno buonasera gentile caro cara grazie mille per il suo tuo messaggio pazienza comprensione
richiesta ci dispiace mi siamo spiacenti scusiamo scusi disagio inconveniente problema che ha avuto comprendiamo
cordiali distinti saluti saluto un lieti speriamo le sia di aiuto buona giornata averci scritto contattato
ola bom dia boa tarde noite caro cara prezado prezada obrigado obrigada muito pela pelo sua seu mensagem paciencia
compreensao contacto agradecemos pedimos desculpa desculpas lamentamos transtorno incomodo incomodos inconveniente
causado compreendemos com os melhores cumprimentos atenciosamente ficamos contentes esperamos isto ajude ter nos
escrito o a
hoi goedemorgen goedemiddag goedenavond dag beste geachte heer mevrouw bedankt dank hartelijk u je uw jouw voor het de
bericht mail vraag geduld begrip spijt ons me wat vervelend dat dit we wij begrijpen onze excuses ongemak overlast
met vriendelijke groet groeten graag gedaan fijn hopelijk helpt verder is heeft had een amable amaveis amavel desagrement diesen gentil gentili grußen hier last meegemaakt molto muita palavras parole pelas suas sue sus van woorden zeer
";

/// Words that greetings begin with; the rest of a short greeting may be a name.
const GREETINGS: &[&str] = &[
    "hello",
    "hi",
    "hey",
    "dear",
    "hallo",
    "liebe",
    "lieber",
    "sehr",
    "hola",
    "estimado",
    "estimada",
    "bonjour",
    "cher",
    "chere",
    "ciao",
    "buongiorno",
    "gentile",
    "caro",
    "cara",
    "ola",
    "prezado",
    "prezada",
    "hoi",
    "beste",
    "geachte",
    "dag",
    "guten",
    "good",
    "bom",
    "boa",
    "buenos",
    "buenas",
];

/// How regret for what the customer describes begins, as terms.
const REGRETS: &[&str] = &[
    "i am sorry",
    "i sorry",
    "we are sorry",
    "we sorry",
    "sorry to hear",
    "es tut uns leid",
    "es tut mir leid",
    "lamentamos",
    "lo sentimos",
    "nous sommes desoles",
    "je suis desole",
    "ci dispiace",
    "siamo spiacenti",
    "het spijt ons",
    "wat vervelend",
];

/// First person and what only we could do; what holds them is no mere regret. As terms.
const OURS: &[&str] = &[
    "we", "i", "will", "can", "cannot", "refund", "wir", "ich", "werden", "nosotros", "podemos",
    "vamos", "nous", "je", "noi", "possiamo", "nos", "wij", "ik", "kunnen", "zullen", "but",
    "aber", "pero", "mais", "ma", "mas", "maar",
];

/// Whether a sentence claims nothing.
#[must_use]
pub fn reads_as_courtesy(sentence: &str) -> bool {
    let bare = without_tokens(sentence);
    let words = terms(&bare);
    if words.len() > MAX_WORDS || has_figure(&bare) || bare.contains('?') {
        return false;
    }
    let greeting = words.first().is_some_and(|w| GREETINGS.contains(&w.as_str()));
    let is_known = |w: &String| known().contains(w.as_str());
    (greeting && words.len() <= MAX_GREETING_WORDS && ends_open(&bare))
        || words.iter().all(is_known)
}

/// Whether a sentence regrets what the customer has told us and adds nothing of ours: then it repeats the customer's
/// own words, which no passage can support and none need.
#[must_use]
pub fn regrets_what_was_told(sentence: &str) -> bool {
    let bare = without_tokens(sentence);
    let words = terms(&bare);
    let joined = words.join(" ");
    let Some(opening) = REGRETS.iter().find(|r| joined.starts_with(*r)) else { return false };
    let skipped = opening.split(' ').count();
    !has_figure(&bare) && !words.iter().skip(skipped).any(|w| OURS.contains(&w.as_str()))
}

fn known() -> &'static HashSet<&'static str> {
    static KNOWN: OnceLock<HashSet<&'static str>> = OnceLock::new();
    KNOWN.get_or_init(|| WORDS.split_whitespace().collect())
}

/// The sentence without placeholders: who is greeted is no claim.
fn without_tokens(sentence: &str) -> String {
    let mut bare = String::with_capacity(sentence.len());
    let mut done = 0;
    for token in masked_tokens(sentence) {
        bare.push_str(&sentence[done..token.start]);
        done = token.end;
    }
    bare.push_str(&sentence[done..]);
    bare
}

fn has_figure(text: &str) -> bool {
    text.contains("://")
        || text.contains(|c: char| c.is_numeric() || matches!(c, '@' | '€' | '$' | '£' | '%'))
}

/// A greeting ends in a comma, an exclamation mark or nothing; "Dear returns are free." is none.
fn ends_open(text: &str) -> bool {
    !text.trim_end().ends_with(['.', ':', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courtesies_in_seven_languages() {
        for s in [
            "Hello <PERSON_1>,",
            "Dear Ms Hasselbrink,",
            "Thank you for your message.",
            "I'm sorry for the trouble this has caused you.",
            "Kind regards",
            "Guten Tag,",
            "vielen Dank für Ihre Nachricht.",
            "Mit freundlichen Grüßen",
            "Lo sentimos mucho.",
            "Un saludo cordial",
            "Nous sommes désolés.",
            "Cordialement",
            "Ci dispiace per il disagio.",
            "Com os melhores cumprimentos",
            "Met vriendelijke groet",
            "Wat vervelend!",
        ] {
            assert!(reads_as_courtesy(s), "{s}");
        }
    }

    #[test]
    fn statements_that_begin_politely_are_statements() {
        for s in [
            "Sorry, gift cards can't be refunded.",
            "Thank you, we have refunded your order.",
            "Thanks, it takes 3 days.",
            "We understand, and you may keep the item.",
            "Dear returns are free.",
            "Is it good?",
            "You can return it.",
            "Vielen Dank, wir erstatten den Betrag.",
        ] {
            assert!(!reads_as_courtesy(s), "{s}");
        }
    }

    #[test]
    fn regret_repeats_the_customer_and_promises_nothing() {
        assert!(regrets_what_was_told("I'm sorry that your tent arrived with a broken pole."));
        assert!(regrets_what_was_told("Es tut uns leid, dass Ihr Zelt beschädigt angekommen ist."));
        assert!(!regrets_what_was_told(
            "I'm sorry that your tent is broken, but we will send another."
        ));
        assert!(!regrets_what_was_told("We are sorry, refunds take 14 days."));
        assert!(!regrets_what_was_told("Your tent is broken."));
    }
}
