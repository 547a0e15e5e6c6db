//! The words that tell where a name stands and where none does, in the languages customers write
//! most: English, Spanish, French, German, Italian, Portuguese, Dutch.

use super::super::context::WordSet;

/// What introduces a name, and what must hold for the words behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// "my name is": one capitalised word will do.
    Introduction,
    /// "I am": also said of much else, so two capitalised words, and the cue not in a heading.
    Being,
    /// "Mr": a title is part of no other phrase.
    Title,
    /// "Dear": at the start of a line, the name up to punctuation or the line's end.
    Greeting,
    /// "Best regards": a name alone on the next line, or behind a comma at the end.
    Closing,
    /// "Name:": at the start of a line, the name up to its end.
    Field,
}

/// Phrases by kind, with commas between them.
static CUES: &[(Cue, &str)] = &[
    (
        Cue::Introduction,
        "my name is, my name's, my full name is, mi nombre es, me llamo, je m'appelle, \
         je m’appelle, mon nom est, ich heiße, ich heisse, mein name ist, mi chiamo, \
         il mio nome è, meu nome é, me chamo, mijn naam is, ik heet, jag heter, nazywam się",
    ),
    (Cue::Being, "i am, i'm, i’m, ich bin, soy, je suis, ik ben"),
    (
        Cue::Title,
        "mr, mrs, ms, miss, mister, dr, prof, professor, herr, herrn, frau, señor, señora, \
         señorita, monsieur, madame, mme, mlle, signor, signora, meneer, mevrouw",
    ),
    (
        Cue::Greeting,
        "dear, hi, hello, hey, good morning, good afternoon, good evening, hola, estimado, \
         estimada, querido, querida, bonjour, bonsoir, salut, cher, chère, hallo, liebe, \
         lieber, guten tag, ciao, caro, cara, olá, prezado, prezada, beste",
    ),
    (
        Cue::Closing,
        "regards, best, sincerely, yours, yours truly, yours faithfully, thanks, thank you, \
         cheers, saludos, un saludo, atentamente, gracias, cordialement, merci, grüße, grüßen, \
         grüsse, gruß, mfg, danke, saluti, grazie, atenciosamente, obrigado, obrigada, groet, \
         groeten, bedankt",
    ),
    (
        Cue::Field,
        "name, full name, first name, last name, surname, customer name, account holder, \
         cardholder, nombre, nom, nome, vorname, nachname, naam",
    ),
];

/// Capitalised words that follow a cue and are no names.
pub(super) static NOT_NAMES: WordSet = WordSet::new(
    "accountholder admin again agent all alle also amazon america american and any anybody anyone \
    apple applicant april as assistant at august australian babe bank because been before best \
    billing bonjour bot both boy boys brazilian british bro but by can canadian cardholder care \
    center centre ceo chat cheers chinese client cliente clients colegas colleague colleagues \
    community company could cto customer customers dad damen darling december department developer \
    did director do does done dude during dutch editor either email engineer english equipe equipo \
    europe european even every everybody everyone february first folks for frau french friday \
    friend friends from gentlemen german girl girls gmbh god good google great greetings group \
    guest guests guys hallo happy has have having he head hello help helpdesk her herr herren hey \
    hi hiring his hola holder holders homeowner honey hope how however hun i if in inc indian info \
    irish is it italian its january japanese july june just kind kollegen kunde kundin ladies let \
    liebe limited llc love ltd madam management manager many march mate may maybe mein meine \
    member mesdames messieurs mexican microsoft moderator mom monday more most much mum my name \
    new next no not november now october of office on once one online only or order other our out \
    over owner parent parents partner passenger paypal perhaps please polish portuguese president \
    quick regards relations representative resident russian sales saturday security see seller \
    sender sent september service señor señora señores she shop shopper should since sincerely sir \
    sirs sis so some somebody someone soon sorry spanish staff still student subscriber such \
    sunday support sure sweetie take team tenant thank thanks that the their them then there these \
    they this those though thursday to today tomorrow tonight too tous toutes traveler traveller \
    tuesday two universe unser unsere until up upon us usa user users valued vendor very via \
    voucher want was we wednesday welcome were what when where which while who why will winner \
    with world would yes yet you your yours zusammen",
);

/// Whether `word`, in lower case, is a title such as "mr".
pub(super) fn is_title(word: &str) -> bool {
    phrases().any(|(cue, title)| cue == Cue::Title && title == word)
}

/// All phrases with their kinds.
pub(super) fn phrases() -> impl Iterator<Item = (Cue, &'static str)> {
    CUES.iter().flat_map(|&(cue, list)| list.split(',').map(move |phrase| (cue, phrase.trim())))
}

/// Small words inside names.
pub(super) static PARTICLES: WordSet = WordSet::new(
    "af al av ben bin bint da dal das de del della den der di dos du e el ibn la las le los of ten \
    ter van von y zu zum zur",
);
