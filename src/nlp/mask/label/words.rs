//! The labels themselves, in eleven languages.

use super::Topic;

/// The labels by topic, in lower case, with `|` between them.
pub(super) const WORDS: [(Topic, &str); 22] = [
    (Topic::Corner, "corner of"),
    (Topic::Dot, "dot|punkt"),
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
    (Topic::CodeAlone, "code|codes|codigo|código|codice|kod|kode|koodi"),
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
         plånbok|lompakko|cardano|ada|polkadot",
    ),
];
