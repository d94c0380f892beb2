//! The document of `lp explain --json`.

use serde::Serialize;
use serde_json::{Value, json};

use super::chain::Chains;
use super::origin::place_text;
use super::sentence::Explanation;
use super::words::Cause;
use crate::diag::Place;
use crate::engine::standing::Standing;
use crate::graph::TaskId;
use crate::path::ProjectPath;
use crate::store::stale::StaleReason;

impl Explanation<'_> {
    /// A task with its reasons.
    pub(super) fn json(&self, id: TaskId) -> Value {
        let chains = Chains::of(self.graph, self.standings, id);
        let roots = chains.roots();
        let root = roots.first().copied();
        let labels = |ids: &[TaskId]| ids.iter().map(|id| self.label(*id)).collect::<Vec<_>>();
        let more = roots.iter().skip(1);
        json!({
            "label": self.label(id),
            "state": word(&self.standings[&id]),
            "text": self.sentence(id),
            "chain": root.map_or(Vec::new(), |root| labels(&chains.way_to(root))),
            "reasons": root.map_or(Vec::new(), |root| self.reasons(root)),
            "more": more.map(|id| json!({
                "label": self.label(*id),
                "state": word(&self.standings[id]),
                "reasons": self.reasons(*id),
            })).collect::<Vec<_>>(),
            "last": self.last(id).map(|last| json!({
                "started": last.started,
                "outcome": last.outcome,
                "detail": last.detail,
            })),
        })
    }

    fn reasons(&self, id: TaskId) -> Vec<Reason> {
        if let Standing::Restorable(_, damage) = &self.standings[&id] {
            let lost = |path: &ProjectPath, verb: &str| Reason {
                reason: damage.lost(path),
                text: format!("output `{path}` was {verb}"),
                note: None,
                place: None,
            };
            let deleted = damage.deleted.iter().map(|path| lost(path, "deleted"));
            return deleted.chain(damage.changed.iter().map(|path| lost(path, "changed"))).collect();
        }
        let place = |place: Place| {
            let position = self.opened.sources.position(place.file, place.start);
            json!({
                "file": self.opened.sources.name(place.file),
                "line": position.line,
                "column": position.column,
                "text": place_text(&self.opened.sources, place),
            })
        };
        let reason = |Cause { text, origin, reason }| Reason {
            reason,
            text,
            note: origin.note,
            place: origin.place.map(place),
        };
        self.causes(id).into_iter().map(reason).collect()
    }
}

/// A reason as JSON.
#[derive(Serialize)]
struct Reason {
    #[serde(flatten)]
    reason: StaleReason,
    text: String,
    note: Option<String>,
    place: Option<Value>,
}

fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Fresh => "fresh",
        Standing::Restorable(..) => "restorable",
        Standing::New => "new",
        Standing::Stale(_) | Standing::After { .. } => "stale",
    }
}
