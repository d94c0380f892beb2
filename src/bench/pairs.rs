//! Which runs of two configurations belong together: neighbours in time.
//!
//! Runs that follow each other met the same temperature, the same other programs and the same
//! clock rate, so their difference says more than that of two means. A run of last week has no partner
//! among those of today. The rule looks at times alone, so a benchmark that was stopped, and goes on
//! later, finds the pairs that it has made before.

/// Neighbours that are further apart are no pair, in milliseconds; long runs may be as far apart as
/// they take.
const APART_MS: i64 = 10 * 60 * 1000;

/// When a run was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Milliseconds since 1970.
    pub begin_ms: i64,
    pub end_ms: i64,
}

/// The pairs of two configurations, as indices of their runs, in the order of time. Each run is in one
/// pair at most, and no other run of the two lies between those of a pair.
#[must_use]
pub fn pairs(baseline: &[Span], candidate: &[Span]) -> Vec<(usize, usize)> {
    let all = |spans: &[Span], is_candidate: bool| {
        let spans: Vec<_> =
            spans.iter().enumerate().map(|(index, span)| (*span, is_candidate, index)).collect();
        spans
    };
    let mut runs = [all(baseline, false), all(candidate, true)].concat();
    runs.sort_by_key(|(span, is_candidate, index)| (span.begin_ms, *is_candidate, *index));
    let (mut pairs, mut at) = (Vec::new(), 0);
    while let Some([one, other]) = runs.get(at..at + 2) {
        let length_ms = (one.0.end_ms - one.0.begin_ms).max(other.0.end_ms - other.0.begin_ms);
        let apart_ms = other.0.begin_ms - one.0.end_ms;
        if one.1 == other.1 || apart_ms > APART_MS.max(length_ms) {
            at += 1;
            continue;
        }
        pairs.push(if other.1 { (one.2, other.2) } else { (other.2, one.2) });
        at += 2;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// Runs of a minute that begin at these minutes.
    fn at(minutes: &[i64]) -> Vec<Span> {
        let span = |minute: &i64| Span { begin_ms: minute * MINUTE, end_ms: (minute + 1) * MINUTE };
        minutes.iter().map(span).collect()
    }

    #[test]
    fn neighbours_are_a_pair_whichever_came_first() {
        assert_eq!(pairs(&at(&[0, 3, 4]), &at(&[1, 2, 5])), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(pairs(&at(&[1, 2]), &at(&[0, 3])), [(0, 0), (1, 1)]);
    }

    #[test]
    fn a_run_that_lacks_its_partner_is_in_no_pair() {
        // The second of the baseline is there twice, as its partner was disturbed.
        assert_eq!(pairs(&at(&[0, 2, 4]), &at(&[1, 5])), [(0, 0), (2, 1)]);
        assert_eq!(pairs(&at(&[0, 2, 4]), &[]), []);
    }

    #[test]
    fn runs_of_another_day_are_no_partners() {
        let baseline = at(&[-3000, -2999, -2998, 1]);
        assert_eq!(pairs(&baseline, &at(&[0, 2])), [(3, 0)]);
        // Runs of an hour may be so far apart.
        let hour = |begin: i64| Span { begin_ms: begin * MINUTE, end_ms: (begin + 60) * MINUTE };
        assert_eq!(pairs(&[hour(0)], &[hour(100)]), [(0, 0)]);
        assert_eq!(pairs(&[hour(0)], &[hour(121)]), []);
    }
}
