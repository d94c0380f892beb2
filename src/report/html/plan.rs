//! The plan as a picture: each camera, its pipelines, and the steps of each from the source to the sink.
//!
//! It is a list of lists, drawn by the style: a screen reader reads it, a phone breaks its lines, and a
//! lane of any size is as sharp as a small one. Not here: properties, models' files and digests
//! (`subject`).

use maud::{Markup, html as markup};

use super::words::breakable;
use crate::record::{Member, RunRecord, StreamRecord};
use crate::report::subject::{member_picture, originals, source_in_short, step};
use crate::text::harmless_lines;

/// The picture; nothing for a run without pipelines and scripts.
pub(in crate::report) fn plan(record: &RunRecord) -> Markup {
    let cameras: Vec<&Member> = originals(record)
        .into_iter()
        .filter(|member| !member.streams.is_empty() || !member.scripts.is_empty())
        .collect();
    let copies = record.conditions.count;
    markup! {
        @if !cameras.is_empty() {
            div class="card" {
                ul class="plan" aria-label="Each camera with its pipelines and their steps" {
                    @for member in cameras {
                        li {
                            span class="box source" { b { (harmless_lines(&member.camera)) } (source(member)) }
                            ul {
                                @for stream in &member.streams { li { (pipeline(member, stream)) } }
                                @for script in &member.scripts {
                                    li {
                                        span class="box name" { b { (harmless_lines(&script.stream)) } (breakable(&script.workloads.join(", "))) }
                                        span class="box step" { "script " (harmless_lines(&script.script)) }
                                    }
                                }
                            }
                        }
                    }
                }
                @if copies > 1 { p class="soft small" { "Played as " (copies) " copies." } }
            }
        }
    }
}

/// What it plays, and in which size: `clip, 640x360 at 15 fps`.
fn source(member: &Member) -> Markup {
    markup! {
        @if let Some(configured) = &member.configured {
            (source_in_short(configured)) ", " (member_picture(member, configured))
        }
    }
}

fn pipeline(member: &Member, stream: &StreamRecord) -> Markup {
    // Streams of one pipeline are decoded once, by that of the first.
    let first = member.streams.iter().find(|other| stream.shares_decode_with.contains(&other.stream));
    let is_later = |other: &StreamRecord| {
        let place = |name: &str| member.streams.iter().position(|one| one.stream == name);
        place(&other.stream) < place(&stream.stream)
    };
    let shared = first.filter(|other| is_later(other));
    markup! {
        span class="box name" { b { (harmless_lines(&stream.stream)) } (breakable(&stream.workloads.join(", "))) }
        @match shared {
            Some(other) => span class="box soft" { "decoded with " (harmless_lines(&other.stream)) },
            None => span class="box soft" { "decode" },
        }
        @for one in &stream.steps { span class="box step" { (harmless_lines(&step(one))) } }
        span class="box soft" { "sink" }
    }
}
