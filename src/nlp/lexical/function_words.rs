//! Words that hold sentences together and say nothing of what they are about, in en, de, es, fr, it, pt, nl. One list
//! for all: a text's language is often unsure, and what one language's list takes from another is little.

use std::collections::HashSet;
use std::sync::OnceLock;

/// As [`super::terms`] folds them.
const WORDS: &str = "
a about after again all also am an and any are as at be because been before being but by can could did do does doing
don done down each else even ever every for from get gets getting go going got had has have having he hello her here
hers hi him his how i if in into is it its just know let like many may maybe me might mine more most much must my need
no nor not now of off often on once one only or other our ours out over own please re same shall she should since so
some soon still such tell than thank thanks that the their them then there these they this those through to too under
until up upon us very want wanted was we were what whats when where whether which while who whom whose why will with
within without would wondering yes yet you your yours
ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bitte bist da dadurch
dafur damit dann daran darauf das dass davon dazu dein deine dem den denn der des deshalb die dies diese diesem diesen
dieser dieses doch dort du durch ein eine einem einen einer eines er es etwas euch euer fur gern gerne geht gibt habe
haben hallo hat hatte hatten hier ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ist ja jede jedem jeden jeder jetzt
kann kein keine keinen konnen konnte konnten man mehr mein meine meinem meinen meiner mich mir mit mochte muss mussen
nach nicht noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit sich sie sind so soll sollte sonst
uber um und uns unser unsere unter viel vom von vor wann war waren warum was weil welche welchem welchen welcher welches
wenn wer werde werden wie wieder will wir wird wo wohl wollen wurde wurden zu zum zur
al algo alguna algun ante antes aqui asi aun aunque bien buenas buenos cada como con contra cual cuales cuando cuanto
cuanta de del desde donde dos el ella ellas ellos en entre era es esa ese eso esta estan estar este esto estoy favor fue
gracias ha habia hace han hasta hay he hola la las le les lo los mas me mi mis mucho muy ni no nos nosotros o os otra otro
para pero poco podria por porque puede puedo pues que quien quiero quisiera se sea ser si sin sobre solo son soy su sus
tal tambien te tengo tiene todo todos tu tus un una uno unos usted ustedes y ya yo
ai ainsi alors apres au aucun aussi autre aux avant avec avez avoir avons bonjour car ce cela ces cet cette ceux chez
comme comment d dans de depuis des deux dois donc dont du elle elles en encore est et ete etre eu fait faire faut ici il
ils j je jusqu l la le les leur leurs lors lui ma mais me meme merci mes moi moins mon n ne ni nos notre nous on ont ou
par parce pas peu peut peux plus pour pourquoi pouvez puis qu quand que quel quelle quelles quels qui quoi s sa sans se
sera ses si sont sous suis sur ta te tes toi ton tous tout toute tres tu un une va voici vos votre vous
agli alla alle allo anche ancora avere aveva bene buongiorno c che chi ci ciao cio cosi cosa da dai dal dalla dalle dei
del della delle dello di dopo dove due e ed era essere fa fare gia gli grazie ha hanno ho i il in io la le lei li lo loro
lui ma mi mia mie miei mio molto ne negli nei nel nella nelle no noi non nostra nostro o ogni per perche piu poi posso
prima puo qual quale quali quando quanto quella quelle quelli quello questa queste questi questo qui se sei sempre senza
si sia siamo sono sta stato su sua sue sui sul sulla suo suoi tra tu tua tue tuo tutti tutto un una uno vi voi vorrei
a ainda ao aos as ate bom com como da das de dele dela depois desde do dos e ela elas ele eles em entre era essa esse
esta estas este estes estou eu foi gostaria ha isso isto ja la lhe mais mas me mesmo meu meus minha minhas muito na nao
nas nem no nos nossa nosso num numa o obrigada obrigado ola onde os ou para pela pelo pelos podem poder pode por porque
posso qual quais quando quanto que quem se sem ser seu seus so sobre sua suas tambem te tem tenho teu tu tua um uma voce
aan al alle alleen als altijd andere bij bedankt ben bent beste dan dat de deze die dit doe doen door dus een en er ge
geen graag haar had hallo heb hebben heeft hem het hier hij hoe hoeveel hun ik in is ja je jij jou jouw jullie kan kun
kunnen kunt maar mag meer men met mij mijn moet moeten na naar niet nog nu of om omdat onder ons onze ook op over te toch
toen tot u uit uw van veel voor waar waarom wanneer want waren was wat we wel welk welke wie wij wil worden wordt zal ze
zich zij zijn zo zonder zou zullen";

/// Whether a term of [`super::terms`] is a function word of any of the languages.
#[must_use]
pub fn is_function_word(term: &str) -> bool {
    static ALL: OnceLock<HashSet<&'static str>> = OnceLock::new();
    ALL.get_or_init(|| WORDS.split_whitespace().collect()).contains(term)
}

#[cfg(test)]
mod tests {
    use super::super::terms;
    use super::*;

    #[test]
    fn every_entry_is_a_term_as_folded() {
        for word in WORDS.split_whitespace() {
            assert_eq!(terms(word), [word], "{word}");
        }
        assert!(
            is_function_word("where") && is_function_word("nicht") && !is_function_word("refund")
        );
    }
}
