//! What OpenVINO really used, by the messages of the worker's own elements: a device may be one of
//! several that were allowed, and a precision one that was not asked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::detect::OPENVINO;
use crate::record::RunRecord;

/// `OpenVINO 2026.4.1 on CPU, f32, 1 thread`, once for each combination; `None` without such messages.
pub(super) fn used(record: &RunRecord) -> Option<String> {
    let streams = record.members.iter().flat_map(|member| &member.streams);
    let messages = streams.flat_map(|stream| &stream.sightings).filter(|one| one.message == OPENVINO);
    let used: BTreeSet<String> = messages.map(|message| in_words(&message.fields)).collect();
    (!used.is_empty()).then(|| used.into_iter().collect::<Vec<_>>().join("; "))
}

fn in_words(fields: &BTreeMap<String, String>) -> String {
    let field = |name: &str| fields.get(name).map(String::as_str);
    // `2026.4.1-22982-e213a147257-releases/2026/4`
    let version =
        field("version").and_then(|version| version.split('-').next()).unwrap_or("of unknown version");
    let threads = field("threads").map(|n| format!("{n} {}", if n == "1" { "thread" } else { "threads" }));
    let parts = [
        field("devices").map(|device| format!("on {device}")),
        field("precision").map(str::to_owned),
        threads,
    ];
    format!("OpenVINO {version} {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openvino_does_not_say_is_left_out() {
        let words = |fields: &[(&str, &str)]| {
            in_words(&fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let version = ("version", "2026.4.1-22982-e213a147257-releases/2026/4");
        let cpu = [version, ("devices", "CPU"), ("precision", "f32"), ("threads", "1"), ("streams", "1")];
        assert_eq!(words(&cpu), "OpenVINO 2026.4.1 on CPU, f32, 1 thread");
        // `AUTO` tells the device alone.
        assert_eq!(words(&[version, ("devices", "GPU")]), "OpenVINO 2026.4.1 on GPU");
    }
}
