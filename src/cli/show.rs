//! `lp show`: the plan, for people and machines, before anything runs.
//!
//! It is computed from the config files, so it needs no results, no store and no
//! worker.

mod camera;
mod diff;
mod lane;
mod load;

use rayon::prelude::*;

use super::Exit;
use super::args::{Global, ShowArgs, ShowFormat};
use super::console;
use super::open::{Opened, open};
use crate::action::document;
use crate::config::project::Camera;
use crate::dialect;
use crate::plan::summary::{LanePlan, summarise};
use crate::plan::{self, CameraPlan};

pub(super) fn run(global: &Global, args: &ShowArgs) -> anyhow::Result<Exit> {
    let format = if args.json { ShowFormat::Json } else { args.format };
    if let [before, after] = args.diff.as_slice() {
        return diff::run(global, format, before, after);
    }
    let opened = open(global, &[])?;
    let named = !args.cameras.is_empty();
    let cameras =
        if named { opened.cameras(&args.cameras)? } else { opened.project.cameras.iter().collect() };
    let plans = plans(&opened, &cameras);
    match format {
        ShowFormat::Json if args.summary => print(&summarise(&plans)),
        ShowFormat::Json => print(&LanePlan { version: plan::VERSION, cameras: plans }),
        ShowFormat::Human if args.summary => {
            console::out(&lane::totals(&summarise(&plans), &opened.project.settings));
        }
        ShowFormat::Human if named => {
            let texts = plans.iter().map(|plan| camera::text(plan, &opened.project.layout));
            console::out(&texts.collect::<Vec<_>>().join("\n"));
        }
        ShowFormat::Human => console::out(&lane::text(&plans, &opened.project.settings)),
    }
    Ok(Exit::Done)
}

/// The whole plans of cameras, as `lp build plan` would write them.
fn plans(opened: &Opened, cameras: &[&Camera]) -> Vec<CameraPlan> {
    let project = &opened.project;
    let plan = |camera: &&Camera| {
        let dialect = dialect::resolve(project, camera);
        dialect::compile(&plan::request(project, &dialect::played(project, camera), dialect))
    };
    cameras.par_iter().map(plan).collect()
}

/// Prints a document as the file of it would be.
fn print<T: serde::Serialize>(value: &T) {
    console::out(&String::from_utf8(document(value)).expect("JSON is UTF-8"));
}
