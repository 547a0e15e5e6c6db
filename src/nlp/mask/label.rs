//! Words that announce a value: "my password is …", "geboren am …", "nº de pedido: …".
//!
//! One automaton reads a text once for all recognizers that live by such words; a text without any
//! costs that one pass. The words are those of eleven languages. What a label announces is looked
//! for a few words further on, behind a sign or a verb.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::context::WordSet;

/// What a label announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Password,
    /// Short forms such as `pw`, which are labels only before a sign.
    PasswordShort,
    /// A number of a few digits that is kept secret: PIN, card verification value.
    Pin,
    /// A one-time code.
    Code,
    /// The word "code" with its owner, which may be anything in fewer than four digits.
    CodeOfSomebody,
    /// A key, token or secret of a programming interface.
    Key,
    Birth,
    Username,
    Plate,
    Vehicle,
    Serial,
    Imei,
    Order,
    Customer,
    Tracking,
    Postcode,
    Coordinates,
    Wallet,
    /// A place follows: "live in", "komme aus".
    Lives,
    /// Two streets follow.
    Corner,
}

/// A label in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) topic: Topic,
    /// Bytes of the folded text.
    pub(super) range: Range<usize>,
}

/// The labels by topic, in lower case, with `|` between them.
const WORDS: [(Topic, &str); 20] = [
    (Topic::Corner, "corner of"),
    (
        Topic::Lives,
        "live in|lives in|living in|lived in|moved here from|moved to|move to|moving to|moved from|i'm from|i am from|i’m from|\
         he is from|she is from|we are from|originally from|grew up in|raised in|based in|located in|\
         resident of|residing in|flew to|fly to|flying to|flight to|travel to|travelling to|traveling to|traveled to|\
         travelled to|trip to|arrived at|arrived in|returned to|home city|hometown of|my home town is|wohne in|wohnt in|\
         wohnen in|komme aus|kommt aus|gezogen nach|ziehe nach|habite à|habitons à|viens de|vivo en|\
         vivimos en|soy de|abito a|vivo a|moro em|sou de|woon in|kom uit|bor i|mieszkam w|asun",
    ),
    (
        Topic::Password,
        "password|passwords|passwd|passphrase|wifi key|wi-fi key|network key|passwort|passwörter|kennwort|\
         wlan-schlüssel|netzwerkschlüssel|mot de passe|mots de passe|contraseña|contrasena|\
         contraseñas|clave|clave de acceso|senha|palavra-passe|palavra passe|parola d'ordine|\
         wachtwoord|lösenord|losenord|lösenordet|adgangskode|adgangskoden|kodeord|kodeordet|\
         passord|passordet|hasło|haslo|hasłem|salasana|salasanani",
    ),
    (Topic::PasswordShort, "pw|pwd|pass|pswd|mdp|hasl|pword"),
    (
        Topic::Pin,
        "pin|pin code|pin-code|pincode|pin number|code pin|código pin|codigo pin|codice pin|\
         geheimzahl|pinkod|pin-kod|pinkoden|pinkode|pin-kode|kod pin|pin-koodi|cvv|cvc|cvv2|cvc2|\
         card verification value|kartenprüfnummer|prüfziffer der karte|cryptogramme|\
         cryptogramme visuel|código cvv|codice cvv",
    ),
    (
        Topic::Code,
        "verification code|one-time code|one time code|one-time password|one time password|\
         one-time passcode|onetime code|otp|otp code|passcode|security code|login code|sign-in code|\
         log-in code|access code|2fa code|2fa|mfa code|authentication code|auth code|authorization code|sms code|\
         activation code|confirmation code|recovery code|backup code|reset code|unlock code|\
         authenticator code|bestätigungscode|verifizierungscode|sicherheitscode|einmalcode|\
         einmalpasswort|einmalkennwort|freischaltcode|aktivierungscode|anmeldecode|zugangscode|sms-code|\
         sms-tan|mtan|tan|code de vérification|code de verification|code de validation|\
         code de sécurité|code de confirmation|code d'activation|code à usage unique|code sms|\
         code de connexion|code d'accès|código de verificación|codigo de verificacion|\
         código de seguridad|código de confirmación|código de acceso|código de un solo uso|\
         código de activación|código sms|código de verificação|código de segurança|\
         código de confirmação|código de acesso|código de ativação|codice di verifica|\
         codice di sicurezza|codice di conferma|codice di accesso|codice di attivazione|codice otp|\
         codice sms|verificatiecode|beveiligingscode|bevestigingscode|activeringscode|inlogcode|\
         toegangscode|eenmalige code|verifieringskod|verifieringskoden|säkerhetskod|engångskod|\
         engångskoden|bekräftelsekod|aktiveringskod|sms-kod|bekræftelseskode|engangskode|\
         engangskoden|sikkerhedskode|bekreftelseskode|sikkerhetskode|engangspassord|sms-kode|\
         kod weryfikacyjny|kod autoryzacyjny|kod sms|kod jednorazowy|kod aktywacyjny|\
         kod bezpieczeństwa|vahvistuskoodi|kertakäyttökoodi|turvakoodi|kertakäyttösalasana",
    ),
    (
        Topic::CodeOfSomebody,
        "your code|my code|the code|this code|login with code|ihr code|dein code|mein code|der code|den code|votre code|mon code|le code|\
         ton code|tu código|su código|mi código|el código|tu codigo|el codigo|seu código|\
         o código|meu código|teu código|il tuo codice|il suo codice|il mio codice|il codice|\
         uw code|je code|jouw code|mijn code|de code|din kod|koden|min kod|din kode|min kode|\
         twój kod|mój kod|kod to|koodisi|koodi on",
    ),
    (
        Topic::Key,
        "api key|api keys|api_key|apikey|api-key|x-api-key|api secret|api_secret|api token|api_token|\
         api-token|access token|access_token|accesstoken|access-token|access key|access_key|\
         secret_access_key|secret access key|auth token|auth_token|authtoken|auth-token|\
         refresh token|refresh_token|id_token|session token|session_token|session id|sessionid|session_id|jsessionid|phpsessid|\
         bearer|authorization|secret key|secret_key|secretkey|secret-key|client secret|\
         client_secret|client-secret|private key|private_key|privatekey|signing secret|\
         webhook secret|webhook_secret|encryption key|encryption_key|token|token id|secret|jwt|credential|credentials|\
         signature|x-amz-signature|reset_token|accountkey|sharedaccesskey|sig|api-schlüssel|\
         zugriffstoken|zugangstoken|geheimer schlüssel|clé api|clé d'api|clé secrète|\
         jeton|jeton d'accès|clave api|clave de api|clave secreta|chave api|chave de api|chave da api|\
         chave secreta|chiave api|chiave segreta|api-sleutel|geheime sleutel|api-nyckel|\
         api-nøgle|api-nøkkel|klucz api|klucz prywatny|api-avain",
    ),
    (
        Topic::Birth,
        "date of birth|birth date|birthdate|d.o.b|d.o.b.|dob|born on|born|birthday|day of birth|\
         geburtsdatum|geburtstag|geboren am|geboren|geb.|geb. am|date de naissance|né le|née le|né|née|né à|née à|\
         né(e) le|ne le|nee le|fecha de nacimiento|fecha nacimiento|f. nacimiento|nací el|naci el|nacido el|nacida el|\
         nacido|nacida|data de nascimento|nasci em|nasci a|nasci no dia|nascido em|nascida em|nascido a|nascida a|nascimento|\
         data di nascita|nato il|nata il|nato a|nata a|nato/a il|geboortedatum|geboren op|födelsedatum|född den|född|\
         födelsedag|fødselsdato|fødselsdag|født den|født|data urodzenia|urodzony|urodzona|\
         urodziłem się|urodziłam się|ur.|syntymäaika|syntynyt|syntymäpäivä|doğum tarihi",
    ),
    (
        Topic::Username,
        "username|user name|user-name|user id|userid|user_id|login name|loginname|login id|account name|\
         screen name|gamertag|gamer tag|nickname|user handle|handle|login|instagram|insta|twitter|\
         telegram|skype|discord|snapchat|tiktok|github|benutzername|nutzername|benutzerkennung|\
         anmeldename|nom d'utilisateur|identifiant|pseudo|nombre de usuario|usuario|\
         nome de usuário|nome de utilizador|usuário|utilizador|nome utente|utente|gebruikersnaam|\
         accountnaam|användarnamn|brugernavn|brukernavn|nazwa użytkownika|login użytkownika|\
         käyttäjätunnus|käyttäjänimi|account",
    ),
    (
        Topic::Plate,
        "license plate|licence plate|license plate number|licence plate number|number plate|plate number|\
         car registration|vehicle registration|registration plate|registration number|reg number|\
         reg plate|plates|plate|license no|kennzeichen|autokennzeichen|kfz-kennzeichen|amtliches kennzeichen|\
         nummernschild|immatriculation|plaque d'immatriculation|immatriculée|immatriculé|\
         numéro d'immatriculation|plaque|matrícula|matricula|placa|placas|targa|targata|targato|\
         kenteken|nummerplaat|registreringsnummer|regnummer|reg.nr|reg. nr|registreringsnumret|\
         registreringsskylt|nummerplade|registrering|numer rejestracyjny|nr rejestracyjny|\
         tablica rejestracyjna|rejestracja|rekisterinumero|rekisteritunnus|rekkari|skiltnummer|plaka",
    ),
    (
        Topic::Vehicle,
        "vin|vin number|vin code|vehicle identification number|vehicle id|chassis number|chassis no|frame number|\
         fahrgestellnummer|fahrgestellnr|fin|fahrzeug-identifizierungsnummer|\
         fahrzeugidentifikationsnummer|numéro de châssis|numéro de série du véhicule|\
         número de bastidor|bastidor|número do chassi|chassi|número de chassis|numero di telaio|telaio|chassisnummer|\
         stelnummer|understellsnummer|numer vin|numer nadwozia|alustanumero|valmistenumero",
    ),
    (
        Topic::Serial,
        "serial number|serial no|serial no.|serial|serial #|s/n|serial code|device id|device-id|device_id|device number|\
         udid|android id|machine id|hardware id|iccid|sim card number|sim number|meid|seriennummer|serien-nr|\
         seriennr|gerätenummer|geräte-id|gerätekennung|numéro de série|numero de serie|n° de série|\
         no de série|identifiant de l'appareil|número de serie|nº de serie|n.º de serie|id del dispositivo|número de série|\
         nº de série|id do dispositivo|numero di serie|numero seriale|matricola|seriale|serienummer|serienr|\
         apparaat-id|serienumret|enhets-id|enheds-id|numer seryjny|nr seryjny|\
         identyfikator urządzenia|sarjanumero|laitetunnus",
    ),
    (
        Topic::Imei,
        "imei|imei number|imei no|imei-nummer|imei1|imei2|imei 1|imei 2|imei code|numéro imei|código imei|codice imei",
    ),
    (
        Topic::Order,
        "order|orders|order number|order no|order no.|order id|order ref|order reference|purchase order|po number|invoice|\
         invoice number|invoice no|invoice no.|invoice id|ticket|ticket number|ticket id|ticket no|case|case number|case id|\
         case no|case ref|support ticket|reference|reference number|ref number|ref no|ref|ref.|\
         booking|booking number|booking reference|booking id|booking ref|reservation|reservation number|transaction id|transaction number|\
         transaction|confirmation number|receipt number|claim number|rma|rma number|return number|request id|quote number|\
         bestellung|bestellnummer|bestell-nr|bestellnr|bestell-nr.|auftrag|auftragsnummer|auftrags-nr|rechnung|\
         rechnungsnummer|rechnungs-nr|rechnungsnr|vorgangsnummer|ticketnummer|buchung|buchungsnummer|\
         reservierungsnummer|transaktionsnummer|aktenzeichen|referenznummer|commande|numéro de commande|n° de commande|facture|\
         numéro de facture|n° de facture|dossier|numéro de dossier|référence|réservation|\
         numéro de réservation|pedido|número de pedido|nº de pedido|n.º de pedido|factura|número de factura|\
         nº de factura|reserva|número de reserva|referencia|encomenda|número da encomenda|\
         número do pedido|fatura|número da fatura|nota fiscal|referência|protocolo|ordine|numero ordine|numero d'ordine|\
         numero di ordine|n. ordine|fattura|numero fattura|numero di fattura|pratica|prenotazione|numero di prenotazione|\
         bestelling|bestelnummer|ordernummer|factuur|factuurnummer|boeking|boekingsnummer|reservering|\
         reserveringsnummer|beställning|beställningsnummer|ordernumret|faktura|fakturanummer|\
         bokning|bokningsnummer|ärendenummer|ärende|bestilling|bestillingsnummer|ordrenummer|ordre|sagsnummer|\
         saksnummer|bookingnummer|bestillingsnr|zamówienie|zamówienia|numer zamówienia|nr zamówienia|faktury|numer faktury|\
         rezerwacja|numer rezerwacji|zgłoszenie|numer zgłoszenia|tilaus|tilausnumero|tilausnumeroni|lasku|laskun numero|\
         varausnumero",
    ),
    (
        Topic::Customer,
        "customer number|customer no|customer no.|customer id|client number|client id|member number|membership number|\
         member id|membership id|account id|contract number|contract no|subscriber number|subscription id|loyalty number|frequent flyer number|\
         frequent flyer|policy number|policy no|patient number|student number|employee number|employee id|user number|kundennummer|\
         kunden-nr|kundennr|kunden-nr.|kd-nr|kd.-nr.|mitgliedsnummer|mitglieds-nr|vertragsnummer|vertragskonto|versicherungsnummer der police|\
         numéro client|numéro de client|n° client|n° de client|numéro d'abonné|numéro de contrat|\
         numéro d'adhérent|número de cliente|nº de cliente|n.º de cliente|número de socio|\
         número de contrato|número de póliza|número do cliente|código de cliente|código do cliente|número de sócio|número do contrato|numero cliente|\
         codice cliente|numero di cliente|numero contratto|numero di contratto|numero tessera|klantnummer|klantnr|\
         lidmaatschapsnummer|lidnummer|contractnummer|kundnummer|kundnr|medlemsnummer|avtalsnummer|\
         kundenummer|kundenr|medlemsnr|aftalenummer|avtalenummer|numer klienta|nr klienta|numer umowy|\
         numer członkowski|asiakasnumero|jäsennumero|sopimusnumero",
    ),
    (
        Topic::Tracking,
        "tracking|tracking number|tracking no|tracking no.|tracking code|tracking id|tracking #|track number|shipment number|\
         shipment id|shipment|parcel number|package number|parcel|package|consignment number|consignment|waybill|air waybill|awb|\
         ups|fedex|usps|dhl|royal mail|sendungsnummer|sendungs-nr|sendungsverfolgung|\
         sendungsverfolgungsnummer|paketnummer|trackingnummer|tracking-nummer|trackingcode|frachtbrief|numéro de suivi|\
         n° de suivi|numéro de colis|suivi|colis|número de seguimiento|nº de seguimiento|código de seguimiento|\
         número de envío|localizador|número de rastreio|código de rastreio|código de rastreamento|\
         rastreamento|numero di tracciamento|codice di tracciamento|numero di spedizione|spedizione|tracking-code|\
         volgnummer|track-and-trace|track & trace|trackingnummer|zendingsnummer|barcode|kollinummer|\
         spårningsnummer|försändelsenummer|kolli-id|sändningsnummer|sporingsnummer|pakkenummer|\
         forsendelsesnummer|numer przesyłki|nr przesyłki|numer listu|lähetystunnus|seurantakoodi|\
         seurantanumero",
    ),
    (
        Topic::Postcode,
        "zip|zip code|zipcode|zip-code|postcode|post code|postal code|plz|postleitzahl|code postal|\
         código postal|codigo postal|c.p.|cep|codice postale|cap|postnummer|postnr|\
         kod pocztowy|postinumero",
    ),
    (
        Topic::Coordinates,
        "coordinates|coordinate|coords|gps|lat|latitude|geo|location|position|koordinaten|standort|\
         breitengrad|coordonnées gps|coordonnées|coordenadas|coordinate gps|coördinaten|coordinaten|koordinater|\
         koordinaatit|współrzędne|latlng|lat/lon|lat/lng|lat/long",
    ),
    (
        Topic::Wallet,
        "wallet|wallet address|bitcoin|btc|ethereum|eth|solana|sol|monero|xmr|usdt|crypto address|\
         crypto|deposit address|wallet-adresse|adresse bitcoin|monedero|billetera|carteira|portafoglio|portfel|\
         plånbok|lompakko|cardano|ada|polkadot|dot",
    ),
];

struct Automaton {
    automaton: AhoCorasick,
    /// The topic of each pattern.
    topics: Vec<Topic>,
}

static AUTOMATON: LazyLock<Option<Automaton>> = LazyLock::new(|| {
    let patterns = || WORDS.iter().flat_map(|(t, words)| words.split('|').map(|w| (*t, w)));
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(patterns().map(|(_, w)| w))
        .ok()?;
    Some(Automaton { automaton, topics: patterns().map(|(t, _)| t).collect() })
});

/// The labels of `text`, in order. Each is a word of its own, or the last one of `db_password`.
pub(super) fn find(text: &str) -> Vec<Label> {
    let Some(automaton) = AUTOMATON.as_ref() else { return Vec::new() };
    let continues = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut labels = Vec::new();
    for hit in automaton.automaton.find_iter(text) {
        let Some(&topic) = automaton.topics.get(hit.pattern().as_usize()) else { continue };
        let (before, behind) = (&text[..hit.start()], &text[hit.end()..]);
        if !continues(before.chars().next_back()) && !continues(behind.chars().next()) {
            labels.push(Label { topic, range: hit.range() });
        }
    }
    labels
}

/// How a value is tied to its label. The later, the closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// It only follows.
    Bare,
    /// By a verb: "is", "lautet".
    Verb,
    /// By a sign: `:`, `=`, `#`.
    Sign,
}

/// Where a value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) at: usize,
    pub(super) link: Link,
    /// The quotation mark that closes the value, if one opened it.
    pub(super) closed_by: Option<char>,
    /// Words between label and value that are no filling, as in "password for the wifi is".
    pub(super) words: usize,
}

static VERBS: WordSet = WordSet::new(
    "are be become becomes e er es est foi ist is jest lautet lauten on oli op reads sind sono sont to var war was were zijn \
     är é è są era fue será wird wäre brzmi",
);

static FILLERS: WordSet = WordSet::new(
    "a an code den der die el id il la le my n nbr no nr nro num number numbers nummer numer numero numéro número \
     nº n° the with ending currently now still also now und and",
);

/// Longest way from a label to its value, in bytes.
const MAX_WAY: usize = 64;
const MAX_WORDS: usize = 4;

/// Where the value that the label before `at` announces begins: behind the next sign or verb if
/// one is near, else right there.
pub(super) fn announced(text: &str, at: usize) -> Option<Announced> {
    let limit = super::context::floor(text, (at + MAX_WAY).min(text.len()));
    let near = tied(text, at, limit);
    if near.link > Link::Bare {
        return Some(near).filter(|n| n.at < text.len());
    }
    // "password for the wifi is …": over a few words to the verb, not over the end of a clause.
    let mut word_at = near.at;
    for words in 1..=MAX_WORDS {
        let rest = &text[word_at..limit];
        let len: usize = rest
            .chars()
            .take_while(|c| c.is_alphabetic() || matches!(c, '\'' | '-'))
            .map(char::len_utf8)
            .sum();
        if len == 0 {
            break;
        }
        let next = tied(text, word_at + len, limit);
        if next.link > Link::Bare {
            return Some(Announced { words, ..next }).filter(|n| n.at < text.len());
        }
        if next.at == word_at + len {
            break;
        }
        word_at = next.at;
    }
    Some(near).filter(|n| n.at < text.len())
}

/// Skips signs, verbs and filling words from `at` on.
fn tied(text: &str, at: usize, limit: usize) -> Announced {
    let mut found = Announced { at, link: Link::Bare, closed_by: None, words: 0 };
    let mut breaks = 0;
    while found.at < limit {
        let rest = &text[found.at..limit];
        let Some(c) = rest.chars().next() else { break };
        match c {
            ' ' | '\t' | '*' | '`' | '>' | '\\' if c != '>' || found.link == Link::Sign => {}
            '\n' | '\r' if found.link == Link::Sign && breaks < 2 => breaks += 1,
            ':' | '=' | '#' | '→' if found.closed_by != Some('(') => {
                found.link = Link::Sign;
                found.closed_by = None;
            }
            '-' if rest.starts_with("->") || rest.starts_with("- ") => found.link = Link::Sign,
            '"' | '\'' | '“' | '„' | '«' | '‘' | '‹' | '”' => {
                found.closed_by = Some(closing(c))
            }
            '(' | '[' | '<' => {}
            '.' if rest[1..].starts_with([' ', ':']) && at == found.at => {}
            ')' | ']' if found.link == Link::Bare => {}
            _ => {
                let len = word_len(rest);
                let word = rest[..len].to_lowercase();
                let word = word.trim_end_matches('.');
                let whole =
                    rest[len..].starts_with([' ', ':', '=', '#', '\t', '"', '\'', '\n', '“', '„']);
                if len == 0 || !whole || found.closed_by.is_some() {
                    break;
                }
                if VERBS.contains(word) {
                    found.link = found.link.max(Link::Verb);
                } else if !FILLERS.contains(word) {
                    break;
                }
                found.at += len;
                continue;
            }
        }
        found.at += c.len_utf8();
    }
    found
}

/// Bytes of the word at the head of `rest`, with the full stop or degree sign of `no.` and `n°`.
fn word_len(rest: &str) -> usize {
    let letters: usize = rest.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let sign =
        rest[letters..].chars().next().filter(|c| letters > 0 && matches!(c, '.' | '°' | 'º'));
    let sign = sign.filter(|_| letters <= 4);
    letters + sign.map_or(0, char::len_utf8)
}

fn closing(open: char) -> char {
    match open {
        '“' | '„' | '”' => '”',
        '«' => '»',
        '‘' => '’',
        '‹' => '›',
        c => c,
    }
}

/// The word without spaces that begins at `value.at`: up to its closing quotation mark if it has
/// one, else without the sentence's punctuation behind it.
pub(super) fn token(text: &str, value: &Announced) -> Range<usize> {
    const MAX_TOKEN: usize = 512;
    let to = super::context::floor(text, (value.at + MAX_TOKEN).min(text.len()));
    let rest = &text[value.at..to];
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    if let Some(close) = value.closed_by {
        let close_len = line.find(|c| c == close || close == '”' && matches!(c, '“' | '"'));
        if let Some(len) = close_len.filter(|&n| n <= 128) {
            let quoted = &line[..len];
            let start = value.at + len - quoted.trim_start().len();
            return start..value.at + quoted.trim_end().len().max(start - value.at);
        }
    }
    let len = line
        .find(|c: char| {
            c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"' | '“' | '”' | '`' | '|')
        })
        .unwrap_or(line.len());
    let word =
        line[..len].trim_end_matches(['.', ',', ';', ':', ')', ']', '\'', '’', '*', '?', '»']);
    value.at..value.at + word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<(Topic, Link, String)> {
        let label = find(text).into_iter().next()?;
        let value = announced(text, label.range.end)?;
        Some((label.topic, value.link, text[token(text, &value)].to_owned()))
    }

    #[test]
    fn values_follow_their_labels() {
        for (text, topic, link, expected) in [
            ("my password is hunter2.", Topic::Password, Link::Verb, "hunter2"),
            ("Passwort: hunter2", Topic::Password, Link::Sign, "hunter2"),
            ("\"password\": \"a b c\"", Topic::Password, Link::Sign, "a b c"),
            ("**Password:** x1y2z3, ok", Topic::Password, Link::Sign, "x1y2z3"),
            ("password for the wifi is abc123", Topic::Password, Link::Verb, "abc123"),
            ("mot de passe est « bleu12 »", Topic::Password, Link::Verb, "bleu12"),
            ("Nº de pedido: 12-3", Topic::Order, Link::Sign, "12-3"),
            ("order no. 4711", Topic::Order, Link::Bare, "4711"),
            ("Kundennummer lautet 12345", Topic::Customer, Link::Verb, "12345"),
            ("Tracking number:\nAB123", Topic::Tracking, Link::Sign, "AB123"),
            ("DB_PASSWORD=x9!y", Topic::Password, Link::Sign, "x9!y"),
        ] {
            assert_eq!(value(text), Some((topic, link, expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn labels_are_whole_words() {
        assert_eq!(find("passwordless spinning borderline recorder"), []);
        assert_eq!(find("Kennwort and PIN").len(), 2);
    }
}
