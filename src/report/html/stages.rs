//! Where the time of a stream's frames goes: a bar for each element, each beginning where the one
//! before it ends.

use maud::{Markup, html as markup};

use crate::record::measure::StreamFigures;
use crate::text::harmless_lines;

/// The bars of a stream that was traced.
pub(super) fn bar(stream: &StreamFigures) -> Markup {
    let whole: f64 = stream.stages.iter().map(|stage| stage.mean_us).sum();
    let x = |us: f64| format!("{:.1}", us / whole.max(1.0) * 100.0);
    let mut from = 0.0;
    let bars = stream.stages.iter().map(|stage| {
        let begin = from;
        from += stage.mean_us;
        (stage, begin)
    });
    let bars: Vec<_> = bars.collect();
    let ms = |us: f64| format!("{:.2}", us / 1e3);
    markup! {
        div class="saw" {
            h4 { "Where the time of a frame goes in " (harmless_lines(&stream.stream)) ": " (ms(whole)) " ms on average" }
            table class="cards" {
                thead { tr {
                    th scope="col" { "Element" } th scope="col" { "Of" }
                    th scope="col" class="num" { "Mean ms" } th scope="col" class="num" { "p95 ms" } th scope="col" { "From source to sink" }
                } }
                tbody {
                    @for (stage, begin) in &bars {
                        tr {
                            td { (harmless_lines(&stage.element)) } td { (harmless_lines(&stage.kind)) }
                            td class="num" data-name="Mean ms" { (ms(stage.mean_us)) }
                            td class="num" data-name="p95 ms" { (ms(f64::from(stage.p95_us))) }
                            // What it shows is in the row.
                            td class="stage" { i style={ "margin-left:" (x(*begin)) "%;width:" (x(stage.mean_us)) "%" } {} }
                        }
                    }
                }
            }
            p class="soft small" { "The time in an element, with the wait until the next one takes the frame, in the first minute of the window." }
        }
    }
}
