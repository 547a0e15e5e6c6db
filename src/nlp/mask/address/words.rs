//! The words addresses are made of, in the languages of the countries covered, and those that
//! show that something is none.

use super::super::context::WordSet;

/// What streets are called behind their names in English: the ones that say it alone.
pub(super) static STREETS: WordSet = WordSet::new(
    "alley allee ave aven avenue avn av blvd bl boulevard boul boulv cir circle cl close court crescent cres cresc crt ct \
     dr drive drv expressway expy freeway fwy gdns gardens grove hgwy highway hwy lane ln mews parade pde \
     parkway pkwy pky pl place rd road rte sq square st str street streets terrace terr tce ter trail trl \
     turnpike tpke way wy walk cul-de-sac esplanade promenade quay wharf strasse straße broadway",
);

/// The same, where they are ordinary words as well: they need an address around them.
pub(super) static WEAK_STREETS: WordSet = WordSet::new(
    "annex arcade bayou beach bend bluff bottom branch bridge brook bypass canyon cape causeway center centre \
     cliff club common commons corner corners course courts cove coves creek crest crossing crossroad curve dale dam \
     divide drives estate estates extension extensions fall falls ferry field fields flat flats ford forest \
     forge fork forks fort garden gate gateway glen glens green greens groves harbor harbors harbour haven \
     heights hill hills hollow inlet island islands isle junction junctions key keys knoll knolls lake lakes \
     land landing light lights loaf lock locks lodge loop mall manor manors meadow meadows mill mills \
     mission motorway mount mountain mountains neck orchard oval overpass park parks parkways pass passage path \
     pike pine pines plain plains plaza point points port ports prairie radial ramp ranch rapid rapids \
     rest ridge ridges river roads route row run shoal shoals shore shores skyway spring springs spur squares \
     station stravenue stream summit throughway trace track trafficway tunnel underpass union unions valley \
     valleys via viaduct view views village ville vista walks wall ways well wells yard",
);

/// What streets are called in front of their names. With a house number behind the name.
pub(super) static PREFIXES: WordSet = WordSet::new(
    "rue avenue av boulevard bd boul blvd place pl chemin ch allée allee allées impasse imp quai cours route rte square passage \
     ruelle sentier faubourg villa cité lieu-dit rond-point esplanade chaussée \
     calle c avenida avda avd plaza plza pza paseo pso ronda camino carretera ctra travesía glorieta rambla \
     carrer avinguda plaça passeig callejón calzada cerrada privada prolongación boulevar blv circuito calz \
     rua r travessa tv trav praça pça largo lgo alameda al estrada rodovia rod viela beco calçada ladeira \
     via viale v.le piazza p.zza piazzale p.le corso c.so largo vicolo strada contrada lungomare borgo vico salita traversa \
     ulica ul ulitsa aleja aleje al plac pl osiedle os rondo \
     λεωφόρος λεωφ οδός πλατεία str strada bulevardul calea șoseaua aleea улица ул проспект \
     jalan jl strasse straße aqqusinersuaq laan rambla",
);

/// Those of [`PREFIXES`] that are short or a word of another language: only with a capital behind.
pub(super) static SHORT_PREFIXES: WordSet = WordSet::new(
    "c r v al pl os ch tv rod imp via place villa route cours square passage largo str square strada borgo corso laan",
);

/// Endings of streets' names that are written together with them or stand behind, Germanic,
/// Finnish, Hungarian, Czech, Slovene, Estonian, Icelandic, Turkish.
pub(super) const ENDINGS: &[&str] = &[
    "straße",
    "strasse",
    "gasse",
    "gässle",
    "allee",
    "platz",
    "chaussee",
    "promenade",
    "stieg",
    "steig",
    "graben",
    "brücke",
    "twiete",
    "straat",
    "laan",
    "plein",
    "gracht",
    "kade",
    "dijk",
    "dreef",
    "steeg",
    "singel",
    "straatweg",
    "gatan",
    "vägen",
    "gränd",
    "torget",
    "stigen",
    "backen",
    "gade",
    "vej",
    "vejen",
    "vænget",
    "stræde",
    "plads",
    "torv",
    "boulevarden",
    "gata",
    "gaten",
    "veien",
    "vegen",
    "vegur",
    "stræti",
    "straeti",
    "alléen",
    "katu",
    "tie",
    "kuja",
    "polku",
    "kaari",
    "penger",
    "rinne",
    "aukio",
    "utca",
    "útja",
    "körút",
    "fasor",
    "tänav",
    "puiestee",
    "ulice",
    "třída",
    "náměstí",
    "nábřeží",
    "ulica",
    "cesta",
    "sokak",
    "sokağı",
    "caddesi",
    "cad",
    "bulvarı",
    "mahallesi",
    "terrasse",
    "terasse",
    "krogen",
    "åsen",
    "svingen",
];

/// Endings that end much else: they need an address around them, or stand apart from the name.
pub(super) const WEAK_ENDINGS: &[&str] = &[
    "weg", "ring", "hof", "damm", "ufer", "markt", "park", "kamp", "berg", "feld", "wall",
    "garten", "blick", "str", "gate", "allé", "väg", "plan", "tee", "tér", "trg", "út", "u", "köz",
    "plass", "vei", "lia", "sti",
];

/// Words in front of a compound street name that belong to it.
pub(super) static LEADS: WordSet = WordSet::new(
    "alte alter altes neue neuer große großer kleine obere oberer untere unterer lange hohe am an auf im in zum zur bei der dem den \
     the de het oude nieuwe grote kleine gamle nye store lille gamla stora lilla iso vanha sankt st ter ten op",
);

/// Small words inside names of streets and towns.
pub(super) static PARTICLES: WordSet = WordSet::new(
    "a am an and auf aan bei d da das de dei del della delle dello den der des di do dos du e el en et i im in l la las le les lo los \
     nad o of on op os pod pri sur ter the till u und upon v van von vor y z za zum zur à av af på ob po na",
);

/// Words that no street or town is called, and abbreviations that number other things.
pub(super) static NEVER: WordSet = WordSet::new(
    "about account after age again amount and android app article at attempt attempts before bestellung bis book booking bought but by call \
     called came card case cases box apt suite psc apo fpo dpo chapter charge charged class code coupon covid customer day days dear delivered delivery der deal \
     device die discount each eine einen email error est euro euros every extension ext fax fee february figure file firmware first fits \
     flight for from fuer für galaxy gb get got group had has have he her his hour hours how id if imei in \
     inch including invoice ios iphone ipad is it item items january just kb kg km last level line mac mai mb me meter meters miles \
     min minute minutes mm mobile model month months mr mrs ms my need new next no not note nr number numbers of offer old on only open or order \
     ordered orders our out over page pages part parts paid pay people percent phone piece pieces pin pixel please plus post price product purchased \
     rate received ref reference release request room rooms round score season seat second seconds section series serial she since size so step \
     still table task tel telefon tell text than that the their them then there they this ticket till time times to today total track tracking type uhr um \
     und units until up us usd used user using version volume von vs was we week weeks were what when where which \
     while who why will windows with within word words would xbox year years yes you your zone",
);

/// Words that announce an address. The longer languages' forms are cut by the window's edge.
pub(super) static ANNOUNCES: WordSet = WordSet::new(
    "address addresses addressed adresse adresser anschrift adressen adress adressa adres adresa adresem dirección direccion direcciones domicilio \
     domiciliado endereço endereco morada indirizzo residenza osoite osoitteeni postadress postadresse \
     lieferadresse rechnungsadresse lieferanschrift rechnungsanschrift wohnort wohne wohnen wohnt wohnhaft gewohnt habite habitons habitant \
     domicilié demeurant vivo vivimos resido reside resides residing residence moro moramos vive abito abitiamo residente \
     risiedo woon wonen woont gevestigd bor bosatt bostad boende mieszkam mieszka zamieszkały zamieszkała asun asuu \
     live lives living lived moved moving located location deliver delivered delivery ship shipped shipping \
     mailing billing taxi \
     pickup liefern geliefert schicken senden ziehe umgezogen livrer livraison expédier déménagé enviar envío enviado \
     entrega entregar mudei spedire spedizione consegna consegnare trasferito bezorgen bezorgd verzenden verhuisd leverera flyttat levere \
     flyttet dostawa wysłać przesyłkę toimittaa muutin street straße",
);

/// What stands before the number of a flat, floor or building. With a full stop perhaps.
pub(super) static UNITS: WordSet = WordSet::new(
    "apartment apt appt app suite ste unit flat floor fl room rm building bldg block blk tower level lot lvl studio penthouse ph \
     wohnung whg top tür stiege stock stg etage og eg hinterhaus aufgang appartement bâtiment bat bât batiment étage escalier esc bte boîte boite bus \
     piso puerta pta escalera portal planta depto departamento dpto interior int bloque blq casa local \
     apto apartamento andar bloco bl fração fracção sala conj conjunto lote quadra qd lt \
     interno scala palazzina edificio lokal lok m mieszkanie klatka \
     lgh lägenhet vån våning leilighet leil sal tv th mf as",
);

/// Units that are words in their own right, and must be followed by a number or one letter.
pub(super) static LOOSE_UNITS: WordSet = WordSet::new(
    "app block building casa local m int as bus lot room sala tower top level floor bl portal esc bat flat og eg al th tv mf st",
);

/// Lines that end a block of an address.
pub(super) static CLOSINGS: WordSet = WordSet::new(
    "best bests cheers cordialement danke dear email e-mail fax from greetings grüße gruß hello hi kind kindest liebe \
     mail many merci mfg mit mobile mobil mvh note order phone please ps regards saludos sent sincerely subject tel telefon telefono téléphone \
     telephone thank thanks thx to viele vielen warm yours i we my our his her if is it when where what how can could would will why who and but or so also \
     ich wir mein und aber je nous mon et mais yo mi pero il io ma ik en maar jag och jeg og ja ale hei hej hallo hola ciao olá bonjour",
);
