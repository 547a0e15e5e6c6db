//! Countries, states and the largest cities, as facts of common knowledge: enough to end an
//! address, and to know a place that is named alone.

use std::sync::LazyLock;

use super::super::context::WordSet;

/// Countries by one word in English, German, French, Spanish, Italian, Portuguese, Dutch,
/// Scandinavian languages, Polish and Finnish, and in their own.
pub(super) static COUNTRIES: WordSet = WordSet::new(
    "afghanistan albania algeria andorra angola argentina armenia australia austria azerbaijan bahamas bahrain bangladesh barbados belarus \
     belgium belize benin bhutan bolivia botswana brazil brunei bulgaria burundi cambodia cameroon canada chad chile china colombia \
     comoros congo croatia cuba cyprus czechia denmark djibouti dominica ecuador egypt eritrea estonia eswatini ethiopia fiji finland france \
     gabon gambia georgia germany ghana greece greenland grenada guatemala guinea guyana haiti honduras hungary iceland india indonesia iran iraq \
     ireland israel italy jamaica japan jordan kazakhstan kenya kiribati kosovo kuwait kyrgyzstan laos latvia lebanon lesotho liberia libya \
     liechtenstein lithuania luxembourg madagascar malawi malaysia maldives mali malta mauritania mauritius mexico micronesia moldova monaco \
     mongolia montenegro morocco mozambique myanmar namibia nauru nepal netherlands nicaragua niger nigeria norway oman pakistan palau palestine \
     panama paraguay peru philippines poland portugal qatar romania russia rwanda samoa senegal serbia seychelles singapore slovakia slovenia somalia \
     spain sudan suriname sweden switzerland syria taiwan tajikistan tanzania thailand togo tonga tunisia turkey türkiye turkmenistan tuvalu uganda ukraine \
     uruguay uzbekistan vanuatu venezuela vietnam yemen zambia zimbabwe scotland england wales uk usa uae \
     deutschland österreich schweiz frankreich italien spanien portugal belgien niederlande dänemark schweden norwegen finnland polen tschechien ungarn griechenland türkei irland großbritannien \
     allemagne autriche suisse espagne italie belgique pays-bas danemark suède norvège finlande pologne grèce hongrie irlande royaume-uni etats-unis états-unis brésil mexique inde \
     alemania suiza francia españa italia bélgica dinamarca suecia noruega finlandia polonia grecia hungría irlanda brasil méxico \
     alemanha suíça frança espanha itália áustria polónia polônia grécia germania svizzera spagna belgio danimarca svezia norvegia polonia irlanda brasile messico \
     duitsland zwitserland frankrijk spanje italië belgië nederland denemarken zweden noorwegen tyskland frankrike spania italia sverige norge danmark suomi österrike schweiz belgia \
     niemcy polska francja hiszpania włochy szwecja norwegia dania finlandia czechy saksa ruotsi norja tanska espanja ranska éire magyarország ελλάδα κύπρος россия україна",
);

/// Countries of two and three words, lower case.
pub(super) const LONG_COUNTRIES: &[&str] = &[
    "united states of america",
    "united states",
    "united kingdom",
    "great britain",
    "northern ireland",
    "new zealand",
    "south africa",
    "south korea",
    "north korea",
    "czech republic",
    "saudi arabia",
    "united arab emirates",
    "sri lanka",
    "costa rica",
    "dominican republic",
    "el salvador",
    "hong kong",
    "puerto rico",
    "papua new guinea",
    "sierra leone",
    "ivory coast",
    "burkina faso",
    "cape verde",
    "san marino",
    "vatican city",
    "north macedonia",
    "bosnia and herzegovina",
    "trinidad and tobago",
    "south sudan",
    "solomon islands",
    "the netherlands",
    "the uk",
    "the usa",
    "vereinigte staaten",
    "vereinigtes königreich",
    "estados unidos",
    "reino unido",
    "stati uniti",
    "regno unito",
    "verenigd koninkrijk",
];

/// Countries, states and cities whose names are words, names or things as well: as a place only
/// in an address or behind "in" or "from".
pub(super) static HOMONYMS: WordSet = WordSet::new(
    "chad georgia jordan turkey china guinea niger mali oman cuba peru chile togo tonga panama dominica jersey uk usa uae belgium mobile reading \
     nice bath cork orange split essen bergen bari male same wells lincoln washington virginia victoria charlotte carolina madison austin dallas \
     houston florence lourdes sofia paris london milan phoenix buffalo tours laval vienna sydney israel francia brasile india kenya malta monaco dania polska",
);

/// States of the United States, provinces of Canada, states of Australia, as codes.
pub(super) static STATE_CODES: WordSet = WordSet::new(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN \
     TX UT VT VA WA WV WI WY DC PR VI GU AS MP AA AE AP AB BC MB NB NL NS NT NU ON PE QC SK YT ACT NSW QLD TAS VIC \
     AC AM AP BA CE ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO CDMX",
);

/// States, provinces and regions by one word.
pub(super) static STATES: WordSet = WordSet::new(
    "alabama alaska arizona arkansas california colorado connecticut delaware florida hawaii idaho illinois indiana iowa kansas kentucky \
     louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon pennsylvania \
     tennessee texas utah vermont virginia wisconsin wyoming alberta manitoba ontario quebec québec saskatchewan newfoundland yukon nunavut \
     queensland tasmania victoria bayern bavaria hessen sachsen saarland thüringen brandenburg tirol kärnten steiermark \
     andalucía cataluña catalunya galicia lombardia toscana sicilia piemonte bretagne normandie jalisco yucatán maharashtra karnataka kerala gujarat punjab",
);

pub(super) const LONG_STATES: &[&str] = &[
    "new york",
    "new jersey",
    "new mexico",
    "new hampshire",
    "north carolina",
    "south carolina",
    "north dakota",
    "south dakota",
    "west virginia",
    "rhode island",
    "british columbia",
    "nova scotia",
    "new brunswick",
    "prince edward island",
    "new south wales",
    "tamil nadu",
];

/// Large cities by one word.
pub(super) static CITIES: WordSet = WordSet::new(
    "aachen aarhus aberdeen adelaide ahmedabad alicante amsterdam ankara antwerp antwerpen atlanta auckland augsburg austin baltimore \
     bangalore bengaluru bangkok barcelona basel bath beijing beirut belfast belgrade bergamo bergen berlin bern bielefeld bilbao birmingham bochum bogotá bologna bonn \
     bordeaux boston bradford braga brasília bratislava bremen brighton brisbane bristol brno bruges brussels brussel bruxelles bucharest budapest cairo calgary cambridge canberra \
     cardiff catania charlotte chemnitz chennai chicago christchurch cincinnati cleveland coimbra cologne columbus copenhagen cork coventry curitiba dallas debrecen delhi denver \
     detroit dijon dortmund dresden dubai dublin duisburg dundee dunedin düsseldorf edinburgh edmonton eindhoven erfurt espoo essen faro florence \
     firenze fortaleza frankfurt freiburg fukuoka galway gdańsk gdynia geneva genève genf genoa genova gent ghent glasgow gothenburg göteborg granada graz grenoble groningen \
     guadalajara guangzhou haarlem halifax halle hamburg hamilton hannover hanover heidelberg helsinki hobart houston hull hyderabad indianapolis innsbruck istanbul izmir jaipur jakarta \
     jerusalem johannesburg karachi karlsruhe kassel katowice kiel kiev kyiv kolkata kopenhagen københavn köln kraków krakow lagos lahore lausanne leeds leicester \
     leiden leipzig lille lima limerick linz lisbon lisboa liverpool ljubljana łódź london londres lublin lucerne luzern lübeck lyon maastricht madrid magdeburg mainz málaga malaga malmö manchester \
     manila mannheim maribor marseille melbourne memphis miami milan milano milwaukee minneapolis monterrey montpellier montreal montréal moscow moskau mumbai munich münchen münster nagoya nairobi nantes napoli \
     naples nashville newark newcastle nijmegen nottingham nuremberg nürnberg oakland odense oporto porto osaka oslo osnabrück ottawa oulu oxford padova palermo paris perth \
     philadelphia phoenix pisa pittsburgh plymouth portland portsmouth porto-alegre potsdam poznań prague praha pretoria pune québec quito raleigh recife regensburg reims rennes reykjavík riga roma rome \
     rostock rotterdam rouen saarbrücken sacramento salvador salzburg santiago saragossa sarajevo seattle seoul sevilla seville shanghai sheffield shenzhen singapore sofia southampton stavanger \
     stockholm strasbourg stuttgart surat sydney szczecin taipei tallinn tampere tampa tehran thessaloniki tilburg tokyo toledo toronto torino toulon toulouse tours trieste trondheim tucson turin turku \
     ulm uppsala utrecht valencia valladolid vancouver vantaa vaasa venice venezia verona victoria vienna wien vilnius warsaw warszawa wellington wiesbaden winnipeg winterthur wolfsburg \
     wolverhampton wrocław wuppertal würzburg york zagreb zaragoza zürich zurich ålborg aalborg århus ålesund västerås örebro linköping helsingborg jyväskylä lahti kuopio",
);

pub(super) const LONG_CITIES: &[&str] = &[
    "new york city",
    "new york",
    "los angeles",
    "san francisco",
    "san diego",
    "san antonio",
    "san jose",
    "las vegas",
    "new orleans",
    "salt lake city",
    "kansas city",
    "fort worth",
    "el paso",
    "st. louis",
    "st louis",
    "washington dc",
    "washington d.c.",
    "mexico city",
    "ciudad de méxico",
    "são paulo",
    "rio de janeiro",
    "belo horizonte",
    "porto alegre",
    "buenos aires",
    "new delhi",
    "tel aviv",
    "cape town",
    "den haag",
    "the hague",
    "frankfurt am main",
    "quebec city",
    "kuala lumpur",
];

/// What the first word of a place in the lists may be, by its length and first three bytes: one
/// bit each. Most capitalised words of a message end here.
static FIRST_WORDS: LazyLock<Box<[u64; 1024]>> = LazyLock::new(|| {
    let mut bits = Box::new([0u64; 1024]);
    let words = [&COUNTRIES, &CITIES, &STATES, &HOMONYMS].into_iter().flat_map(|s| s.words());
    let long = LONG_COUNTRIES.iter().chain(LONG_CITIES).filter_map(|c| c.split([' ', '.']).next());
    for word in words.chain(long).chain(["u"]) {
        let bit = bit_of(word);
        bits[bit / 64] |= 1 << (bit % 64);
    }
    bits
});

fn bit_of(word: &str) -> usize {
    let bytes = word.as_bytes();
    let letter = |i: usize| usize::from(bytes.get(i).map_or(0, u8::to_ascii_lowercase) & 31);
    (letter(0) << 11 ^ letter(1) << 6 ^ letter(2) << 1 ^ bytes.len() << 12 ^ bytes.len()) & 0xFFFF
}

/// Whether `word` could begin the name of a place in the lists, in any case.
pub(super) fn may_begin(word: &str) -> bool {
    let bit = bit_of(word);
    !word.is_ascii() || FIRST_WORDS[bit / 64] >> (bit % 64) & 1 == 1
}

/// The entry of `list` that begins `text`, in any case, as whole words: its length in bytes.
pub(super) fn starts_with_any(text: &str, list: &[&str]) -> Option<usize> {
    let first = text.as_bytes().first()?.to_ascii_lowercase();
    list.iter().filter(|e| e.as_bytes()[0] == first).find_map(|entry| {
        // The lists are in lower case, and the lower case of these letters is as long.
        let head = text.get(..entry.len())?;
        let fits = head.eq_ignore_ascii_case(entry) || head.to_lowercase() == *entry;
        (fits && !text[entry.len()..].starts_with(char::is_alphanumeric)).then_some(entry.len())
    })
}
