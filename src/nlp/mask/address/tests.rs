//! Addresses as people of many countries write them.

use super::*;

fn found(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    Address.find(&Source::new(text, None), &mut out);
    out.into_iter().filter(|c| c.score >= 0.4).map(|c| text[c.range].to_owned()).collect()
}

#[test]
fn finds_addresses_of_many_countries() {
    for address in [
        "742 Evergreen Terrace, Springfield, IL 62704",
        "1600 Amphitheatre Pkwy Suite 200, Mountain View, CA 94043, USA",
        "P.O. Box 1422, Boise, ID 83701",
        "Flat 3, 12 Oak Road, Leeds, LS1 4AP",
        "221B Baker Street, London NW1 6XE, United Kingdom",
        "290 Bremner Blvd, Toronto, ON M5V 3L9, Canada",
        "1 Macquarie Street, Sydney NSW 2000",
        "12 O'Connell Street, Dublin 1",
        "Hauptstraße 5, 10115 Berlin",
        "Am Alten Markt 12a\n14467 Potsdam\nDeutschland",
        "Mariahilfer Straße 20/4/12, 1070 Wien",
        "Postfach 10 20 30, 60311 Frankfurt",
        "12 bis rue de la Paix, 75002 Paris",
        "45, avenue des Champs-Élysées\n75008 Paris\nFrance",
        "Rue Neuve 12 bte 4, 1000 Bruxelles",
        "Keizersgracht 123-2, 1015 CJ Amsterdam",
        "Calle de Alcalá, 45, 3º B, 28014 Madrid",
        "Av. Paulista, 1578, São Paulo, SP 01310-200",
        "Rua Augusta nº 12, 1100-053 Lisboa",
        "Via Roma 131, 20121 Milano, Italia",
        "Drottninggatan 5, 111 51 Stockholm",
        "Karl Johans gate 22, 0159 Oslo",
        "Vesterbrogade 3, 1. tv, 1620 København",
        "Mannerheimintie 12 B 4, 00100 Helsinki",
        "ul. Marszałkowska 84/92 m. 12, 00-514 Warszawa",
        "Av. Insurgentes Sur 1602, 03940 Ciudad de México",
        "C/Mayor 5",
        "c/ Gran Vía 22, Madrid",
        "via Garibaldi 3, Milano",
        "al. Jerozolimskie 5, Warszawa",
        "os. Piastów 12/3",
        "Unter den Linden 77, Berlin",
        "Platz der Republik 1, 11011 Berlin",
        "Zur Alten Mühle 3, 60313 Frankfurt",
        "goethestr. 4",
        "Oxford OX1 2AB",
    ] {
        assert_eq!(found(&format!("Please send it to {address}.")), [address], "{address}");
    }
}

#[test]
fn stops_where_the_address_ends() {
    assert_eq!(found("12 Oak Road, Leeds\nPhone: 555 0132"), ["12 Oak Road, Leeds"]);
    assert_eq!(found("I live at 12 Oak Road and my dog is ill"), ["12 Oak Road"]);
    assert_eq!(found("Hauptstraße 5\n10115 Berlin\nViele Grüße"), ["Hauptstraße 5\n10115 Berlin"]);
    assert_eq!(found("my zip code is 35350, ok"), ["35350"]);
    assert_eq!(found("ship to the corner of Elm and Oak Street"), ["Elm and Oak Street"]);
}

#[test]
fn leaves_other_numbers() {
    for text in [
        "order 48213 from 12 May 2024",
        "I waited 3 weeks on the road",
        "Windows 11 and Galaxy 21",
        "Press the button for 10 seconds",
        "It costs 1200 EUR in Berlin",
        "Chapter 5, Germany",
        "a 5 star place",
        "10 Downloads",
        "Parkplatz 12 ist belegt",
        "Arbeitsplatz 5",
        "2 Apartments",
        "ends in 4242 Thanks",
        "10000 Euro",
        "I paid 50 pounds on 3 June",
        "sent via FedEx 12 days ago",
        "c/o Anna 5",
    ] {
        assert!(found(text).is_empty(), "{text}: {:?}", found(text));
    }
}
