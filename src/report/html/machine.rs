//! All series of the machine in one table: mean, least and greatest value in the common
//! window. Closed, since the chart of the load has what matters most.

use maud::{Markup, html as markup};

use crate::report::{Report, units};
use crate::text::harmless_lines;

/// The table; nothing without series.
pub(in crate::report) fn series(report: &Report<'_>) -> Markup {
    let series = &report.measurement.machine.series;
    markup! {
        @if !series.is_empty() {
            details class="card scroll" {
                summary { b { (series.len()) " measured series" } " of the machine" }
                table class="cards sorts" {
                    thead { tr {
                        th scope="col" { "Series" }
                        th scope="col" class="num" { "Mean" } th scope="col" class="num" { "Least" } th scope="col" class="num" { "Greatest" }
                    } }
                    tbody {
                        @for one in series {
                            tr {
                                th scope="row" { (harmless_lines(&one.name)) }
                                @for (name, value) in [("Mean", one.mean), ("Least", one.min), ("Greatest", one.max)] {
                                    td class="num" data-name=(name) { (units::shown(value, &one.unit)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
