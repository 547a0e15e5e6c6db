//! Types of personal data. They are open: the product brings its own, a tenant adds more, and both
//! go the same way through tokens, labels and rules of release.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name of a type, in bytes; with an id and the brackets a token stays below 80 bytes.
const MAX_NAME: usize = 40;

/// The name of a type, such as `EMAIL_ADDRESS`; Presidio's names are used where it has one.
///
/// Upper-case ASCII letters, digits and underscores, beginning with a letter and ending with a
/// letter or digit, at most 40 bytes: the alphabet that tokens and placeholders can carry.
/// Cheap to clone.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Z]([A-Z0-9_]*[A-Z0-9])?$", max_length = 40)]
pub struct Entity(Name);

#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

/// A text that can't name a type of personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an entity type: expected up to {MAX_NAME} of A–Z, 0–9 and inner underscores, beginning with a letter"
)]
pub struct EntityError(String);

/// What the product knows about a type beyond its name.
struct Known {
    entity: Entity,
    /// The short word in placeholders.
    label: &'static str,
    /// Whether a reply may carry the value back to the customer.
    sendable: bool,
}

/// The product's own types, one a line: name, the word in placeholders, and whether a reply may
/// carry the value (`sendable`) or it stays inside (`kept`).
macro_rules! entities {
    ($(#[doc = $doc:literal] $name:ident $label:literal $rule:ident;)+) => {
        impl Entity {
            $(#[doc = $doc] pub const $name: Self = Self(Name::Static(stringify!($name)));)+
        }

        /// Types with a label of their own or values that may be sent. All others are labelled by
        /// their name, and their values stay inside: a type that somebody adds is safe without a
        /// line here.
        static KNOWN: &[Known] = &[$(Known {
            entity: Entity::$name,
            label: $label,
            sendable: entities!(@$rule),
        }),+];
    };
    (@sendable) => { true };
    (@kept) => { false };
}

entities! {
    /// An e-mail address.
    EMAIL_ADDRESS "EMAIL" sendable;
    /// A telephone number, with its extension.
    PHONE_NUMBER "PHONE" sendable;
    /// A payment card's number.
    CREDIT_CARD "CARD" kept;
    /// An international bank account number.
    IBAN_CODE "IBAN" sendable;
    /// An IPv4 or IPv6 address, with its zone and prefix length.
    IP_ADDRESS "IP" sendable;
    /// A web address, with or without scheme.
    URL "URL" sendable;
    /// A network interface's hardware address.
    MAC_ADDRESS "MAC" sendable;
    /// A United States social security number.
    US_SSN "SSN" kept;
    /// A person's name.
    PERSON "PERSON" sendable;
    /// A place or postal address.
    LOCATION "LOCATION" sendable;
    /// A company or institution.
    ORGANIZATION "ORGANIZATION" sendable;
    /// A date or time.
    DATE_TIME "DATE" sendable;
    /// A password or passphrase.
    PASSWORD "PASSWORD" kept;
    /// A one-time or verification code.
    ONE_TIME_CODE "CODE" kept;
    /// A key or token of a programming interface.
    API_KEY "KEY" kept;
    /// A date of birth.
    DATE_OF_BIRTH "BIRTHDATE" kept;
    /// The name of an account, or an `@handle`.
    USERNAME "USERNAME" sendable;
    /// The address of a wallet.
    CRYPTO "CRYPTO" sendable;
    /// A place in degrees of latitude and longitude.
    COORDINATES "COORDINATES" sendable;
    /// The identification number of a vehicle.
    VEHICLE_ID "VEHICLE" sendable;
    /// A vehicle's licence plate.
    LICENSE_PLATE "PLATE" sendable;
    /// The number of a device: IMEI, ICCID, serial number.
    DEVICE_ID "DEVICE" sendable;
    /// The tracking number of a parcel.
    TRACKING_NUMBER "TRACKING" sendable;
    /// The number of an order, invoice, ticket or booking.
    ORDER_NUMBER "ORDER" sendable;
    /// The number of a customer, member or contract.
    CUSTOMER_NUMBER "CUSTOMER" sendable;
    /// A bank account's number in the United States.
    US_BANK_NUMBER "US_BANK_NUMBER" kept;
    /// A routing number of the American Bankers Association.
    ABA_ROUTING_NUMBER "ABA_ROUTING_NUMBER" sendable;
    /// A driver's license of a state of the United States.
    US_DRIVER_LICENSE "US_DRIVER_LICENSE" kept;
    /// An individual taxpayer's number of the United States.
    US_ITIN "US_ITIN" kept;
    /// A passport of the United States.
    US_PASSPORT "US_PASSPORT" kept;
    /// A health care provider's number in the United States.
    US_NPI "US_NPI" kept;
    /// A Medicare beneficiary's number in the United States.
    US_MBI "US_MBI" kept;
    /// A medical license: a registration with the Drug Enforcement Administration.
    MEDICAL_LICENSE "MEDICAL_LICENSE" kept;
    /// A patient's number of the National Health Service.
    UK_NHS "UK_NHS" kept;
    /// A National Insurance number of the United Kingdom.
    UK_NINO "UK_NINO" kept;
    /// A passport of the United Kingdom.
    UK_PASSPORT "UK_PASSPORT" kept;
    /// A postcode of the United Kingdom.
    UK_POSTCODE "UK_POSTCODE" sendable;
    /// A number plate of the United Kingdom.
    UK_VEHICLE_REGISTRATION "UK_VEHICLE_REGISTRATION" sendable;
    /// A driving licence of Great Britain.
    UK_DRIVING_LICENCE "UK_DRIVING_LICENCE" kept;
    /// A sort code with an account's number, or either alone.
    UK_BANK_ACCOUNT "UK_BANK_ACCOUNT" kept;
    /// A person's tax identification number in Germany.
    DE_TAX_ID "DE_TAX_ID" kept;
    /// A tax office's number of a taxpayer in Germany.
    DE_TAX_NUMBER "DE_TAX_NUMBER" kept;
    /// A passport of Germany.
    DE_PASSPORT "DE_PASSPORT" kept;
    /// An identity card of Germany.
    DE_ID_CARD "DE_ID_CARD" kept;
    /// A pension insurance number of Germany.
    DE_SOCIAL_SECURITY "DE_SOCIAL_SECURITY" kept;
    /// A health insurance number of Germany.
    DE_HEALTH_INSURANCE "DE_HEALTH_INSURANCE" kept;
    /// A number plate of Germany.
    DE_KFZ "DE_KFZ" sendable;
    /// An entry of the German register of companies.
    DE_HANDELSREGISTER "DE_HANDELSREGISTER" sendable;
    /// A postal code of Germany.
    DE_PLZ "DE_PLZ" sendable;
    /// A driving licence of Germany.
    DE_FUEHRERSCHEIN "DE_FUEHRERSCHEIN" kept;
    /// A physician's number in Germany.
    DE_LANR "DE_LANR" kept;
    /// A medical practice's number in Germany.
    DE_BSNR "DE_BSNR" kept;
    /// A VAT identification number of Germany.
    DE_VAT_ID "DE_VAT_ID" sendable;
    /// A VAT identification number of a European state.
    VAT_ID "VAT_ID" sendable;
    /// A tax and identity number of Spain.
    ES_NIF "ES_NIF" kept;
    /// A foreigner's identity number in Spain.
    ES_NIE "ES_NIE" kept;
    /// A passport of Spain.
    ES_PASSPORT "ES_PASSPORT" kept;
    /// A fiscal code of Italy.
    IT_FISCAL_CODE "IT_FISCAL_CODE" kept;
    /// A driving licence of Italy.
    IT_DRIVER_LICENSE "IT_DRIVER_LICENSE" kept;
    /// A VAT code of Italy.
    IT_VAT_CODE "IT_VAT_CODE" sendable;
    /// A passport of Italy.
    IT_PASSPORT "IT_PASSPORT" kept;
    /// An identity card of Italy.
    IT_IDENTITY_CARD "IT_IDENTITY_CARD" kept;
    /// A social security number of France.
    FR_NIR "FR_NIR" kept;
    /// A citizen service number of the Netherlands.
    NL_BSN "NL_BSN" kept;
    /// A national register number of Belgium.
    BE_NATIONAL_NUMBER "BE_NATIONAL_NUMBER" kept;
    /// A taxpayer's number of Portugal.
    PT_NIF "PT_NIF" kept;
    /// A social insurance number of Austria.
    AT_SVNR "AT_SVNR" kept;
    /// A social insurance number of Switzerland.
    CH_AHV "CH_AHV" kept;
    /// A personal identification number of Denmark.
    DK_CPR "DK_CPR" kept;
    /// A national identity number of Norway.
    NO_FODSELSNUMMER "NO_FODSELSNUMMER" kept;
    /// A personal public service number of Ireland.
    IE_PPS "IE_PPS" kept;
    /// A personal identification number of Poland.
    PL_PESEL "PL_PESEL" kept;
    /// A taxpayer's number of Poland.
    PL_NIP "PL_NIP" sendable;
    /// A birth number of Czechia or Slovakia.
    CZ_BIRTH_NUMBER "CZ_BIRTH_NUMBER" kept;
    /// A personal numerical code of Romania.
    RO_CNP "RO_CNP" kept;
    /// A uniform civil number of Bulgaria.
    BG_EGN "BG_EGN" kept;
    /// A personal identification number of Croatia.
    HR_OIB "HR_OIB" kept;
    /// A personal code of Estonia or Lithuania.
    EE_LT_PERSONAL_CODE "EE_LT_PERSONAL_CODE" kept;
    /// A social security number of Greece.
    GR_AMKA "GR_AMKA" kept;
    /// A personal identity code of Finland.
    FI_PERSONAL_IDENTITY_CODE "FI_PERSONAL_IDENTITY_CODE" kept;
    /// A personal identity number of Sweden.
    SE_PERSONNUMMER "SE_PERSONNUMMER" kept;
    /// An organisation's number in Sweden.
    SE_ORGANISATIONSNUMMER "SE_ORGANISATIONSNUMMER" sendable;
    /// A national identification number of Turkey.
    TR_NATIONAL_ID "TR_NATIONAL_ID" kept;
    /// A number plate of Turkey.
    TR_LICENSE_PLATE "TR_LICENSE_PLATE" sendable;
    /// A telephone number of Turkey; looked for only when asked for by name.
    TR_PHONE_NUMBER "TR_PHONE_NUMBER" sendable;
    /// A taxpayer's number of Russia.
    RU_INN "RU_INN" kept;
    /// An insurance account's number of Russia.
    RU_SNILS "RU_SNILS" kept;
    /// An identity number of Israel.
    IL_ID_NUMBER "IL_ID_NUMBER" kept;
    /// A business number of Australia.
    AU_ABN "AU_ABN" sendable;
    /// A company number of Australia.
    AU_ACN "AU_ACN" sendable;
    /// A tax file number of Australia.
    AU_TFN "AU_TFN" kept;
    /// A Medicare card of Australia.
    AU_MEDICARE "AU_MEDICARE" kept;
    /// A social insurance number of Canada.
    CA_SIN "CA_SIN" kept;
    /// A postal code of Canada.
    CA_POSTAL_CODE "CA_POSTAL_CODE" sendable;
    /// A permanent account number of India.
    IN_PAN "IN_PAN" kept;
    /// A person's identification number of India.
    IN_AADHAAR "IN_AADHAAR" kept;
    /// A number plate of India.
    IN_VEHICLE_REGISTRATION "IN_VEHICLE_REGISTRATION" sendable;
    /// A voter's identity card of India.
    IN_VOTER "IN_VOTER" kept;
    /// A passport of India.
    IN_PASSPORT "IN_PASSPORT" kept;
    /// A goods and services tax number of India.
    IN_GSTIN "IN_GSTIN" sendable;
    /// A resident registration number of Korea.
    KR_RRN "KR_RRN" kept;
    /// A foreigner registration number of Korea.
    KR_FRN "KR_FRN" kept;
    /// A business registration number of Korea.
    KR_BRN "KR_BRN" sendable;
    /// A driver's license of Korea.
    KR_DRIVER_LICENSE "KR_DRIVER_LICENSE" kept;
    /// A passport of Korea.
    KR_PASSPORT "KR_PASSPORT" kept;
    /// A resident identity card of China.
    CN_RESIDENT_ID "CN_RESIDENT_ID" kept;
    /// An identity card of Hong Kong.
    HK_ID_CARD "HK_ID_CARD" kept;
    /// A national identity card of Taiwan.
    TW_NATIONAL_ID "TW_NATIONAL_ID" kept;
    /// An individual number of Japan.
    JP_MY_NUMBER "JP_MY_NUMBER" kept;
    /// An identity card of Malaysia.
    MY_NRIC "MY_NRIC" kept;
    /// A national identification number of Nigeria.
    NG_NIN "NG_NIN" kept;
    /// A number plate of Nigeria.
    NG_VEHICLE_REGISTRATION "NG_VEHICLE_REGISTRATION" sendable;
    /// A taxpayer's number of the Philippines.
    PH_TIN "PH_TIN" kept;
    /// A mobile number of the Philippines; looked for only when asked for by name.
    PH_MOBILE_NUMBER "PH_MOBILE_NUMBER" sendable;
    /// An identity card or foreigner's number of Singapore.
    SG_NRIC_FIN "SG_NRIC_FIN" kept;
    /// A business's number in Singapore.
    SG_UEN "SG_UEN" sendable;
    /// A national identification number of Thailand.
    TH_TNIN "TH_TNIN" kept;
    /// An identity number of South Africa.
    ZA_ID_NUMBER "ZA_ID_NUMBER" kept;
    /// A person's taxpayer number in Brazil.
    BR_CPF "BR_CPF" kept;
    /// A company's taxpayer number in Brazil.
    BR_CNPJ "BR_CNPJ" sendable;
    /// A population registry code of Mexico.
    MX_CURP "MX_CURP" kept;
    /// A taxpayer's code of Mexico.
    MX_RFC "MX_RFC" kept;
    /// A taxpayer's number of Argentina.
    AR_CUIT "AR_CUIT" kept;
    /// A national identity document of Argentina.
    AR_DNI "AR_DNI" kept;
    /// A national and tax number of Chile.
    CL_RUT "CL_RUT" kept;
    /// A bank's identifier code.
    BIC_CODE "BIC_CODE" sendable;
}

impl Entity {
    /// What the names head reports.
    pub const NAMED: [Self; 3] = [Self::PERSON, Self::LOCATION, Self::ORGANIZATION];

    /// The type's full name, as stored and reported.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(s) => s,
            Name::Shared(s) => s,
        }
    }

    /// The word used in placeholders: `EMAIL` for `EMAIL_ADDRESS`, else the name itself.
    pub fn label(&self) -> &str {
        self.known().map_or(self.as_str(), |k| k.label)
    }

    /// Whether a reply may carry the value. Cards, national ids, passwords, codes and keys never
    /// leave again, and neither does a type that this list does not know.
    pub fn is_sendable(&self) -> bool {
        self.known().is_some_and(|k| k.sendable)
    }

    /// The labels of the product's own types.
    pub(super) fn builtin_labels() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|k| k.label)
    }

    fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|k| k.entity == *self)
    }
}

impl FromStr for Entity {
    type Err = EntityError;

    fn from_str(s: &str) -> Result<Self, EntityError> {
        if let Some(k) = KNOWN.iter().find(|k| k.entity.as_str() == s) {
            return Ok(k.entity.clone());
        }
        let b = s.as_bytes();
        let fits = b.len() <= MAX_NAME
            && b.first().is_some_and(u8::is_ascii_uppercase)
            && b.last().is_some_and(|&c| c != b'_')
            && b.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == b'_');
        if fits {
            Ok(Self(Name::Shared(Arc::from(s))))
        } else {
            Err(EntityError(s.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for Entity {
    type Error = EntityError;

    fn try_from(s: String) -> Result<Self, EntityError> {
        s.parse()
    }
}

impl From<Entity> for String {
    fn from(e: Entity) -> String {
        e.as_str().to_owned()
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// By name, however it is held.
impl PartialEq for Entity {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Entity {}

impl PartialOrd for Entity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Entity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_what_tokens_cannot_carry_is_refused() {
        assert_eq!("EMAIL_ADDRESS".parse::<Entity>(), Ok(Entity::EMAIL_ADDRESS));
        assert_eq!(
            "DE_TAX_ID".parse::<Entity>().map(|e| e.label().to_owned()),
            Ok("DE_TAX_ID".into())
        );
        let long = "A".repeat(41);
        for bad in ["", "email", "E:MAIL", "_X", "X_", "1X", "Ä", "A B", "A⟧", long.as_str()] {
            assert!(bad.parse::<Entity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_type_is_not_sendable() -> Result<(), EntityError> {
        assert!(!"MEMBER_ID".parse::<Entity>()?.is_sendable());
        assert!(!Entity::US_SSN.is_sendable());
        assert!(Entity::EMAIL_ADDRESS.is_sendable());
        Ok(())
    }
}
