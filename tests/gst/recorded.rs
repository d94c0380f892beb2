//! An RTSP server that sends what a test has recorded, to each client from the
//! beginning, over the connection itself, and closes it at the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

/// A camera's video in packets.
#[derive(Clone)]
pub(crate) struct Recording {
    /// The packets of each frame. One that is empty is lost before it is sent.
    pub(crate) frames: Vec<Vec<Vec<u8>>>,
    /// What SDP says of it.
    pub(crate) media: String,
}

/// Makes packets of a raw H.264 file.
pub(crate) fn record(file: &Path) -> Recording {
    record_as(file, "h264parse ! rtph264pay name=pay pt=96 config-interval=-1")
}

/// Makes packets of a raw file with these elements, of which the last one is called `pay`.
pub(crate) fn record_as(file: &Path, elements: &str) -> Recording {
    gst::init().unwrap();
    let launch = format!("filesrc name=source ! {elements} ! fakesink sync=false");
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("source").unwrap().set_property("location", file.to_str().unwrap());
    let packets: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let seen = Arc::clone(&packets);
    let pad = pipeline.by_name("pay").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
        let keep =
            |buffer: &gst::BufferRef| seen.lock().unwrap().push(buffer.map_readable().unwrap().to_vec());
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => keep(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(keep),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(30), &ends).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos);
    let caps = pad.current_caps().unwrap();
    let media = described(caps.structure(0).unwrap());
    pipeline.set_state(gst::State::Null).unwrap();
    let mut frames = vec![Vec::new()];
    for packet in packets.lock().unwrap().drain(..) {
        let is_last = packet[1] & 0x80 != 0;
        frames.last_mut().unwrap().push(packet);
        if is_last {
            frames.push(Vec::new());
        }
    }
    frames.pop();
    Recording { frames, media }
}

/// The media of a description, for the caps of its packets.
fn described(caps: &gst::StructureRef) -> String {
    let (payload, encoding): (i32, String) =
        (caps.get("payload").unwrap(), caps.get("encoding-name").unwrap());
    let mut media = format!("m=video 0 RTP/AVP {payload}\r\na=rtpmap:{payload} {encoding}/90000\r\n");
    if let Ok(sets) = caps.get::<String>("sprop-parameter-sets") {
        media += &format!("a=fmtp:{payload} packetization-mode=1;sprop-parameter-sets={sets}\r\n");
    }
    media
}

/// Serves recordings one after another at `fps`; gives its URL.
pub(crate) fn serve(recordings: &[Recording], fps: u32) -> String {
    serve_drifting(recordings, fps, 0)
}

/// The same of a camera whose clock is faster than ours by so many millionths.
pub(crate) fn serve_drifting(recordings: &[Recording], fps: u32, drift_ppm: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let media = recordings[0].media.clone();
    let mut frames: Vec<Vec<Vec<u8>>> =
        recordings.iter().flat_map(|recording| recording.frames.clone()).collect();
    let mut number: u16 = 0;
    for (index, frame) in (0..).zip(&mut frames) {
        let ticks = index * 90_000 * (1_000_000 + drift_ppm) / 1_000_000 / i64::from(fps);
        let ticks = u32::try_from(ticks).unwrap();
        for packet in frame.iter_mut() {
            number = number.wrapping_add(1);
            if packet.is_empty() {
                continue;
            }
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            packet[4..8].copy_from_slice(&ticks.to_be_bytes());
            packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
        }
        frame.retain(|packet| !packet.is_empty());
    }
    let frames = Arc::new(frames);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (frames, media) = (Arc::clone(&frames), media.clone());
            // A client that goes away ends its thread with an error of its socket.
            std::thread::spawn(move || drop(answer(client, &media, &frames, fps)));
        }
    });
    format!("rtsp://{address}/camera")
}

fn answer(mut client: TcpStream, media: &str, frames: &[Vec<Vec<u8>>], fps: u32) -> std::io::Result<()> {
    let mut requests = BufReader::new(client.try_clone()?);
    loop {
        let (mut method, mut sequence) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if method.is_empty() {
                method = line.split(' ').next().unwrap_or_default().to_owned();
            }
            if let Some(number) = line.strip_prefix("CSeq:") {
                number.trim().clone_into(&mut sequence);
            }
            if line == "\r\n" {
                break;
            }
        }
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nc=IN IP4 0.0.0.0\r\n{media}a=control:video\r\n"
        );
        let (headers, body) = match method.as_str() {
            "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
            "DESCRIBE" => ("Content-Type: application/sdp\r\n", sdp.as_str()),
            "SETUP" => ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000007\r\n", ""),
            _ => ("Session: 1\r\nRange: npt=now-\r\n", ""),
        };
        let length = body.len();
        write!(
            client,
            "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )?;
        if method == "PLAY" {
            break;
        }
    }
    // What the client reports is read, lest it waits for that.
    std::thread::spawn(move || drop(requests.read_to_end(&mut Vec::new())));
    let begin = Instant::now();
    for (n, frame) in (1..).zip(frames) {
        for packet in frame {
            let length = u16::try_from(packet.len()).unwrap_or(u16::MAX).to_be_bytes();
            client.write_all(&[&[b'$', 0], &length[..], packet].concat())?;
        }
        // The rate of the camera; no test waits for this.
        std::thread::sleep(
            (begin + Duration::from_secs(1) * n / fps).saturating_duration_since(Instant::now()),
        );
    }
    client.shutdown(std::net::Shutdown::Both)
}
