//! What the taxonomy adds to an intent: the one above it, and where the message goes.

use super::taxonomy::Taxonomy;
use crate::domain::triage::{Abstention, Intent, IntentLabel, Probability, Routing, Scored};

/// Fills in `parent` and `routing`. `probabilities` are those of all labels. Where the head isn't sure enough
/// of one intent but is of all below a common one together, that parent's routing is given.
pub fn complete<'a>(
    intent: &mut Intent,
    probabilities: impl Iterator<Item = (&'a IntentLabel, f32)> + Clone,
    taxonomy: &Taxonomy,
    threshold: f32,
) {
    let spec = taxonomy.get(&intent.label);
    let together = |above: &IntentLabel| -> f32 {
        probabilities
            .clone()
            .filter(|(label, _)| is_below(taxonomy, label, above))
            .map(|(_, p)| p)
            .sum()
    };
    let scored = |label: &IntentLabel| Scored {
        label: label.clone(),
        confidence: Probability::clamped(together(label)),
    };
    let above = spec.and_then(|spec| spec.parent.as_ref());
    match intent.reason {
        None => {
            intent.parent = above.map(scored);
            intent.routing = spec.map_or_else(Routing::default, |spec| spec.routing());
        }
        Some(Abstention::Unsure) => {
            let groups = |label: &IntentLabel| {
                taxonomy.intents().iter().any(|other| other.parent.as_ref() == Some(label))
            };
            let candidate = above.or_else(|| Some(&intent.label).filter(|label| groups(label)));
            let sure = candidate.map(scored).filter(|s| s.confidence.get() >= threshold);
            let spec = sure.as_ref().and_then(|s| taxonomy.get(&s.label));
            intent.routing = spec.map_or_else(Routing::default, |spec| spec.routing());
            intent.parent = sure;
        }
        Some(_) => {}
    }
}

/// Whether an intent is `above` or a special case of it.
fn is_below(taxonomy: &Taxonomy, label: &IntentLabel, above: &IntentLabel) -> bool {
    let mut current = Some(label);
    while let Some(label) = current {
        if label == above {
            return true;
        }
        current = taxonomy.get(label).and_then(|spec| spec.parent.as_ref());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taxonomy() -> Taxonomy {
        let intent = |name: &str, extra: &str, count: usize| {
            let list: Vec<String> = (0..count).map(|i| format!("\"{name} {i}\"")).collect();
            format!(
                "[[intent]]\nname = \"{name}\"\ndescription = \"d\"\n{extra}\nexamples = [{}]\n",
                list.join(",")
            )
        };
        let text = "[taxonomy]\nname = \"t\"\n".to_owned()
            + &intent("returns", "queue = \"returns\"\nsla = \"1d\"", 0)
            + &intent("refund", "parent = \"returns\"\nsla = \"4h\"", 5)
            + &intent("exchange", "parent = \"returns\"", 5)
            + &intent("hours", "", 5);
        Taxonomy::parse(&text).unwrap()
    }

    fn decide(p: [f32; 4], threshold: f32) -> Intent {
        let taxonomy = taxonomy();
        let labels: Vec<IntentLabel> =
            taxonomy.intents().iter().map(|spec| spec.name.clone()).collect();
        let best = super::super::calibrate::argmax(&p);
        let reason = (p[best] < threshold).then_some(Abstention::Unsure);
        let mut intent =
            Intent::new(labels[best].clone(), Probability::clamped(p[best]), reason, vec![]);
        complete(&mut intent, labels.iter().zip(p), &taxonomy, threshold);
        intent
    }

    #[test]
    fn a_sure_child_is_routed_by_itself() {
        let intent = decide([0.0, 0.8, 0.1, 0.1], 0.5);
        assert_eq!(intent.routing.sla.as_deref(), Some("4h"));
        assert_eq!(intent.routing.queue.as_deref(), Some("returns"));
        let parent = intent.parent.unwrap();
        assert_eq!((parent.label.as_str(), parent.confidence.get()), ("returns", 0.9));
    }

    #[test]
    fn close_children_are_routed_by_their_parent() {
        let intent = decide([0.02, 0.46, 0.44, 0.08], 0.5);
        assert!(intent.abstained);
        assert_eq!(intent.parent.unwrap().label.as_str(), "returns");
        assert_eq!(intent.routing.sla.as_deref(), Some("1d"));
    }

    #[test]
    fn without_a_sure_parent_nothing_is_routed() {
        for p in [[0.0, 0.3, 0.1, 0.25], [0.1, 0.1, 0.1, 0.3]] {
            let intent = decide(p, 0.5);
            assert!(intent.abstained && intent.parent.is_none());
            assert_eq!(intent.routing, Routing::default());
        }
    }
}
