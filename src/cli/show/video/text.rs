//! A video as a text for people.

use super::super::load::{bytes, number};
use crate::cli::console;
use crate::pipeline::facts::{FilmFacts, Played, VideoFacts, container_name};
use crate::pipeline::prepared::Preparation;
use crate::pipeline::reception::{Packets, Reception};
use crate::text::{counted, harmless_lines};

/// The columns of a label.
const LABEL: usize = 9;

pub(in crate::cli) fn text(facts: &VideoFacts) -> String {
    let mut text = harmless_lines(&facts.video) + "\n";
    let mut fact = |name: &str, value: String| {
        for line in console::paper().beside(&format!("  {name}"), LABEL + 2, &harmless_lines(&value)) {
            text.push_str(&line);
            text.push('\n');
        }
    };
    if let Some(file) = &facts.file {
        fact("file", format!("{} ({} bytes), blake3 {}", bytes(file.bytes), file.bytes, file.blake3));
    }
    if let Some(seen_ms) = facts.seen_ms {
        fact("seen", format!("the first {}", seconds(seen_ms)));
    }
    if let Some(reception) = &facts.reception {
        fact("came by", came_by(reception));
    }
    if let Some(container) = &facts.container {
        fact("container", container_name(container).map_or_else(|| format!("`{container}`"), str::to_owned));
    }
    if let Some(film) = &facts.film {
        fact("video", format!("{}x{}, {}", film.video.width, film.video.height, film.video.words()));
        fact("frames", frames(film));
        if let Some(gop) = gop(film) {
            fact("GOP", gop);
        }
        if let Some(shape) = shape(film) {
            fact("shape", shape);
        }
        if let Some(colours) = colours(film) {
            fact("colours", colours);
        }
    }
    for sound in &facts.sound {
        let channels = counted(u64::from(sound.channels), "channel");
        fact("sound", format!("{}, {channels}, {} Hz", sound.codec, sound.sample_rate));
    }
    for other in &facts.others {
        fact("other", format!("`{other}`"));
    }
    if let Some(played) = &facts.played {
        fact("played", played_words(played));
    }
    match facts.differs.as_deref() {
        Some([]) => fact("config", "as it says".to_owned()),
        Some(differs) => differs.iter().for_each(|one| fact("config", one.clone())),
        None => {}
    }
    text
}

/// `UDP, the first frame after 0.35 s, 900 packets, 9 lost, jitter 1.2 ms`
fn came_by(reception: &Reception) -> String {
    let Reception { transport, first_frame_ms, jitter_us, packets } = reception;
    let Packets { received, lost, late, duplicates, reordered } = *packets;
    let counts = [(lost, "lost"), (late, "too late"), (duplicates, "once more"), (reordered, "out of order")];
    let counts = counts.iter().filter(|(n, _)| 0 < *n).map(|(n, what)| format!(", {n} {what}"));
    format!(
        "{}, the first frame after {}, {}{}, jitter {} ms",
        transport.to_uppercase(),
        seconds(*first_frame_ms),
        counted(received, "packet"),
        if lost == 0 { ", none lost".to_owned() } else { String::new() } + &counts.collect::<String>(),
        number(*jitter_us as f64 / 1e3)
    )
}

fn frames(film: &FilmFacts) -> String {
    let video = &film.video;
    let rate = match (film.is_constant, video.frames) {
        (_, 0 | 1) => String::new(),
        (true, _) => format!(": {} fps, constant", number(video.fps)),
        (false, _) => format!(
            ": {} fps on average, variable: one every {} ms as a rule, and none for {} ms from {} s on",
            number(video.fps),
            number(film.interval_ms),
            number(film.longest_interval_ms),
            number(film.longest_interval_at_ms / 1e3)
        ),
    };
    format!("{} in {}{rate}", video.frames, seconds(video.duration_ms))
}

/// The distance of key frames, and whether they begin anew.
fn gop(film: &FilmFacts) -> Option<String> {
    let gop = film.video.gop.filter(|gop| 1 < *gop)?;
    let frames = counted(gop, "frame");
    Some(match film.is_open_gop {
        Some(true) => format!("{frames} at most, open: some refer to the GOP before"),
        Some(false) => format!("{frames} at most, closed"),
        None => format!("{frames} at most"),
    })
}

fn shape(film: &FilmFacts) -> Option<String> {
    let mut words = Vec::new();
    words.extend(film.turn.as_deref().map(turn));
    if let Some((width, height)) = film.pixel_aspect.filter(|(width, height)| width != height) {
        words.push(format!("pixels of {width}:{height}"));
    }
    if film.is_interlaced {
        words.push("interlaced".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// `rotate-90` and `flip-rotate-90` in words.
fn turn(tag: &str) -> String {
    let degrees = tag.rsplit('-').next().unwrap_or_default();
    match (tag.starts_with("flip"), degrees) {
        (true, "0") => "mirrored when it is shown".to_owned(),
        (true, _) => format!("mirrored, and turned by {degrees}° when it is shown"),
        (false, _) => format!("turned by {degrees}° when it is shown"),
    }
}

fn colours(film: &FilmFacts) -> Option<String> {
    let mut words = Vec::new();
    words.extend(film.bits.filter(|bits| *bits != 8).map(|bits| format!("{bits} bits per sample")));
    words.extend(film.high_dynamic_range.map(|transfer| format!("high dynamic range ({transfer})")));
    (!words.is_empty()).then(|| words.join(", "))
}

fn played_words(played: &Played) -> String {
    let camera = format!("a camera of {}x{} at {} fps", played.width, played.height, number(played.fps));
    let tried = "if it plays again and again, which `lp build` tries";
    match played.done {
        Preparation::AsItIs => format!("as it is for {camera}, {tried}"),
        Preparation::Remuxed => {
            format!("in a container of its own for {camera}, {tried}: {}", played.because.join("; "))
        }
        Preparation::Encoded => format!("encoded again for {camera}: {}", played.because.join("; ")),
    }
}

/// `12.04 s`, `1:02:03 h`
fn seconds(ms: u64) -> String {
    match (ms + 500) / 1_000 {
        0..=599 => format!("{} s", number(ms as f64 / 1e3)),
        s => format!("{}:{:02}:{:02} h", s / 3_600, s / 60 % 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::pipeline::facts::{FileFacts, SoundFacts, VERSION, VideoList};
    use crate::pipeline::prepared::Video;

    /// A video of which everything is known.
    fn full() -> VideoFacts {
        let video = Video {
            container: "video/quicktime".to_owned(),
            codec: "h265".to_owned(),
            profile: Some("main-10".to_owned()),
            level: Some("4.1".to_owned()),
            bit_rate: 8_016_000,
            gop: Some(50),
            b_frames: 2,
            width: 640,
            height: 360,
            fps: 29.97,
            frames: 30_000,
            duration_ms: 1_001_000,
        };
        let film = FilmFacts {
            video,
            is_constant: false,
            interval_ms: 33.367,
            longest_interval_ms: 200.2,
            longest_interval_at_ms: 4_004.0,
            is_open_gop: Some(true),
            is_interlaced: true,
            turn: Some("flip-rotate-90".to_owned()),
            pixel_aspect: Some((16, 11)),
            bits: Some(10),
            colorimetry: Some("bt2100-pq".to_owned()),
            high_dynamic_range: Some("PQ"),
        };
        let sound = SoundFacts { codec: "AAC".to_owned(), channels: 2, sample_rate: 48_000 };
        let because = vec!["it is interlaced".to_owned(), "its pixels are not square (16:11)".to_owned()];
        VideoFacts {
            video: "clips/a.mp4".to_owned(),
            file: Some(FileFacts { bytes: 1_003_000, blake3: "0123456789abcdef".repeat(4) }),
            seen_ms: Some(3_000),
            reception: Some(Reception {
                transport: "udp".to_owned(),
                first_frame_ms: 350,
                jitter_us: 1_240,
                packets: Packets { received: 900, lost: 9, reordered: 1, ..Packets::default() },
            }),
            differs: Some(vec!["the camera delivers 12.1 of 15 fps".to_owned()]),
            container: Some("video/quicktime".to_owned()),
            film: Some(film),
            sound: vec![sound],
            others: vec!["text/x-raw".to_owned()],
            played: Some(Played { width: 640, height: 360, fps: 29.97, done: Preparation::Encoded, because }),
            faults: vec!["is damaged: 1 damaged frames, the first at 0.4 s".to_owned()],
        }
    }

    #[test]
    fn a_video_is_told_in_lines() {
        expect![[r#"
            clips/a.mp4
              file       1.0 MB (1003000 bytes), blake3 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
              seen       the first 3 s
              came by    UDP, the first frame after 0.35 s, 900 packets, 9 lost, 1 out of order, jitter 1.24 ms
              container  MP4 or QuickTime
              video      640x360, H.265 Main 10 4.1, 8.02 Mbit/s, GOP 50, 2 B-frames
              frames     30000 in 0:16:41 h: 29.97 fps on average, variable: one every 33.37 ms as a rule, and none for 200.2 ms from 4 s on
              GOP        50 frames at most, open: some refer to the GOP before
              shape      mirrored, and turned by 90° when it is shown, pixels of 16:11, interlaced
              colours    10 bits per sample, high dynamic range (PQ)
              sound      AAC, 2 channels, 48000 Hz
              other      `text/x-raw`
              played     encoded again for a camera of 640x360 at 29.97 fps: it is interlaced; its pixels are not square (16:11)
              config     the camera delivers 12.1 of 15 fps
        "#]].assert_eq(&text(&full()));
    }

    #[test]
    fn documents_have_what_their_schema_describes_and_nothing_else() {
        let played = |done| Played { done, ..full().played.unwrap() };
        let others = [Preparation::AsItIs, Preparation::Remuxed]
            .map(|done| VideoFacts { played: Some(played(done)), ..full() });
        let mut videos = vec![full(), VideoFacts { video: "b.mp4".to_owned(), ..VideoFacts::default() }];
        videos.extend(others);
        let document = serde_json::to_value(VideoList { version: VERSION, videos }).unwrap();
        let schema = include_str!("../../../../docs/schema/video.schema.json");
        crate::record::schema::check(schema, VERSION, 35, &[document]);
    }
}
