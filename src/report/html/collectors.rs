//! The programs of the user's beside a run: what each was, how well its output could be read, and
//! what makes its series doubtful.

use maud::{Markup, html as markup};

use crate::record::collector::CollectorRecord;
use crate::report::{NONE, Report};
use crate::text::{counted, harmless_lines};

/// The table; nothing without such programs.
pub(in crate::report) fn collectors(report: &Report<'_>) -> Markup {
    let collectors = &report.record.collectors;
    markup! {
        @if !collectors.is_empty() {
            details class="card scroll" {
                summary { b { (counted(collectors.len(), "collector")) } " beside the run" }
                p { "Their outputs are in the run's folder, " code { (report.run) "/collectors" } "." }
                table class="cards" {
                    thead { tr {
                        th scope="col" { "Collector" } th scope="col" { "Command" } th scope="col" { "Parser" }
                        th scope="col" class="num" { "Bytes" } th scope="col" class="num" { "Lines" } th scope="col" class="num" { "Not read" } th scope="col" class="num" { "Values" }
                        th scope="col" { "End" } th scope="col" { "Remarks" }
                    } }
                    tbody { @for one in collectors { (row(one)) } }
                }
            }
        }
    }
}

fn row(one: &CollectorRecord) -> Markup {
    let output = &one.output;
    let end = one.exit.as_ref().map_or("was not started", |exit| exit.how.as_str());
    markup! {
        tr {
            th scope="row" { (harmless_lines(&one.id())) }
            td data-name="Command" { code { (harmless_lines(&one.command.join(" "))) } }
            td data-name="Parser" { (one.parser.map_or("none", |parser| parser.word())) }
            td class="num" data-name="Bytes" { (output.bytes) }
            @for (name, n) in [("Lines", output.lines), ("Not read", output.unread), ("Values", output.values)] {
                td class="num" data-name=(name) { @if one.parser.is_some() { (n) } @else { (NONE) } }
            }
            td data-name="End" { (harmless_lines(end)) }
            td data-name="Remarks" {
                @for remark in &one.remarks { p { (harmless_lines(remark)) } }
                @for line in &output.first_unread {
                    p { "line " (line.line) ": " code { (harmless_lines(&line.text)) } " (" (harmless_lines(&line.reason)) ")" }
                }
            }
        }
    }
}
