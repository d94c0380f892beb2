//! What is measured, in words: the sources of cameras and the steps of their
//! pipelines, as the plan has them, for the record.

use crate::dialect;
use crate::engine::host::Attempt;
use crate::graph::lower::PLANS;
use crate::graph::task::Task;
use crate::model::{Camera, Detect, Model, Origin, Python, Scalar, Source, Step};
use crate::os;
use crate::plan::{CameraPlan, PlannedPipeline};
use crate::record::{Provenance, RunRecord, SourceConfig, StepRecord};
use crate::text::redacted;

use crate::action::LocalHost;

/// The program and the project, with the files that the run reads.
pub(in crate::action) fn provenance(
    host: &LocalHost<'_>,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Option<Provenance> {
    let provenance = (host.provenance)(attempt.cancel)?;
    let inputs = task.inputs.iter().filter(|input| !input.as_str().starts_with(PLANS));
    let inputs = inputs.filter_map(|input| Some((input.clone(), (attempt.input)(input)?)));
    Some(Provenance { inputs: inputs.collect(), ..provenance })
}

/// Adds to a record what no event of a worker tells.
pub(in crate::action) fn describe(
    record: &mut RunRecord,
    host: &LocalHost<'_>,
    attempt: &Attempt<'_>,
    provenance: Option<Provenance>,
) {
    record.utc_offset_s = os::clock::utc_offset_s(attempt.started);
    record.tag.clone_from(&host.tag);
    record.provenance = provenance;
}

/// The config of a camera's source.
pub(super) fn source(plan: &CameraPlan, cameras: &[Camera]) -> SourceConfig {
    let camera = cameras.iter().find(|camera| camera.name == plan.camera);
    let (name, origin) = camera.map_or((None, None), |camera| name_and_origin(&camera.source));
    let codec = plan.source.stream().map(|stream| stream.codec);
    let CameraPlan { width, height, fps, accept, .. } = plan;
    SourceConfig {
        source: plan.source.kind(),
        name,
        origin,
        width: *width,
        height: *height,
        fps: *fps,
        codec,
        accept: accept.clone(),
        expect: camera.and_then(|camera| camera.expect),
    }
}

fn name_and_origin(source: &Source) -> (Option<String>, Option<String>) {
    match source {
        Source::File(clip) => {
            let origin = match &clip.origin {
                Origin::Url(url) => redacted(url),
                Origin::Package(source) => source.to_string(),
                Origin::Scene(scene) => format!("configs/scenes/{scene}.toml"),
                // No absolute path is in a record.
                Origin::File(path) if path.own_name().is_some() => "a file outside the project".to_owned(),
                Origin::File(path) => path.to_string(),
            };
            (Some(clip.file.clone()), Some(origin))
        }
        Source::Rtsp(stream) => (Some(redacted(&stream.uri)), None),
        Source::Usb { device } => (Some(device.clone()), None),
        Source::Synthetic { scene } => (Some(scene.clone()), None),
    }
}

/// The steps of a pipeline; none if they are left out.
pub(super) fn steps(plan: &CameraPlan, pipeline: &PlannedPipeline) -> Vec<StepRecord> {
    if plan.decode_only {
        return Vec::new();
    }
    let alone = pipeline.steps.iter().flat_map(dialect::alone);
    alone
        .map(|step| StepRecord { files: dialect::files_of(plan, pipeline, &step), ..step_of(&step) })
        .collect()
}

fn step_of(step: &Step) -> StepRecord {
    let given = step.properties().iter().map(|(name, value)| (name.clone(), shown(value)));
    let mut record =
        StepRecord { kind: step.kind().to_owned(), properties: given.collect(), ..StepRecord::default() };
    let mut add = |name: &str, value: Scalar| record.properties.insert(name.to_owned(), value);
    match step {
        Step::Detect(Detect { batch_size, inference_interval, threshold, .. }) => {
            add("batch_size", Scalar::Int((*batch_size).into()));
            add("inference_interval", Scalar::Int((*inference_interval).into()));
            add("threshold", Scalar::Float(*threshold));
        }
        Step::Classify(step) => drop(add("batch_size", Scalar::Int(step.batch_size.into()))),
        Step::Python(Python { function: Some(function), .. }) => {
            add("function", Scalar::Text(function.clone()));
        }
        _ => {}
    }
    if let Some(caps) = step.elements().first().and_then(|element| element.caps) {
        record.caps = Some(caps.to_owned());
    }
    if let Some(Model { name, precision, .. }) = step.model() {
        (record.model, record.precision) = (Some(name.clone()), Some(precision.clone()));
    }
    record.device = step.device().map(str::to_owned);
    record
}

/// A value without the passwords of its URLs.
fn shown(value: &Scalar) -> Scalar {
    if let Scalar::Text(text) = value { Scalar::Text(redacted(text)) } else { value.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Place;
    use crate::model::{Certificate, Clip, Codec, RtspStream, Transport};
    use crate::path::ProjectPath;

    #[test]
    fn names_and_origins_of_sources_have_no_passwords() {
        let clip =
            |origin| Source::File(Clip { file: "scan.mp4".to_owned(), origin, place: Place::default() });
        let stream = |uri: &str| {
            let (uri, codec) = (uri.to_owned(), Codec::H264);
            Source::Rtsp(RtspStream {
                uri,
                login: None,
                codec,
                latency_ms: 300,
                transport: Transport::Tcp,
                reconnect: None,
                certificate: Certificate::Trusted,
            })
        };
        for (source, name, origin) in [
            (
                clip(Origin::Url("https://u:geheim@h/scan.mp4".to_owned())),
                "scan.mp4",
                Some("https://***@h/scan.mp4"),
            ),
            (clip(Origin::File(ProjectPath::new("clips/a.mp4").unwrap())), "scan.mp4", Some("clips/a.mp4")),
            (clip(Origin::File(ProjectPath::own("a.mp4"))), "scan.mp4", Some("a file outside the project")),
            (clip(Origin::Scene("scan".to_owned())), "scan.mp4", Some("configs/scenes/scan.toml")),
            (stream("rtsp://u:geheim@h/1"), "rtsp://***@h/1", None),
            (Source::Usb { device: "/dev/video0".to_owned() }, "/dev/video0", None),
            (Source::Synthetic { scene: "scan".to_owned() }, "scan", None),
        ] {
            let found = name_and_origin(&source);
            assert_eq!((found.0.as_deref(), found.1.as_deref()), (Some(name), origin));
        }
    }

    #[test]
    fn a_step_is_recorded_with_its_model_and_what_the_config_sets() {
        let record = |text: &str| {
            let step: Step = serde_json::from_str(text).unwrap();
            serde_json::to_string(&step_of(&step)).unwrap()
        };
        expect_test::expect![[
            r#"{"type":"gvadetect","model":"m","precision":"FP16","device":"GPU","properties":{"batch_size":1,"inference_interval":3,"nireq":2,"threshold":0.5}}"#
        ]]
        .assert_eq(&record(
            r#"{"type":"gvadetect","model":"m","precision":"FP16","device":"GPU","batch_size":1,"inference_interval":3,"threshold":0.5,"properties":{"nireq":2}}"#,
        ));
        expect_test::expect![[
            r#"{"type":"souphttpclientsink","properties":{"location":"http://***@h/"},"caps":"video/x-raw"}"#
        ]]
        .assert_eq(&record(
            r#"{"type":"souphttpclientsink","properties":{"location":"http://u:geheim@h/"},"caps":"video/x-raw"}"#,
        ));
        expect_test::expect![[r#"{"type":"gvapython","properties":{"function":"f"}}"#]]
            .assert_eq(&record(r#"{"type":"gvapython","module":"a/b.py","function":"f"}"#));
    }
}
