//! Reading a line of a worker, fast.
//!
//! Serde puts the fields of a tagged enum aside, each with its type and its own allocation,
//! until it has seen the tag, and [`Event`] has two such layers. Frames and sightings are nearly
//! all that workers say, so for these the tag is looked up first, and then the line is read into
//! a plain struct. The wire format is the same, and so is the result.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ElementMessage, Event, EventBody, Fates, Sights, SourceFrames, StreamName};

/// The fields that every event has.
#[derive(Deserialize)]
struct Head<'a> {
    at: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// Those of [`EventBody::Frames`].
#[derive(Deserialize)]
struct FramesFields {
    stream: StreamName,
    arrived_us: Vec<u64>,
    latency_us: Vec<Option<u32>>,
    #[serde(default)]
    late_us: Vec<Option<i64>>,
    decoded: u64,
    played: u64,
    dropped: u64,
    #[serde(default)]
    taken_out: u64,
    #[serde(default)]
    fates: Box<Fates>,
    #[serde(default)]
    delivered: Box<SourceFrames>,
    queues: BTreeMap<String, u32>,
    #[serde(default)]
    sights: Box<Sights>,
}

/// Those of [`EventBody::Messages`].
#[derive(Deserialize)]
struct MessagesFields {
    stream: StreamName,
    messages: Vec<ElementMessage>,
}

impl From<FramesFields> for EventBody {
    fn from(fields: FramesFields) -> EventBody {
        let FramesFields {
            stream,
            arrived_us,
            latency_us,
            late_us,
            decoded,
            played,
            dropped,
            taken_out,
            fates,
            delivered,
            queues,
            sights,
        } = fields;
        EventBody::Frames {
            stream,
            arrived_us,
            latency_us,
            late_us,
            decoded,
            played,
            dropped,
            taken_out,
            fates,
            delivered,
            queues,
            sights,
        }
    }
}

impl Event {
    /// Reads a line of a worker: JSON.
    ///
    /// # Errors
    /// When it is no event.
    pub fn from_line(line: &[u8]) -> serde_json::Result<Event> {
        let Head { at, event } = serde_json::from_slice(line)?;
        let body = match &*event {
            "frames" => serde_json::from_slice::<FramesFields>(line)?.into(),
            "messages" => {
                let MessagesFields { stream, messages } = serde_json::from_slice(line)?;
                EventBody::Messages { stream, messages }
            }
            _ => return serde_json::from_slice(line),
        };
        Ok(Event { at, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::protocol::{End, FoundBox, FrameBoxes, Outage, Packets, Place, Regions, VideoFormat};

    #[track_caller]
    fn check(body: EventBody) {
        let event = Event { at: 7, body };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(Event::from_line(line.as_bytes()).unwrap(), event, "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event, "{line}");
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let times = || [("queue".to_owned(), vec![3, 4])].into();
        let frames = EventBody::Frames {
            stream: "camera-3/1".to_owned(),
            arrived_us: vec![1, 2],
            latency_us: vec![None, Some(5)],
            late_us: vec![Some(-7), None],
            decoded: 9,
            played: 8,
            dropped: 7,
            taken_out: 6,
            fates: Box::new(Fates {
                decoded_us: vec![1],
                dropped_us: times(),
                taken_out_us: times(),
                damaged_us: vec![2],
                copied_us: times(),
            }),
            delivered: Box::new(SourceFrames {
                frames_us: Some(vec![1]),
                thinned_us: vec![2],
                incomplete_us: vec![3],
                key_frame_every: Some(30),
                drift_ppm: Some(-48.5),
                transport: Some("udp".to_owned()),
                packets: Some(Packets { received: 9, lost: 1, late: 2, duplicates: 3, reordered: 4 }),
                outages: vec![Outage { lost_us: 1, back_us: Some(2), attempts: 3, reason: "é".to_owned() }],
                video: vec![VideoFormat {
                    width: 2,
                    height: 1,
                    fps: Some(0.5),
                    codec: Some("H264".to_owned()),
                }],
            }),
            queues: [("queue".to_owned(), 3)].into(),
            sights: Box::new(Sights {
                place: Some(Place { at_us: 1, clip_ns: 2, pass_ns: Some(3) }),
                regions: vec![Regions {
                    element: "e".to_owned(),
                    at_us: vec![1],
                    clip_ns: vec![2],
                    labels: [("face".to_owned(), vec![1])].into(),
                    inferred_us: vec![1],
                    frames: vec![FrameBoxes {
                        clip_ms: 2,
                        boxes: vec![FoundBox("face".to_owned(), [1, 2, 3, 4], 940)],
                    }],
                }],
            }),
        };
        check(frames);
        let message = ElementMessage {
            element: "zb\"ar".to_owned(),
            stream_time: Some(1),
            fields: [("symbol".to_owned(), "é\n".to_owned())].into(),
            ..ElementMessage::default()
        };
        check(EventBody::Messages { stream: "c/1".to_owned(), messages: vec![message] });
        check(EventBody::Process { cpu_us: 1, rss: 2, files: None });
        check(EventBody::Ended { stream: "c/1".to_owned(), end: End::Eos });
    }

    #[test]
    fn fields_come_in_any_order_and_optional_ones_may_lack() {
        let line = br#"{"queues":{},"dropped":0,"played":1,"decoded":1,"later":[{"a":1}],"latency_us":[],
            "arrived_us":[5],"stream":"c/1","event":"fra\u006des","at":7}"#;
        let event = Event::from_line(line).unwrap();
        assert_eq!(event, serde_json::from_slice(line).unwrap());
        assert_eq!((event.at, event.body.stream()), (7, Some("c/1")));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for line in [
            &b""[..],
            b"7",
            b"{}",
            br#"{"at":1}"#,
            br#"{"at":1,"event":"nothing"}"#,
            b"{\"at\":1,\"event\":\"frames\"}",
            b"\xff",
        ] {
            assert!(Event::from_line(line).is_err(), "{line:?}");
            assert!(serde_json::from_slice::<Event>(line).is_err(), "{line:?}");
        }
    }
}
