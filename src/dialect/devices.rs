//! The devices of a machine that cameras open when they are played, and which parts
//! of them need each.
//!
//! Known from the elements that are played and from the devices of their steps.
//! Devices that only may be used, such as those of `AUTO`, are not needed. The
//! devices of scripts and `gvapython` modules are not known.
//!
//! Pure: looking for the devices is the caller's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::spec;
use crate::model::{Pace, Source, Step};
use crate::pipeline::{Element, Value};
use crate::plan::CameraPlan;
use crate::plan::lane::Lane;

/// Something of a machine besides its cores and memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// A GPU: the one with this render node, such as 129, or any.
    Gpu(Option<u32>),
    Npu,
    /// A USB camera, by its path.
    Camera(String),
    /// A display to show frames on.
    Display,
}

/// The render node of the first GPU: `/dev/dri/renderD128`.
pub(super) const FIRST_RENDER_NODE: u32 = 128;

impl Device {
    /// The path that a container gets so that it can open a device, and the
    /// node whose group it takes: for one of several GPUs all of them, since
    /// elements choose.
    #[must_use]
    pub fn given(&self) -> Option<(PathBuf, PathBuf)> {
        match self {
            Device::Gpu(node) => {
                let node = node.unwrap_or(FIRST_RENDER_NODE);
                Some(("/dev/dri".into(), format!("/dev/dri/renderD{node}").into()))
            }
            Device::Npu => Some(("/dev/accel".into(), "/dev/accel/accel0".into())),
            Device::Camera(path) => Some((path.into(), path.into())),
            Device::Display => None,
        }
    }
}

/// The devices that cameras need, each with the steps and elements that need it.
#[must_use]
pub fn needed(lane: &Lane, pace: Pace) -> BTreeMap<Device, BTreeSet<String>> {
    let mut needs: BTreeMap<Device, BTreeSet<String>> = BTreeMap::new();
    for (device, by) in lane.cameras.iter().flat_map(|planned| of_plan(&planned.plan, pace)) {
        needs.entry(device).or_default().extend(by);
    }
    needs
}

/// The devices that a camera's plan needs, each with the steps and elements that need
/// it.
#[must_use]
pub fn of_plan(plan: &CameraPlan, pace: Pace) -> BTreeMap<Device, BTreeSet<String>> {
    let mut needs: BTreeMap<Device, BTreeSet<String>> = BTreeMap::new();
    let mut need = |device: Device, by: String| {
        needs.entry(device).or_default().insert(by);
    };
    // A script gets the camera as well.
    if let Source::Usb { device } = &plan.source
        && plan.pipelines.iter().any(|pipeline| pipeline.unsupported.is_none())
    {
        need(Device::Camera(device.clone()), format!("the camera `{}`", plan.camera));
    }
    for pipeline in &plan.pipelines {
        let Some(spec) = spec(plan, pipeline, pace) else { continue };
        if plan.render {
            need(Device::Display, "`run.render`".to_owned());
        }
        let steps = if plan.decode_only { &[][..] } else { &pipeline.steps };
        for (device, by) in of_pipeline(steps, &spec.elements) {
            need(device, format!("{by} of `{}`", pipeline.workloads.join("`, `")));
        }
    }
    needs
}

fn of_pipeline(steps: &[Step], elements: &[Element]) -> Vec<(Device, String)> {
    let mut needs = Vec::new();
    for step in steps {
        let Some(name) = step.device() else { continue };
        let devices = of_inference(name).into_iter();
        needs.extend(devices.map(|device| (device, format!("`{}` on {name}", step.kind()))));
    }
    for element in elements {
        if let Some(device) = of_factory(&element.factory) {
            needs.push((device, format!("`{}`", element.factory)));
        }
        if !element.factory.starts_with("gva") {
            continue;
        }
        for property in &element.properties {
            let Value::Text(text) = &property.value else { continue };
            match property.name.as_str() {
                "device" => needs.extend(
                    of_inference(&text.to_uppercase())
                        .into_iter()
                        .map(|device| (device, format!("`{}` on {}", element.factory, text.to_uppercase()))),
                ),
                // Such as `va-surface-sharing`. The element's device names the GPU.
                "pre-process-backend" if text.starts_with("va") && !names_gpu(element) => {
                    needs.push((Device::Gpu(None), format!("`{}` with {text}", element.factory)));
                }
                _ => {}
            }
        }
    }
    needs
}

fn names_gpu(element: &Element) -> bool {
    element.properties.iter().any(|property| match &property.value {
        Value::Text(text) => property.name == "device" && text.to_uppercase().contains("GPU"),
        _ => false,
    })
}

/// The devices that OpenVINO opens: all that `MULTI` and `HETERO` name, and of
/// `AUTO` the one that it must take for want of a choice.
fn of_inference(device: &str) -> Vec<Device> {
    let (mode, list) = device.split_once(':').unwrap_or(("", device));
    let names: Vec<&str> =
        list.split(',').map(|name| name.split('(').next().unwrap_or(name).trim()).collect();
    let is_choice = match (mode, &names[..]) {
        ("AUTO", [only]) => only.starts_with('-'),
        ("AUTO", _) => true,
        _ => false,
    };
    if is_choice {
        return Vec::new();
    }
    names.into_iter().filter_map(of_name).collect()
}

fn of_name(name: &str) -> Option<Device> {
    if name == "NPU" {
        return Some(Device::Npu);
    }
    match name.strip_prefix("GPU")?.strip_prefix('.').map(str::parse) {
        // As for elements, the first may be any.
        None | Some(Ok(0)) => Some(Device::Gpu(None)),
        Some(Ok(number)) => Some(Device::Gpu(Some(FIRST_RENDER_NODE.saturating_add(number)))),
        Some(Err(_)) => None,
    }
}

/// The device that an element opens, by its factory: those of the plugins `va`, `vaapi`,
/// `qsv` and `msdk` are on a GPU. `va` names those of further GPUs after their
/// node: `varenderD129h264dec`.
fn of_factory(factory: &str) -> Option<Device> {
    const VA: [&str; 11] = [
        "h264",
        "h265",
        "h266",
        "av1",
        "vp8",
        "vp9",
        "mpeg2",
        "jpeg",
        "postproc",
        "compositor",
        "deinterlace",
    ];
    if ["vaapi", "qsv", "msdk"].iter().any(|plugin| factory.starts_with(plugin)) {
        return Some(Device::Gpu(None));
    }
    let rest = factory.strip_prefix("va")?;
    if let Some(node) = rest.strip_prefix("renderD") {
        let digits = node.bytes().take_while(u8::is_ascii_digit).count();
        return node[..digits].parse().ok().map(|node| Device::Gpu(Some(node)));
    }
    VA.iter().any(|what| rest.starts_with(what)).then_some(Device::Gpu(None))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::tests::step;

    /// Steps as `TYPE DEVICE`.
    #[track_caller]
    fn check(steps: &[(&str, &str)], elements: &[Element], expect: Expect) {
        let step = |(kind, device): &(&str, &str)| step(&format!("{kind} device={device}"));
        let steps: Vec<Step> = steps.iter().map(step).collect();
        let needs: BTreeSet<(Device, String)> = of_pipeline(&steps, elements).into_iter().collect();
        let text: String = needs.iter().map(|(device, by)| format!("{device:?}: {by}\n")).collect();
        expect.assert_eq(&text);
    }

    #[test]
    fn steps_elements_and_their_properties_ask_for_devices() {
        check(
            &[("gvadetect", "GPU"), ("gvatrack", "NPU"), ("gvaclassify", "CPU")],
            &[
                Element::new("decodebin3"),
                Element::new("gvadetect").text("device", "GPU").text("pre-process-backend", "va"),
                Element::new("gvaclassify")
                    .text("device", "cpu")
                    .text("pre-process-backend", "va-surface-sharing"),
                Element::new("gvainference").text("device", "gpu.1"),
                Element::new("v4l2src").text("device", "GPU"),
                Element::new("vapostproc"),
            ],
            expect![[r#"
                Gpu(None): `gvaclassify` with va-surface-sharing
                Gpu(None): `gvadetect` on GPU
                Gpu(None): `vapostproc`
                Gpu(Some(129)): `gvainference` on GPU.1
                Npu: `gvatrack` on NPU
            "#]],
        );
        check(&[("gvadetect", "AUTO")], &[Element::new("gvadetect").text("device", "AUTO")], expect![[""]]);
    }

    #[test]
    fn elements_on_a_gpu_are_known_by_their_plugin() {
        let any = Some(Device::Gpu(None));
        for (factory, expected) in [
            ("vah264dec", any.clone()),
            ("vapostproc", any.clone()),
            ("vajpegdec", any.clone()),
            ("vaapih264dec", any.clone()),
            ("qsvh265enc", any.clone()),
            ("msdkh264dec", any),
            ("varenderD129h264dec", Some(Device::Gpu(Some(129)))),
            ("varenderD130postproc", Some(Device::Gpu(Some(130)))),
            ("varenderD", None),
            ("valve", None),
            ("videoconvert", None),
            ("avdec_h264", None),
            ("gvadetect", None),
        ] {
            assert_eq!(of_factory(factory), expected, "{factory}");
        }
    }

    #[test]
    fn a_container_is_given_all_gpus_and_one_camera() {
        let given = |device: Device| {
            device.given().map(|(given, node)| format!("{} {}", given.display(), node.display()))
        };
        assert_eq!(given(Device::Gpu(None)).unwrap(), "/dev/dri /dev/dri/renderD128");
        assert_eq!(given(Device::Gpu(Some(129))).unwrap(), "/dev/dri /dev/dri/renderD129");
        assert_eq!(given(Device::Npu).unwrap(), "/dev/accel /dev/accel/accel0");
        assert_eq!(given(Device::Camera("/dev/video2".to_owned())).unwrap(), "/dev/video2 /dev/video2");
        assert_eq!(given(Device::Display), None);
    }

    #[test]
    fn only_devices_without_a_choice_are_needed() {
        let gpu = || Device::Gpu(None);
        for (device, expected) in [
            ("CPU", vec![]),
            ("GPU", vec![gpu()]),
            ("GPU.0", vec![gpu()]),
            ("GPU.1", vec![Device::Gpu(Some(129))]),
            ("NPU", vec![Device::Npu]),
            ("MULTI:GPU.1(2),CPU", vec![Device::Gpu(Some(129))]),
            ("HETERO:NPU,GPU,CPU", vec![Device::Npu, gpu()]),
            ("AUTO", vec![]),
            ("AUTO:GPU,CPU", vec![]),
            ("AUTO:GPU", vec![gpu()]),
            ("AUTO:-GPU", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(of_inference(device), expected, "{device}");
        }
    }
}
