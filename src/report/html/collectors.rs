//! The programs of the user's beside a run: what each was, how well its output could be read, and
//! what makes its series doubtful.

use maud::{Markup, html as markup};

use crate::record::collector::CollectorRecord;
use crate::report::Report;
use crate::text::harmless_lines;

/// The table; nothing without such programs.
pub(in crate::report) fn collectors(report: &Report<'_>) -> Markup {
    let collectors = &report.record.collectors;
    markup! {
        @if !collectors.is_empty() {
            details class="card scroll" {
                summary { b { (collectors.len()) " collectors" } " beside the run" }
                table class="cards" {
                    thead { tr {
                        th scope="col" { "Collector" } th scope="col" { "Command" } th scope="col" { "Parser" }
                        th scope="col" class="num" { "Lines" } th scope="col" class="num" { "Not read" } th scope="col" class="num" { "Values" }
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
            td class="num" data-name="Lines" { (output.lines) }
            td class="num" data-name="Not read" { (output.unread) }
            td class="num" data-name="Values" { (output.values) }
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
