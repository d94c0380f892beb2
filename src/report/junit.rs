//! The judgement as JUnit XML, which every CI service shows beside its own tests.
//!
//! A suite for the lane and one for each camera; a test for each threshold at each place, or for each
//! verdict. The document is valid by Ant's schema (windyroad/JUnit-Schema), the strictest of those in
//! use, and by Jenkins' (xunit-plugin). Ant's asks for a name of the host, which a record does not have.
//!
//! Not here: what is judged (`cases`).

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Report;
use super::cases::{Case, Outcome, cases, of_search};
use super::density::DensityShown;
use crate::text::harmless;
use crate::time::Utc;

/// The judgement of a run.
#[must_use]
pub fn junit(report: &Report<'_>) -> String {
    let (judgement, cases) = cases(report);
    document(&report.record.subject, report.run, &judgement.line, report.record.started, &cases)
}

/// The judgement of a search for the density.
#[must_use]
pub fn density_junit(shown: &DensityShown<'_>) -> String {
    let (judgement, cases) = of_search(shown);
    let subject = format!("density.{}", shown.record.subject);
    document(&subject, shown.id, &judgement.line, shown.record.started, &cases)
}

fn document(subject: &str, id: &str, line: &str, started: Utc, cases: &[Case]) -> String {
    let mut suites: Vec<(Option<&str>, Vec<&Case>)> = vec![(None, Vec::new())];
    for case in cases {
        let camera = case.camera.as_deref();
        match suites.iter_mut().find(|(known, _)| *known == camera) {
            Some((_, cases)) => cases.push(case),
            None => suites.push((camera, vec![case])),
        }
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let write = |writer: &mut Writer<Vec<u8>>| -> io::Result<()> {
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        writer.create_element("testsuites").write_inner_content(|writer| {
            for (index, (camera, cases)) in suites.iter().enumerate() {
                suite(writer, index, subject, *camera, started, cases, &[("run", id), ("judgement", line)])?;
            }
            Ok(())
        })?;
        Ok(())
    };
    write(&mut writer).expect("memory takes every byte");
    let mut text = String::from_utf8(writer.into_inner()).expect("it was written from strings");
    text.push('\n');
    text
}

fn suite(
    writer: &mut Writer<Vec<u8>>,
    index: usize,
    subject: &str,
    camera: Option<&str>,
    started: Utc,
    cases: &[&Case],
    properties: &[(&str, &str)],
) -> io::Result<()> {
    let failures = cases.iter().filter(|case| case.failure().is_some()).count();
    let skipped = cases.iter().filter(|case| matches!(case.outcome, Outcome::Skipped(_))).count();
    let longest = cases.iter().map(|case| case.window_us).max().unwrap_or(0);
    // Ant's schema has no fraction and no time zone.
    let timestamp = started.to_string();
    let timestamp = timestamp.get(..19).unwrap_or("1970-01-01T00:00:00").to_owned();
    let name = characters(camera.unwrap_or(subject));
    let package = format!("lp.{}", characters(subject).replace(char::is_whitespace, "_"));
    let class = match camera {
        None => package.clone(),
        // Services group by the parts between dots.
        Some(camera) => format!("{package}.{}", characters(camera).replace('.', "_")),
    };
    let attributes = [
        ("name", name),
        ("package", package),
        ("id", index.to_string()),
        ("timestamp", timestamp),
        ("hostname", "localhost".to_owned()),
        ("tests", cases.len().to_string()),
        ("failures", failures.to_string()),
        ("errors", "0".to_owned()),
        ("skipped", skipped.to_string()),
        ("time", seconds(longest)),
    ];
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
    writer.create_element("testsuite").with_attributes(attributes).write_inner_content(|writer| {
        writer.create_element("properties").write_inner_content(|writer| {
            for (name, value) in properties {
                let value = characters(value);
                let attributes = [("name", *name), ("value", value.as_str())];
                writer.create_element("property").with_attributes(attributes).write_empty()?;
            }
            Ok(())
        })?;
        cases.iter().try_for_each(|case| test(writer, &class, case))?;
        writer.create_element("system-out").write_empty()?;
        writer.create_element("system-err").write_empty()?;
        Ok(())
    })?;
    Ok(())
}

fn test(writer: &mut Writer<Vec<u8>>, class: &str, case: &Case) -> io::Result<()> {
    let (name, time) = (characters(&case.name), seconds(case.window_us));
    let attributes = [("name", name.as_str()), ("classname", class), ("time", time.as_str())];
    let element = writer.create_element("testcase").with_attributes(attributes);
    match &case.outcome {
        Outcome::Passed => element.write_empty()?,
        Outcome::Failed(why) => element.write_inner_content(|writer| {
            let why = characters(why);
            let attributes = [("message", why.as_str()), ("type", case.severity.word())];
            let text = format!("{}: {why}", case.severity);
            let failure = writer.create_element("failure").with_attributes(attributes);
            failure.write_text_content(BytesText::new(&text))?;
            Ok(())
        })?,
        Outcome::Skipped(why) => element.write_inner_content(|writer| {
            let why = characters(why);
            writer.create_element("skipped").with_attribute(("message", why.as_str())).write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

fn seconds(us: u64) -> String {
    format!("{:.3}", us as f64 / 1e6)
}

/// A text in one line, of characters that XML may have.
fn characters(text: &str) -> String {
    let line = text.replace(['\n', '\r', '\t'], " ");
    let is_possible = |c: char| !matches!(c, '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    harmless(&line).chars().map(|c| if is_possible(c) { c } else { '\u{fffd}' }).collect()
}
