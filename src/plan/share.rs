//! Which pipelines of a camera are played as one, because their first steps
//! agree: `run.share = "prefix"`.
//!
//! A *shared* pipeline decodes once, does the first steps once, and branches
//! after them. Pipelines that agree in more steps share more, within it. Only
//! steps of a main chain count, and none from a `tee` on, whose side branches
//! belong to one workload, or from a `gvapython` on, which gets the name of its stream.
//!
//! Not here: the elements of a shared pipeline (`dialect`).

use serde::{Deserialize, Serialize};

use super::PlannedPipeline;
use crate::model::{Step, main_chain};

/// Pipelines of a camera that are played as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedPrefix {
    /// Their indices, ascending; two or more.
    pub pipelines: Vec<u32>,
    /// How many first steps all of them share, at least 1, besides the source
    /// and the decoder.
    pub steps: usize,
    /// Those among them that share more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<SharedPrefix>,
}

/// The pipelines that share, in the order of their first. Those that cannot be
/// played share nothing.
#[must_use]
pub fn shared(pipelines: &[PlannedPipeline]) -> Vec<SharedPrefix> {
    let playable: Vec<&PlannedPipeline> = pipelines.iter().filter(|one| one.unsupported.is_none()).collect();
    groups(&playable, 0)
}

/// Groups of pipelines that agree in the step `depth`, having agreed in all
/// before it.
fn groups(pipelines: &[&PlannedPipeline], depth: usize) -> Vec<SharedPrefix> {
    let mut groups: Vec<Vec<&PlannedPipeline>> = Vec::new();
    for pipeline in pipelines {
        let Some(step) = step(pipeline, depth) else { continue };
        let agrees = |group: &Vec<&PlannedPipeline>| {
            group.first().and_then(|first| self::step(first, depth)).is_some_and(|first| first == step)
        };
        match groups.iter_mut().find(|group| agrees(group)) {
            Some(group) => group.push(pipeline),
            None => groups.push(vec![pipeline]),
        }
    }
    groups.into_iter().filter(|group| group.len() > 1).map(|group| of_group(&group, depth)).collect()
}

fn of_group(group: &[&PlannedPipeline], depth: usize) -> SharedPrefix {
    let agree = |depth: &usize| {
        let first = step(group[0], *depth);
        first.is_some_and(|first| {
            group[1..].iter().all(|other| step(other, *depth).is_some_and(|other| first == other))
        })
    };
    let steps = (depth..).take_while(agree).count() + depth;
    SharedPrefix {
        pipelines: group.iter().map(|pipeline| pipeline.index).collect(),
        steps,
        within: groups(group, steps),
    }
}

/// A step that could be shared.
fn step(pipeline: &PlannedPipeline, depth: usize) -> Option<&Step> {
    let goes_on = |step: &&Step| !matches!(step, Step::Tee(_) | Step::Python(_));
    main_chain(&pipeline.steps).iter().take_while(goes_on).nth(depth)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::tests::step;

    /// Steps of each pipeline as words; a word with `*` begins a side branch.
    #[track_caller]
    fn check(pipelines: &[&str], expect: Expect) {
        let read = |word: &str| {
            let mut step = step(word.trim_start_matches('*'));
            if let (Some(_), Step::Element(element)) = (word.strip_prefix('*'), &mut step) {
                element.from = Some("t".to_owned());
            }
            step
        };
        let pipelines: Vec<PlannedPipeline> = pipelines
            .iter()
            .enumerate()
            .map(|(position, words)| PlannedPipeline {
                index: u32::try_from(position).unwrap() + 1,
                workloads: Vec::new(),
                merged_because: None,
                steps: words.split(' ').map(read).collect(),
                unsupported: words.contains("vlm").then(|| "no".to_owned()),
                launch: None,
            })
            .collect();
        fn text(shared: &SharedPrefix) -> String {
            let within: String = shared.within.iter().map(|inner| format!(" ({})", text(inner))).collect();
            format!("{:?} share {}{within}", shared.pipelines, shared.steps)
        }
        let texts: Vec<String> = shared(&pipelines).iter().map(text).collect();
        expect.assert_eq(&texts.join("\n"));
    }

    #[test]
    fn pipelines_share_the_steps_that_they_begin_with() {
        check(&["a b", "a c", "d"], expect!["[1, 2] share 1"]);
        check(&["a b", "b a"], expect![""]);
        check(&["a", "a b"], expect!["[1, 2] share 1"]);
        check(
            &["a b", "d e", "a c", "d f"],
            expect![[r"
            [1, 3] share 1
            [2, 4] share 1"]],
        );
    }

    #[test]
    fn those_that_agree_further_share_more_within() {
        check(
            &["a b c", "a x", "a b d", "a b c e"],
            expect!["[1, 2, 3, 4] share 1 ([1, 3, 4] share 2 ([1, 4] share 3))"],
        );
    }

    #[test]
    fn tees_side_branches_and_streams_of_their_own_are_not_shared() {
        check(&["a tee b", "a tee c"], expect!["[1, 2] share 1"]);
        check(&["tee a", "tee a b"], expect![""]);
        check(&["a *b", "a *c"], expect!["[1, 2] share 1"]);
        check(&["a gvapython b", "a gvapython c"], expect!["[1, 2] share 1"]);
        check(&["a vlm", "a b"], expect![""]);
    }
}
