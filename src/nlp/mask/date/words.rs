//! Names of months and days in eleven languages, with their usual abbreviations.

use super::super::context::WordSet;

pub(super) static MONTHS: WordSet = WordSet::new(
    "january february march april may june july august september october november december \
     jan feb mar apr jun jul aug sep sept oct nov dec \
     januar februar märz maerz mai juni juli oktober dezember jänner feber mär okt dez mrz \
     janvier février fevrier mars avril juin juillet août aout septembre octobre novembre décembre \
     decembre janv févr fevr avr juil déc \
     enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre \
     diciembre ene abr ago dic \
     janeiro fevereiro março marco maio junho julho setembro outubro novembro dezembro fev mai out set \
     gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre gen mag giu lug ott \
     januari februari maart mei augustus mrt januari mars maj augusti december \
     januar februar marts juni juli desember des \
     stycznia lutego marca kwietnia maja czerwca lipca sierpnia września wrzesnia października \
     pazdziernika listopada grudnia styczeń luty marzec kwiecień czerwiec lipiec sierpień wrzesień \
     październik listopad grudzień sty lut kwi cze lip sie wrz paź lis gru \
     tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta \
     lokakuuta marraskuuta joulukuuta tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu \
     elokuu syyskuu lokakuu marraskuu joulukuu \
     ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
);

pub(super) static WEEKDAYS: WordSet = WordSet::new(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun \
     montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag \
     lundi mardi mercredi jeudi vendredi samedi dimanche \
     lunes martes miércoles jueves viernes sábado domingo \
     lunedì martedì mercoledì giovedì venerdì sabato domenica \
     maandag dinsdag woensdag donderdag vrijdag zaterdag zondag \
     måndag tisdag onsdag torsdag fredag lördag söndag mandag tirsdag lørdag søndag \
     poniedziałek wtorek środa czwartek piątek sobota niedziela \
     maanantai tiistai keskiviikko torstai perjantai lauantai sunnuntai",
);

/// Abbreviated days, which are other words as well: only in front of a date.
pub(super) static SHORT_DAYS: WordSet = WordSet::new("mon tue tues wed thu thur thurs fri sat sun");
