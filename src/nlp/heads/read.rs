//! From a message and its encoder pass to an analysis.

use std::borrow::Cow;

use super::evidence::Seen;
use super::fit::OFF_TOPIC;
use super::injection::{Orders, Score};
use super::places::Places;
use super::summary::summary;
use super::surface::Surface;
use super::trained::{self, Head, Task};
use super::urgency::{self, Context, Found, UrgencyRules};
use super::{Input, Triage, injection};
use crate::domain::triage::{
    Abstention, Analysis, Cue, Deadline, Intent, Polarity, Probability, Trend,
};
use crate::nlp::encoder::{Embed, Encoding, Reading};

/// Bytes of text whose token states are held at a time: some 4,000 tokens, 20 MB.
const READ_TOGETHER: usize = 16 * 1024;

/// A message of so many words may leave its intent to the thread.
const TERSE: usize = 10;
/// One of so many words that are about nothing does, too.
const BARE: usize = 3;
/// Messages of the thread that are looked at then.
pub const LOOK_BACK: usize = 3;
/// Of an earlier message so many bytes are read: people say at the beginning what they want.
const BEGINNING: usize = 2000;
/// How much of the confidence is left when an intent is taken from the thread.
const HANDED_DOWN: f32 = 0.9;

/// A message with what was seen of it before the heads decide.
struct Message<'a> {
    input: &'a Input<'a>,
    text: &'a str,
    surface: &'a Surface,
    reading: &'a Reading,
    orders: Orders<'a>,
    /// The score of the injection patterns found, and which.
    matched: (f32, Vec<Cue>),
    /// What the shipped injection head says.
    whole: Option<f32>,
}

impl Message<'_> {
    /// What heads see of it that stand beside nothing.
    fn seen(&self) -> trained::Seen<'_> {
        trained::Seen {
            parts: &self.orders.parts,
            patterns: self.matched.0,
            ..trained::Seen::of(self.surface, &self.reading.encoding)
        }
    }

    /// What the readers of orders say of it.
    fn score(&self) -> Score {
        Score { patterns: self.matched.0, sentences: self.orders.probability(), whole: self.whole }
    }
}

impl Triage {
    /// Analyses a message whose [`Input::encoder_text`] was encoded as `encoding`, without its tokens: injected
    /// orders are looked for in the message as a whole only.
    #[must_use]
    pub fn classify(&self, input: &Input<'_>, encoding: &Encoding) -> Analysis {
        self.classify_reading(input, &Reading::whole(encoding.clone()))
    }

    /// Analyses a message by the pass over its [`Input::encoder_text`]. Pure. The history settles the language of
    /// a short answer; its intent needs the history encoded, which [`Triage::read`] does.
    #[must_use]
    pub fn classify_reading(&self, input: &Input<'_>, reading: &Reading) -> Analysis {
        let text = input.encoder_text();
        let surface = self.surface.read(&text, input.history);
        let seen = self.look(input, &text, &surface, reading);
        self.analyse(&seen, &|| None)
    }

    /// What a message's one pass shows.
    fn look<'a>(
        &self,
        input: &'a Input<'a>,
        text: &'a str,
        surface: &'a Surface,
        reading: &'a Reading,
    ) -> Message<'a> {
        let parts = injection::parts(text, surface, reading, &self.surface);
        let orders = Orders::new(parts, &self.fitted.injection);
        let matched = self.patterns.read(text);
        let mut message = Message { input, text, surface, reading, orders, matched, whole: None };
        message.whole = self.whole.as_deref().map(|whole| whole.probability(&message.seen()));
        message
    }

    fn analyse(&self, message: &Message<'_>, of_thread: &dyn Fn() -> Option<Intent>) -> Analysis {
        let Message { input, text, surface, reading, orders, matched, .. } = message;
        let encoding = &reading.encoding;
        let score = message.score();
        let beside = self.trained(Task::Injection).is_some_and(Head::stands_beside);
        let by = trained::Seen {
            orders: if beside { score.joint() } else { score.fitted() },
            spam: self.shipped_spam(surface, encoding),
            ..message.seen()
        };
        let intent = self.own_intent(&by);
        let words = surface.part.words.len();
        let terse = words <= TERSE && intent.reason == Some(Abstention::Unsure);
        let intent = if terse || says_nothing(words, &intent) {
            of_thread().unwrap_or(intent)
        } else {
            intent
        };
        let sentiment = self
            .trained(Task::Sentiment)
            .and_then(|head| head.sentiment(&by))
            .unwrap_or_else(|| self.fitted.sentiment.classify(surface, encoding));
        let spam = self
            .trained(Task::Spam)
            .and_then(|head| head.spam(&by))
            .unwrap_or_else(|| self.fitted.spam.classify(surface, encoding));
        let priority = (!intent.abstained)
            .then(|| self.taxonomy.get(&intent.label))
            .flatten()
            .map(|spec| (spec.priority, spec.name.as_str()));
        let found = self.urgency.find(&surface.part.words);
        let risk = urgency::risk(&found, &surface.part.words, &sentiment);
        let context = Context { priority, sentiment: &sentiment, spam: &spam, vip: input.vip };
        let urgency = UrgencyRules::judge(&found, &context, risk);
        let urgency = match self.trained(Task::Urgency) {
            Some(head) => head.urgency(&by, urgency),
            None => urgency,
        };
        let places = Places::of(input);
        let words = &surface.part.words;
        let deadlines = found.iter().filter_map(Found::deadline).filter_map(|(said, at)| {
            let bytes = words.get(at.start)?.start..words.get(at.end - 1)?.end;
            Some(Deadline { span: places.span(bytes)?, words: said.to_owned() })
        });
        let injection = match self.trained(Task::Injection) {
            Some(head) => head.injection(&by, matched.1.clone()),
            None => {
                let whole = self.whole.as_deref();
                score.verdict(&self.fitted.injection, whole, matched.1.clone())
            }
        };
        let moods: Vec<Polarity> = input.moods.iter().copied().chain([sentiment.score]).collect();
        let mut analysis = Analysis {
            intent,
            sentiment,
            urgency,
            language: surface.language,
            spam,
            injection,
            auto: self.auto.read(words),
            risk,
            trend: Trend::of(&moods),
            deadlines: deadlines.collect(),
            entities: self.mentions.find(text, words, &places, input.explain),
            summary: summary(places.text()),
            versions: self.versions.clone(),
        };
        if input.explain {
            let seen = Seen {
                concepts: &self.surface.concept_places(words),
                surface,
                reading,
                length: text.len(),
                places: &places,
            };
            self.explain(&mut analysis, &seen, &by, (orders, score));
        }
        analysis
    }

    /// Adds the words that moved each decision.
    fn explain(
        &self,
        analysis: &mut Analysis,
        seen: &Seen<'_>,
        by: &trained::Seen<'_>,
        (orders, score): (&Orders<'_>, Score),
    ) {
        let Analysis { intent, sentiment, spam, injection, .. } = analysis;
        let shipped = &*self.fitted;
        intent.evidence = match self.trained(Task::Intent) {
            Some(head) => head.explain(intent.label.as_str(), by, seen, &[]),
            None => shipped.intent.explain(intent, seen),
        };
        let moods = self.surface.moods(seen.surface);
        sentiment.evidence = match self.trained(Task::Sentiment) {
            Some(head) => head.explain(sentiment.label.as_str(), by, seen, &moods),
            None => shipped.sentiment.explain(sentiment, &moods, seen),
        };
        spam.evidence = match self.trained(Task::Spam) {
            // The score is the mean of two: the words of the one that is surer.
            Some(head) if head.stands_beside() && head.own_spam(by) < by.spam => {
                shipped.spam.explain(spam, seen)
            }
            Some(head) => head.explain(spam.label.as_str(), by, seen, &[]),
            None => shipped.spam.explain(spam, seen),
        };
        injection.evidence = match self.trained(Task::Injection) {
            Some(_) if !injection.flagged => Vec::new(),
            Some(head) => {
                // The score is the mean of two heads' scores: the words of the one that is surer.
                let theirs = orders.likeliest().map_or(0.0, |(_, p)| p);
                let surer = head.own_injection(by) <= theirs;
                let said = surer.then(|| shipped.injection.explain(orders, seen));
                said.filter(|words| !words.is_empty())
                    .unwrap_or_else(|| head.explain(super::injection::LABELS[1], by, seen, &[]))
            }
            None => {
                let said = shipped.injection.explain(orders, seen);
                match self.whole.as_deref().filter(|_| injection.flagged) {
                    // The words of the one that is surer.
                    Some(whole) if said.is_empty() || score.whole > Some(score.sentences) => {
                        whole.explain(by, seen)
                    }
                    _ => said,
                }
            }
        };
    }

    /// Whether a second look at the sentences of a message may end in a flag. A trained head makes what it will of
    /// their score, so there it always may.
    fn worth_a_look(&self, message: &Message<'_>) -> bool {
        match (self.whole.as_deref(), message.whole) {
            (Some(whole), Some(p)) if self.trained(Task::Injection).is_none() => {
                whole.may_flag(message.matched.0, p)
            }
            _ => true,
        }
    }

    /// Encodes a message and analyses it. `None` when the encoder gives nothing.
    #[must_use]
    pub fn read(&self, input: &Input<'_>, embed: &dyn Embed) -> Option<Analysis> {
        self.read_batch(std::slice::from_ref(input), embed).pop()
    }

    /// Encodes messages in shared passes and analyses each, in order.
    #[must_use]
    pub fn read_batch(&self, inputs: &[Input<'_>], embed: &dyn Embed) -> Vec<Analysis> {
        let texts: Vec<Cow<'_, str>> = inputs.iter().map(Input::encoder_text).collect();
        let mut analyses = Vec::with_capacity(inputs.len());
        let mut start = 0;
        while start < inputs.len() {
            // Token states are large: a few long texts at a time.
            let mut bytes = 0;
            let more = texts[start..].iter().take_while(|text| {
                bytes += text.len();
                bytes <= READ_TOGETHER
            });
            let end = start + more.count().max(1);
            let pieces: Vec<&str> = texts[start..end].iter().map(Cow::as_ref).collect();
            let readings = embed.read_many(&pieces);
            let surfaces: Vec<Surface> = pieces
                .iter()
                .zip(&inputs[start..end])
                .map(|(text, input)| self.surface.read(text, input.history))
                .collect();
            let mut messages: Vec<Message<'_>> = inputs[start..end]
                .iter()
                .zip(&pieces)
                .zip(surfaces.iter().zip(&readings))
                .map(|((input, text), (surface, reading))| self.look(input, text, surface, reading))
                .collect();
            self.look_again(&mut messages, embed);
            for message in &messages {
                let of_thread = || self.thread_intent(message.input.history, embed);
                analyses.push(self.analyse(message, &of_thread));
            }
            start = end;
        }
        analyses
    }

    /// Encodes the suspect sentences of messages by themselves, together, where that can end in a flag. Most batches
    /// have none, and make no second pass.
    fn look_again(&self, messages: &mut [Message<'_>], embed: &dyn Embed) {
        let suspects: Vec<(usize, usize)> = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| self.worth_a_look(message))
            .flat_map(|(i, message)| message.orders.suspects().into_iter().map(move |at| (i, at)))
            .collect();
        if suspects.is_empty() {
            return;
        }
        let sentence = |(i, at): &(usize, usize)| {
            let message = messages.get(*i)?;
            message.text.get(message.orders.parts.get(*at)?.bytes.clone())
        };
        let sentences: Vec<&str> = suspects.iter().filter_map(sentence).collect();
        for ((i, at), encoding) in suspects.into_iter().zip(embed.embed(&sentences)) {
            messages[i].orders.look_again(at, encoding, &self.fitted.injection);
        }
    }

    /// The score of the built-in spam head, where a learnt one stands beside it.
    fn shipped_spam(&self, surface: &Surface, encoding: &Encoding) -> f32 {
        let beside = self.trained(Task::Spam).filter(|head| head.stands_beside());
        beside.map_or(0.0, |_| self.fitted.spam.classify(surface, encoding).score.get())
    }

    /// The intent of a text by itself.
    fn own_intent(&self, by: &trained::Seen<'_>) -> Intent {
        let head = self.trained(Task::Intent);
        let shipped = || self.fitted.intent.classify(by.surface, by.encoding, &self.taxonomy);
        head.and_then(|head| head.intent(by, &self.taxonomy)).unwrap_or_else(shipped)
    }

    /// What the latest messages of a thread were about: the intent of the latest that has one, less sure than it
    /// was then.
    fn thread_intent(&self, history: &[&str], embed: &dyn Embed) -> Option<Intent> {
        let latest: Vec<&str> =
            history.iter().rev().take(LOOK_BACK).map(|t| beginning(t)).collect();
        if latest.is_empty() {
            return None;
        }
        let encodings = embed.embed(&latest);
        latest.iter().zip(&encodings).find_map(|(text, encoding)| {
            let surface = self.surface.read(text, &[]);
            let intent = self.own_intent(&trained::Seen::of(&surface, encoding));
            let confidence = Probability::clamped(intent.confidence.get() * HANDED_DOWN);
            let skipped = intent.abstained || says_nothing(surface.part.words.len(), &intent);
            (!skipped).then_some(Intent { confidence, from_thread: true, ..intent })
        })
    }
}

/// As much of an earlier message as is read to know what the thread is about.
#[must_use]
pub fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(BEGINNING)]
}

/// Whether a text is short enough that its intent may be taken from the thread. It may say so of one that turns out
/// to have a few words too many.
#[must_use]
pub fn may_look_back(text: &str) -> bool {
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    words.take(TERSE + 1).count() <= TERSE
}

/// Whether a message has few words and they are about nothing: "and?", "see above". By itself it is off topic; in a
/// thread it goes on with what the thread is about.
fn says_nothing(words: usize, intent: &Intent) -> bool {
    words <= BARE
        && (intent.label.as_str() == OFF_TOPIC || intent.reason == Some(Abstention::OutOfScope))
}
