//! The drafter that needs no model: it answers with sentences of the evidence, word for word, each cited.
//!
//! What it gives up in elegance it gains in trust: it can't invent, it can't be talked into anything by a message, and
//! the same request always gives the same draft. It adds nothing but courtesies. A question for which no sentence fits
//! well enough is listed as unanswered; if none fits any, there is no draft.

mod evidence;
mod phrases;

use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, lazy};

use crate::domain::draft::{Draft, DraftOutcome, DraftRequest, NoMatchReason, Sentence, Tone};
use crate::domain::message::ChannelKind;
use crate::domain::triage::{LanguageCode, SentimentLabel};
use crate::nlp::encoder::Embed;
use crate::nlp::sentence::asks::{self, Ask, Asks};
use crate::ports::{ChatError, ChatModel, ChatRequest};
use evidence::{Evidence, Probe, Quote};

/// How near a further sentence must come to the best one to be quoted beside it.
const COMPANION: f32 = 0.72;
/// What a sentence in the customer's own language may lack against one in another.
const HOME_BONUS: f32 = 0.12;
/// Sentences of evidence in a reply.
const MAX_QUOTES: usize = 4;
/// The same where replies are short, and how many characters they may have (two segments of a text message).
const MAX_BRIEF: (usize, usize) = (2, 300);
/// Other replies offered.
const MAX_ALTERNATIVES: usize = 2;

/// The fit (see [`evidence`]) from which a sentence counts as an answer, 0–1. On the development sets 95 of 100 English
/// questions that the evidence answers reach .42, and 95 of 100 about something else stay below .25; of questions about
/// the same field whose article is missing, 14 of 100 pass. In German and Spanish 90 of 100 answered ones reach .31.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinFit {
    /// For English evidence.
    pub english: f32,
    /// For evidence in languages that the encoder hardly knows.
    pub other: f32,
}

impl Default for MinFit {
    fn default() -> Self {
        Self { english: 0.32, other: 0.34 }
    }
}

impl MinFit {
    fn of(self, language: LanguageCode) -> f32 {
        if language == LanguageCode::EN { self.english } else { self.other }
    }
}

/// Quotes the evidence.
#[derive(Clone)]
pub struct Extractive {
    embed: Arc<dyn Embed>,
    min_fit: MinFit,
}

impl fmt::Debug for Extractive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extractive({})", self.embed.id())
    }
}

impl Extractive {
    /// A drafter that compares by the vectors of `embed`.
    #[must_use]
    pub fn new(embed: Arc<dyn Embed>) -> Self {
        Self::with_min_fit(embed, MinFit::default())
    }

    /// A drafter that is more or less easily satisfied.
    #[must_use]
    pub fn with_min_fit(embed: Arc<dyn Embed>, min_fit: MinFit) -> Self {
        Self { embed, min_fit }
    }
}

impl ChatModel for Extractive {
    fn id(&self) -> &str {
        "extractive"
    }

    fn prompt_budget(&self) -> Option<usize> {
        None
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn draft<'a>(
        &'a self,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<DraftOutcome, ChatError>> {
        lazy(|_| Ok(blocking(|| draft(&*self.embed, self.min_fit, &request.draft)))).boxed()
    }
}

/// Encoding takes some tens of milliseconds; other tasks of the thread go on meanwhile.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let multi = tokio::runtime::Handle::try_current()
        .is_ok_and(|h| h.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if multi { tokio::task::block_in_place(work) } else { work() }
}

/// Drafts a reply from the request's passages. The same request and vectors give the same outcome.
#[must_use]
pub fn draft(embed: &dyn Embed, min_fit: MinFit, request: &DraftRequest) -> DraftOutcome {
    let Asks { asks, only_thanks, explicit } =
        asks::split(request.message.as_str(), request.subject.as_ref().map(|s| s.as_str()));
    // Who is content and asks nothing wants no answer but thanks.
    if only_thanks || (!explicit && !asks.is_empty() && request.mood > SentimentLabel::Neutral) {
        return DraftOutcome::Draft(welcome(request));
    }
    if request.passages.is_empty() || asks.is_empty() {
        let reason =
            if asks.is_empty() { NoMatchReason::NotAnswered } else { NoMatchReason::NoPassages };
        return DraftOutcome::NoMatch { reason, best_score: 0.0 };
    }
    let evidence = Evidence::read(embed, &request.passages);
    let texts: Vec<&str> = asks.iter().map(|a| a.text.as_str()).collect();
    let choice = Choice::make(&evidence, &asks, &Probe::read(embed, &texts), (min_fit, request));
    if choice.picked.is_empty() {
        return DraftOutcome::NoMatch {
            reason: NoMatchReason::LowScore,
            best_score: choice.best_fit,
        };
    }
    let mut reply = compose(&choice.picked, request);
    reply.alternatives = alternatives(&choice, &evidence, request);
    reply.unanswered = choice.unanswered;
    DraftOutcome::Draft(reply)
}

/// A quote that answers an ask.
#[derive(Debug, Clone)]
struct Pick<'e> {
    quote: &'e Quote,
    /// Which of the customer's questions it answers.
    ask: usize,
    fit: f32,
}

impl Pick<'_> {
    fn fits(&self, min_fit: MinFit) -> bool {
        self.fit >= min_fit.of(self.quote.language)
    }
}

/// What will be said, and what can't.
struct Choice<'e> {
    /// In the order of the reply.
    picked: Vec<Pick<'e>>,
    unanswered: Vec<String>,
    /// The best fit of any quote to any question, 0–1.
    best_fit: f32,
    /// The best quote of each passage that was not picked from.
    others: Vec<Pick<'e>>,
}

impl<'e> Choice<'e> {
    fn make(
        evidence: &'e Evidence,
        asks: &[Ask],
        probes: &[Probe],
        (min_fit, request): (MinFit, &DraftRequest),
    ) -> Self {
        let mut choice = Choice {
            picked: Vec::new(),
            unanswered: Vec::new(),
            best_fit: 0.0,
            others: Vec::new(),
        };
        let room = if request.channel == ChannelKind::Sms { MAX_BRIEF.0 } else { MAX_QUOTES };
        let ranked: Vec<Vec<Pick<'e>>> = (0..)
            .zip(probes)
            .map(|(ask, probe)| rank(evidence, probe, ask, request.language))
            .collect();
        // Every question gets its best sentence before any gets a second one.
        let mut leaders = Vec::new();
        for (ask, ranking) in asks.iter().zip(&ranked) {
            choice.best_fit =
                ranking.first().map_or(choice.best_fit, |p| choice.best_fit.max(p.fit));
            match ranking.first().filter(|p| p.fits(min_fit)) {
                Some(best) if leaders.len() < room => leaders.push(best.clone()),
                _ => choice.unanswered.push(ask.text.clone()),
            }
        }
        // One reply, one language: that of the best answer.
        let best = leaders.iter().max_by(|a, b| a.fit.total_cmp(&b.fit));
        let language = best.map_or(LanguageCode::EN, |p| p.quote.language);
        leaders.retain(|p| {
            let keep = p.quote.language == language;
            if !keep {
                choice.unanswered.push(asks[p.ask].text.clone());
            }
            keep
        });
        for best in &leaders {
            choice.add(best, room);
        }
        for best in &leaders {
            let beside = companions(best, evidence, &ranked[best.ask], asks[best.ask].wants_steps);
            beside.iter().for_each(|p| choice.add(p, room));
        }
        choice.picked.sort_by_key(|p| (p.ask, p.quote.passage, p.quote.place));
        let used: Vec<usize> = choice.picked.iter().map(|p| p.quote.passage).collect();
        for pick in
            ranked.iter().flatten().filter(|p| p.fits(min_fit) && p.quote.language == language)
        {
            let known = |o: &Pick<'_>| o.quote.passage == pick.quote.passage;
            if !used.contains(&pick.quote.passage) && !choice.others.iter().any(known) {
                choice.others.push(pick.clone());
            }
        }
        choice
    }

    fn add(&mut self, pick: &Pick<'e>, room: usize) {
        let same = |p: &Pick<'_>| p.quote.text == pick.quote.text;
        if self.picked.len() < room && !self.picked.iter().any(same) {
            self.picked.push(pick.clone());
        }
    }
}

/// Quotes for one question, best first; ties in the order of the passages.
fn rank<'e>(
    evidence: &'e Evidence,
    probe: &Probe,
    ask: usize,
    language: LanguageCode,
) -> Vec<Pick<'e>> {
    let mut all: Vec<Pick<'e>> = evidence
        .quotes
        .iter()
        .map(|quote| Pick { quote, ask, fit: evidence.fit(probe, quote) })
        .collect();
    let at_home = |p: &Pick<'_>| if p.quote.language == language { HOME_BONUS } else { 0.0 };
    all.sort_by(|a, b| (b.fit + at_home(b)).total_cmp(&(a.fit + at_home(a))));
    all
}

/// What belongs beside the best sentence: the one it leans on, the other steps of its list, and what follows in the
/// passage if it fits nearly as well.
fn companions<'e>(
    best: &Pick<'e>,
    evidence: &'e Evidence,
    ranking: &[Pick<'e>],
    wants_steps: bool,
) -> Vec<Pick<'e>> {
    let here = best.quote;
    let neighbour = |place: usize| {
        evidence.quotes.iter().find(|q| q.passage == here.passage && q.place == place)
    };
    let pick = |quote: &'e Quote| Pick { quote, ask: best.ask, fit: best.fit };
    let mut beside: Vec<Pick<'e>> = Vec::new();
    if here.leans {
        beside.extend(here.place.checked_sub(1).and_then(neighbour).map(pick));
    }
    if wants_steps && here.list.is_some() {
        let of_list =
            |q: &&Quote| q.passage == here.passage && q.list == here.list && q.place != here.place;
        beside.extend(evidence.quotes.iter().filter(of_list).map(pick));
        return beside;
    }
    let near = |p: &&Pick<'e>| {
        let close = p.quote.passage == here.passage && p.quote.place.abs_diff(here.place) <= 2;
        close && p.quote.place != here.place && p.fit >= best.fit * COMPANION
    };
    beside.extend(ranking.iter().filter(near).take(2).cloned());
    beside
}

/// A reply to a message that asks nothing.
fn welcome(request: &DraftRequest) -> Draft {
    let (language, phrases) = phrases::of(request.language);
    let mut sentences = greeting(phrases, request);
    push(&mut sentences, phrases.welcome, "\n\n");
    close(&mut sentences, phrases, request);
    Draft::new(sentences, Tone::Friendly, language)
}

/// Greeting, courtesy, the quotes (a paragraph for each question), closing.
fn compose(picked: &[Pick<'_>], request: &DraftRequest) -> Draft {
    let of_evidence = picked.first().map_or(request.language, |p| p.quote.language);
    let (language, phrases) = phrases::of(of_evidence);
    let tone = request.tone();
    let mut sentences = greeting(phrases, request);
    let brief = request.channel == ChannelKind::Sms;
    if !brief && (request.channel == ChannelKind::Email || tone != Tone::Neutral) {
        push(&mut sentences, phrases.opening(tone), "\n\n");
    }
    let mut chars = 0;
    let mut last: Option<&Pick<'_>> = None;
    for pick in picked {
        let text = whole_sentence(&pick.quote.text);
        chars += text.chars().count();
        if brief && chars > MAX_BRIEF.1 && last.is_some() {
            break;
        }
        let before = match last {
            _ if sentences.is_empty() => "",
            None if request.channel != ChannelKind::Email => " ",
            None => "\n\n",
            Some(l) if l.ask == pick.ask && pick.quote.list.is_some() && l.quote.list.is_some() => {
                "\n"
            }
            Some(l) if l.ask == pick.ask || brief => " ",
            Some(_) => "\n\n",
        };
        sentences.push(Sentence::statement(before, text, vec![pick.quote.passage]));
        last = Some(pick);
    }
    close(&mut sentences, phrases, request);
    Draft::new(sentences, tone, language)
}

fn greeting(phrases: &phrases::Phrases, request: &DraftRequest) -> Vec<Sentence> {
    let text = match (request.channel, &request.addressee) {
        (ChannelKind::Sms, _) => return Vec::new(),
        (ChannelKind::Email, Some(name)) => phrases.greeting_named.replace("{}", name.as_str()),
        (ChannelKind::Email, None) => phrases.greeting.to_owned(),
        // In mid-conversation nobody says hello again.
        _ if request.history.is_empty() => phrases.chat_greeting.to_owned(),
        _ => return Vec::new(),
    };
    vec![Sentence::courtesy("", text)]
}

/// Adds a courtesy; one that does not follow a greeting with a comma begins with a capital.
fn push(sentences: &mut Vec<Sentence>, text: &str, paragraph: &str) {
    let after_comma = sentences.last().is_some_and(|s| s.text.ends_with(','));
    let before = match sentences.last() {
        None => "",
        Some(s) if s.text.ends_with([',', ':']) => paragraph,
        Some(_) => " ",
    };
    let text = if after_comma { text.to_owned() } else { capitalised(text) };
    sentences.push(Sentence::courtesy(before, text));
}

fn close(sentences: &mut Vec<Sentence>, phrases: &phrases::Phrases, request: &DraftRequest) {
    if request.channel == ChannelKind::Email {
        sentences.push(Sentence::courtesy("\n\n", phrases.closing));
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A list item may lack its full stop.
fn whole_sentence(text: &str) -> String {
    let text = text.trim_end_matches([',', ';']);
    let ended = text.ends_with(['.', '!', '?', '。', '！', '…', ')', '"', '”', '»']);
    if ended { text.to_owned() } else { format!("{text}.") }
}

/// The same in fewer words, and what another article says.
fn alternatives(choice: &Choice<'_>, evidence: &Evidence, request: &DraftRequest) -> Vec<String> {
    let mut offered = Vec::new();
    let best = choice.picked.iter().max_by(|a, b| a.fit.total_cmp(&b.fit).then(b.ask.cmp(&a.ask)));
    if choice.picked.len() > 1 {
        offered.extend(best.map(|p| compose(std::slice::from_ref(p), request).text));
    }
    for other in &choice.others {
        let mut picked = vec![other.clone()];
        let before =
            |q: &&Quote| q.passage == other.quote.passage && q.place + 1 == other.quote.place;
        if other.quote.leans {
            picked.extend(
                evidence.quotes.iter().find(before).map(|quote| Pick { quote, ..other.clone() }),
            );
            picked.sort_by_key(|p| p.quote.place);
        }
        offered.push(compose(&picked, request).text);
    }
    offered.truncate(MAX_ALTERNATIVES);
    offered
}

#[cfg(test)]
mod tests;
