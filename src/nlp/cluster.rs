//! Groups of messages that nobody has a name for yet: leader clustering by cosine, then rounds in which
//! every message goes to the nearest centre. Nothing is drawn at random, so the same messages in the
//! same order give the same groups.

/// Rounds of moving messages to the nearest centre; more change next to nothing.
const ROUNDS: usize = 5;

/// A group of vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Their positions in what was given, the nearest to the centre first.
    pub members: Vec<usize>,
    /// Mean cosine of the members to their centre, −1 to 1.
    pub cohesion: f32,
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn normalised(mut v: Vec<f32>) -> Vec<f32> {
    let length = dot(&v, &v).sqrt();
    if length > f32::EPSILON {
        v.iter_mut().for_each(|x| *x /= length);
    }
    v
}

/// The mean of vectors, of length one.
fn centre<'a>(all: impl Iterator<Item = &'a [f32]>, dims: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dims];
    for v in all {
        sum.iter_mut().zip(v).for_each(|(s, x)| *s += x);
    }
    normalised(sum)
}

/// The nearest centre and its cosine; of equally near ones the first.
fn nearest(v: &[f32], centres: &[Vec<f32>]) -> Option<(usize, f32)> {
    let all = centres.iter().map(|c| dot(v, c)).enumerate();
    all.fold(None, |best, (i, s)| match best {
        Some((_, b)) if b >= s => best,
        _ => Some((i, s)),
    })
}

/// Groups vectors of length one and equal dimension: two belong together when both are at least
/// `threshold` (a cosine) from their centre. Groups of fewer than `least` are left out. Largest first.
#[must_use]
pub fn clusters(vectors: &[Vec<f32>], threshold: f32, least: usize) -> Vec<Cluster> {
    let dims = vectors.first().map_or(0, Vec::len);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut centres: Vec<Vec<f32>> = Vec::new();
    for (i, v) in vectors.iter().enumerate() {
        match nearest(v, &centres).filter(|(_, s)| *s >= threshold) {
            Some((g, _)) => {
                groups[g].push(i);
                centres[g] = centre(groups[g].iter().map(|m| vectors[*m].as_slice()), dims);
            }
            None => {
                groups.push(vec![i]);
                centres.push(v.clone());
            }
        }
    }
    for _ in 0..ROUNDS {
        let mut next = vec![Vec::new(); centres.len()];
        for (i, v) in vectors.iter().enumerate() {
            if let Some((g, _)) = nearest(v, &centres).filter(|(_, s)| *s >= threshold) {
                next[g].push(i);
            }
        }
        if next == groups {
            break;
        }
        for (g, members) in next.iter().enumerate().filter(|(_, m)| !m.is_empty()) {
            centres[g] = centre(members.iter().map(|m| vectors[*m].as_slice()), dims);
        }
        groups = next;
    }
    let mut found: Vec<Cluster> = groups
        .into_iter()
        .zip(&centres)
        .filter(|(members, _)| members.len() >= least.max(1))
        .map(|(members, c)| cluster(members, c, vectors))
        .collect();
    found.sort_by(|a, b| {
        b.members.len().cmp(&a.members.len()).then(b.cohesion.total_cmp(&a.cohesion))
    });
    found
}

fn cluster(members: Vec<usize>, centre: &[f32], vectors: &[Vec<f32>]) -> Cluster {
    let mut scored: Vec<(usize, f32)> =
        members.into_iter().map(|m| (m, dot(&vectors[m], centre))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let cohesion = scored.iter().map(|(_, s)| s).sum::<f32>() / scored.len().max(1) as f32;
    Cluster { members: scored.into_iter().map(|(m, _)| m).collect(), cohesion }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vector near the axis `axis`, turned a little by `n`.
    fn near(axis: usize, n: usize) -> Vec<f32> {
        let mut v = vec![0.0; 8];
        v[axis] = 1.0;
        v[(axis + 1 + n % 3) % 8] = 0.2 + 0.01 * n as f32;
        normalised(v)
    }

    #[test]
    fn what_lies_together_is_found_and_the_rest_left_out() {
        let mut all: Vec<Vec<f32>> = (0..9).map(|n| near(0, n)).collect();
        all.extend((0..5).map(|n| near(4, n)));
        all.push(near(7, 0));
        let found = clusters(&all, 0.8, 3);
        assert_eq!(found.len(), 2, "{found:?}");
        let sorted = |c: &Cluster| {
            let mut m = c.members.clone();
            m.sort_unstable();
            m
        };
        assert_eq!(sorted(&found[0]), (0..9).collect::<Vec<_>>());
        assert_eq!(sorted(&found[1]), (9..14).collect::<Vec<_>>());
        assert!(found.iter().all(|c| c.cohesion > 0.9 && c.cohesion <= 1.0001), "{found:?}");
        assert_eq!(clusters(&all, 0.8, 3), found, "the same again");
        assert!(clusters(&all, 0.8, 10).is_empty());
    }

    #[test]
    fn nothing_and_nonsense_give_nothing() {
        assert!(clusters(&[], 0.5, 1).is_empty());
        let zero = vec![vec![0.0; 4]; 3];
        assert!(clusters(&zero, 0.5, 2).is_empty());
    }

    #[test]
    fn the_first_member_is_the_nearest_to_the_centre() {
        let all = vec![near(0, 9), near(0, 0), near(0, 0), near(0, 0)];
        let found = clusters(&all, 0.7, 2);
        assert_eq!(found[0].members[0], 1, "{found:?}");
    }
}
