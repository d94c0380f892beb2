//! `lp show`: the plan, for people and programs, before anything runs; and videos.
//!
//! The plan is computed from the config files, so it needs no results, no store and no
//! worker.

mod camera;
mod diff;
mod lane;
mod launch;
mod load;
pub(super) mod video;
mod vippet;

use rayon::prelude::*;

use super::Exit;
use super::args::{Global, ShowArgs, ShowFormat};
use super::console;
use super::project::open;
use crate::action::document;
use crate::dialect;
use crate::model::Camera;
use crate::plan::lane::PlannedCamera;
use crate::plan::summary::{LanePlan, summarise};
use crate::plan::{self, CameraPlan};
use crate::workspace::error::{CommandError, Result};

pub(super) fn run(global: &Global, args: &ShowArgs) -> Result<Exit> {
    if let Some(exit) = video::run(global, args)? {
        return Ok(exit);
    }
    let format = if args.json { Some(ShowFormat::Json) } else { args.format };
    let refuse = |text: &str| Err(CommandError::refused(text));
    let is_json = match (format, args.launch) {
        (Some(ShowFormat::Json), _) => true,
        (None, _) | (Some(ShowFormat::Human), false) | (Some(ShowFormat::Sh | ShowFormat::Argv), true) => {
            false
        }
        (Some(ShowFormat::Human), true) => return refuse("the formats of `--launch` are sh, argv and json"),
        (Some(_), false) => return refuse("the formats sh and argv need `--launch`"),
    };
    if let [before, after] = args.diff.as_slice() {
        return diff::run(global, is_json, before, after);
    }
    if args.quick {
        return refuse("`--quick` is about videos, and none is named");
    }
    let opened = open(global, &[])?;
    let named = !args.cameras.is_empty();
    let cameras: Vec<&PlannedCamera> = if named {
        let all = &opened.lane().cameras;
        let planned = |camera: &Camera| all.iter().find(|planned| *planned.slug() == camera.slug);
        opened.cameras(&args.cameras)?.into_iter().filter_map(planned).collect()
    } else {
        opened.lane().cameras.iter().collect()
    };
    if args.vippet {
        return vippet::run(&opened.project, &cameras);
    }
    if args.launch {
        return launch::run(&opened.project, &cameras, format.unwrap_or(ShowFormat::Sh));
    }
    if is_json && !args.summary {
        print(&LanePlan { version: plan::VERSION, cameras: compiled(&cameras) });
        return Ok(Exit::Done);
    }
    // Launch lines of a whole lane take the most time, and are not shown here.
    let plans: Vec<CameraPlan> = cameras.iter().map(|planned| planned.plan.clone()).collect();
    if is_json {
        print(&summarise(&plans));
    } else if args.summary {
        console::out(&lane::totals(&summarise(&plans), &opened.project.settings));
    } else if named {
        let texts = plans.iter().map(|plan| camera::text(plan, &opened.project.layout));
        console::out(&texts.collect::<Vec<_>>().join("\n"));
    } else {
        console::out(&lane::text(&plans, &opened.project.settings));
    }
    Ok(Exit::Done)
}

/// The plans of cameras with their launch lines.
fn compiled(cameras: &[&PlannedCamera]) -> Vec<CameraPlan> {
    cameras.par_iter().map(|planned| dialect::compile(&planned.plan)).collect()
}

/// Prints a document as the file of it would be.
fn print<T: serde::Serialize>(value: &T) {
    console::out(&String::from_utf8(document(value)).expect("JSON is UTF-8"));
}
