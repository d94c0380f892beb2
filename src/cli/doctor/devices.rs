//! GPUs, NPUs, USB cameras and the display, each only if the plan needs it.
//!
//! Not here: why a device cannot be used (`node`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use super::finding::Finding;
use super::node::{CAMERA, Fault, GPU, Kind, NPU, Snapshot, flags, judge};
use crate::dialect::devices::Device;
use crate::model::Source;
use crate::os::device::{self, Owner};
use crate::os::{display, fs};
use crate::pipeline::usb::{Format, Needed, choose};
use crate::plan::lane::Lane;
use crate::worker::client::Worker;
use crate::worker::error::WorkerError;
use crate::worker::launch::{Launch, Reach};

/// The findings for the required devices.
///
/// `launch` starts the worker that asks cameras for their formats.
pub(super) fn findings(
    needs: &BTreeMap<Device, BTreeSet<String>>,
    lane: &Lane,
    launch: Option<&Launch>,
) -> Vec<Finding> {
    let me = device::this_process();
    let finding = |(needed, by): (&Device, &BTreeSet<String>)| {
        let finding = match needed {
            Device::Gpu(None) => any("GPU", "/dev/dri", "renderD128", &GPU, &me),
            Device::Gpu(Some(node)) => {
                let path = format!("/dev/dri/renderD{node}");
                one(format!("GPU {path}"), judge(&Snapshot::at(path), &GPU, &me))
            }
            Device::Npu => any("NPU", "/dev/accel", "accel0", &NPU, &me),
            Device::Camera(path) => {
                let judged = judge(&Snapshot::at(path.clone()), &CAMERA, &me);
                one(
                    format!("camera {path}"),
                    judged.and_then(|found| with_formats(found, path, lane, launch)),
                )
            }
            Device::Display => display(),
        };
        finding.needed_by(by.iter().cloned())
    };
    needs.iter().map(finding).collect()
}

/// What was found of a camera, and the formats that it has; a fault if it does not tell them.
fn with_formats(found: String, path: &str, lane: &Lane, launch: Option<&Launch>) -> Result<String, Fault> {
    let Some(launch) = launch else { return Ok(found) };
    let node = PathBuf::from(path);
    let reach = Reach { devices: [(node.clone(), node)].into(), ..Reach::default() };
    match Worker::ask_one(launch, &reach).and_then(|mut worker| worker.formats(path)) {
        Ok(formats) => {
            let plans = lane.cameras.iter().map(|planned| &planned.plan);
            let of_it = plans.filter(|plan| matches!(&plan.source, Source::Usb { device } if device == path));
            let needed = of_it.map(|plan| Needed { width: plan.width, height: plan.height, fps: plan.fps });
            Ok(std::iter::once(found).chain(pictures(&formats, needed)).collect::<Vec<_>>().join("; "))
        }
        Err(WorkerError::Refused(wrong)) => Err(Fault { wrong, on_host: None, in_container: None }),
        // What is wrong with the worker is a finding of its own.
        Err(_) => Ok(found),
    }
}

/// The pictures that a camera is asked for by those who need these, what they lack, and all that it has.
fn pictures(formats: &[Format], needed: impl Iterator<Item = Needed>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for needed in needed {
        let Some(choice) = choose(formats, &needed) else { continue };
        let lack = choice.lack(&needed).map_or_else(String::new, |lack| format!(" ({lack})"));
        told.push(format!("asked for {choice}{lack}"));
    }
    told.dedup();
    let all: Vec<String> = formats.iter().map(ToString::to_string).collect();
    told.push(if all.is_empty() {
        "it has no formats".to_owned()
    } else {
        format!("it has {}", all.join(", "))
    });
    told
}

/// The devices of a folder of which one is enough; `first` exists wherever any does.
fn any(what: &str, folder: &str, first: &str, kind: &Kind, me: &Owner) -> Finding {
    let prefix = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut names = match fs::list_names(folder.as_ref()) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Finding::missing(what).wrong(format!("`{folder}` cannot be read: {error}"));
        }
    };
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    let looked: Vec<Snapshot> =
        names.into_iter().map(|name| Snapshot::at(format!("{folder}/{name}"))).collect();
    let judged: Vec<Result<String, Fault>> = looked.iter().map(|looked| judge(looked, kind, me)).collect();
    let usable: Vec<&str> = judged.iter().filter_map(|one| one.as_deref().ok()).collect();
    if !usable.is_empty() {
        return Finding::found(what, usable.join("; "));
    }
    let refused = judged.into_iter().find_map(Result::err);
    let absent = || Fault {
        wrong: format!("there is no `{folder}/{prefix}*`"),
        on_host: Some(kind.way_out.to_owned()),
        in_container: Some(flags(&format!("{folder}/{first}"), folder, None)),
    };
    one(what, Err(refused.unwrap_or_else(absent)))
}

pub(super) fn one(what: impl Into<String>, judged: Result<String, Fault>) -> Finding {
    match judged {
        Ok(found) => Finding::found(what, found),
        Err(fault) => {
            let mut finding = Finding::missing(what).wrong(fault.wrong);
            if let Some(way_out) = fault.on_host {
                finding = finding.way_out(way_out);
            }
            if let Some(flags) = fault.in_container {
                finding = finding.in_container(flags);
            }
            finding
        }
    }
}

fn display() -> Finding {
    match display::check() {
        Ok(found) => Finding::found("display", found),
        Err(wrong) => Finding::missing("display")
            .wrong(wrong)
            .way_out("run it in a session with a display, or without `run.render`")
            .in_container(
                "X11: -e DISPLAY -e XAUTHORITY=/run/xauth -v /tmp/.X11-unix:/tmp/.X11-unix:ro \
                 -v $XAUTHORITY:/run/xauth:ro; Wayland: -e WAYLAND_DISPLAY=/run/wayland \
                 -v $XDG_RUNTIME_DIR/$WAYLAND_DISPLAY:/run/wayland",
            ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::usb::{Encoding, Rates};

    #[test]
    fn the_pictures_of_a_camera_are_told_with_what_it_is_asked_for() {
        let format = |encoding, width, height, rate| Format {
            encoding,
            width: (width, width),
            height: (height, height),
            rates: Rates::Each(vec![(rate, 1)]),
        };
        let formats =
            [format(Encoding::Raw("YUY2".to_owned()), 1280, 720, 10), format(Encoding::Mjpeg, 1280, 720, 30)];
        let needed = |fps| Needed { width: 1280, height: 720, fps };
        assert_eq!(
            pictures(&formats, [needed(15.0), needed(60.0)].into_iter()),
            [
                "asked for JPEG 1280x720 at 30 fps",
                "asked for JPEG 1280x720 at 30 fps (it gives at most 30 of 60 fps at 1280x720)",
                "it has raw YUY2 1280x720 at 10 fps, JPEG 1280x720 at 30 fps",
            ]
        );
        assert_eq!(pictures(&[], [needed(15.0)].into_iter()), ["it has no formats"]);
    }
}
