//! Clips as cameras, phones and broken downloads leave them, and what becomes of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{Ended, Workspace};

/// A project with one camera over one clip, which `ffmpeg` makes.
pub(crate) struct Case {
    pub(crate) ws: Workspace,
    clip: String,
    variant: String,
}

impl Case {
    /// The camera's size and rate are 160x120 and `fps`.
    pub(crate) fn new(clip: &str, fps: &str) -> Case {
        let variant = format!("160x120-{fps}");
        let project = format!(
            "[[task]]\nname = \"bring\"\ncommand = [\"cp\", \"clips/{clip}\", \"media/{clip}\"]\n\
             inputs = [\"clips/{clip}\"]\noutputs = [\"media/{clip}\"]\n"
        );
        let cameras = format!(
            r#"{{"lane_config": {{"cameras": [{{"camera_id": "till", "fileSrc": "{clip}|http://127.0.0.1:9/",
            "width": 160, "height": 120, "fps": {fps}, "workloads": ["codes"]}}]}}}}"#
        );
        let ws = Workspace::empty()
            .file("Lpfile.toml", &project)
            .file("configs/camera_to_workload.json", &cameras)
            .file(
                "configs/workload_to_pipeline.json",
                r#"{"workload_pipeline_map": {"codes": [{"type": "zbar"}]}}"#,
            )
            .file("clips/here", "")
            .env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"));
        Case { ws, clip: clip.to_owned(), variant }
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.ws.path("clips").join(&self.clip)
    }

    /// The same in another workspace.
    pub(crate) fn with(self, change: impl FnOnce(Workspace) -> Workspace) -> Case {
        Case { ws: change(self.ws), ..self }
    }

    /// Makes the clip with these arguments of `ffmpeg`.
    pub(crate) fn ffmpeg(self, arguments: &str) -> Case {
        ffmpeg(&self.ws.path("clips"), &format!("{arguments} {}", self.clip));
        self
    }

    /// A moving pattern of `n_frames` at `fps`.
    pub(crate) fn pattern(self, n_frames: u32, fps: &str, encoder: &str) -> Case {
        self.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=160x120:rate={fps} -frames:v {n_frames} -pix_fmt yuv420p {encoder}"
        ))
    }

    /// Keeps the first `percent` of the clip's bytes.
    fn cut(self, percent: usize) -> Case {
        let bytes = fs::read(self.source()).unwrap();
        fs::write(self.source(), &bytes[..bytes.len() * percent / 100]).unwrap();
        self
    }

    pub(crate) fn build(&self) -> Ended {
        self.ws.lp("build assets")
    }

    #[track_caller]
    pub(crate) fn refused(&self, reason: &str) {
        self.build().code(1).stderr_has(reason);
    }

    /// What `ffprobe` says of a field of the transcoded clip.
    #[track_caller]
    pub(crate) fn probe(&self, field: &str) -> String {
        let name = self.clip.strip_suffix(".mp4").unwrap_or(&self.clip);
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries"])
            .args([&format!("stream={field}"), "-of", "default=noprint_wrappers=1:nokey=1"])
            .arg(self.ws.path(&format!("media/clips/{name}-{}.mp4", self.variant)))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[track_caller]
    pub(crate) fn becomes(&self, n_frames: u32) {
        let ended = self.build().success();
        assert_eq!(self.probe("nb_read_frames"), n_frames.to_string(), "{}", ended.stderr);
    }

    pub(crate) fn transcoded(&self) -> PathBuf {
        let name = self.clip.strip_suffix(".mp4").unwrap_or(&self.clip);
        self.ws.path(&format!("media/clips/{name}-{}.mp4", self.variant))
    }
}

pub(crate) fn ffmpeg(folder: &Path, arguments: &str) {
    let words = arguments.split_whitespace();
    let output =
        Command::new("ffmpeg").args(["-v", "error", "-y"]).args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) const H264: &str = "-c:v libx264 -threads 1";

#[test]
fn a_clip_that_is_cut_off_is_refused_with_the_second() {
    let index_first = format!("{H264} -movflags +faststart");
    let case = Case::new("a.mp4", "10").pattern(30, "10", &index_first).cut(60);
    case.refused("`media/a.mp4` is cut off: it announces 3.0 s, but its video ends at ");
    let fragmented = format!("{H264} -g 5 -movflags frag_keyframe+empty_moov");
    Case::new("b.mp4", "10")
        .pattern(30, "10", &fragmented)
        .cut(60)
        .refused("`media/b.mp4` is cut off: its video ends at ");
    Case::new("c.mkv", "10").pattern(30, "10", H264).cut(60).refused("`Segment` at byte ");
}

#[test]
fn a_clip_that_lacks_its_last_moment_is_taken_with_a_note() {
    let index_first = format!("{H264} -movflags +faststart");
    for (name, encoder) in [("a.mp4", index_first.as_str()), ("b.mkv", H264)] {
        let ended = Case::new(name, "10").pattern(100, "10", encoder).cut(98).build().success();
        let note = format!("note: `media/{name}` lacks the last moment of its end: `");
        assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    }
    // Of fragments, and without a length, their number is unknown.
    for (name, flags) in [("c.mp4", "+frag_keyframe+empty_moov"), ("d.mp4", "+frag_keyframe")] {
        let fragmented = format!("{H264} -g 10 -movflags {flags}");
        Case::new(name, "10").pattern(100, "10", &fragmented).cut(90).refused("is cut off: ");
    }
}

#[test]
fn a_transport_stream_may_end_within_a_packet() {
    let case = Case::new("a.ts", "10").pattern(30, "10", H264);
    let bytes = fs::read(case.source()).unwrap();
    fs::write(case.source(), &bytes[..bytes.len() - 100]).unwrap();
    let ended = case.build().success();
    assert!(!ended.stderr.contains("cut off"), "{}", ended.stderr);
    let n_frames: u32 = case.probe("nb_read_frames").lines().next().unwrap().parse().unwrap();
    assert!((29..=30).contains(&n_frames), "{n_frames}");
}

#[test]
fn a_clip_that_holds_more_than_it_announces_is_whole() {
    // Without a seekable output the header has no duration.
    let case = Case::new("live.mkv", "10").pattern(30, "10", &format!("{H264} -live 1"));
    case.becomes(30);
    // Sound that goes on, and a start that is not 0.
    let longer = "-f lavfi -i testsrc2=size=160x120:rate=10:duration=3 -f lavfi -i sine=duration=6 \
                  -c:v libx264 -pix_fmt yuv420p -c:a aac -output_ts_offset 5";
    Case::new("longer.mp4", "10").ffmpeg(longer).becomes(30);
    Case::new("longer.mkv", "10").ffmpeg(longer).becomes(30);
}

#[test]
fn tracks_of_unequal_lengths_are_a_clip() {
    let film = |seconds: u32| format!("-f lavfi -i testsrc2=size=160x120:rate=10:duration={seconds}");
    let sound = |seconds: u32| format!("-f lavfi -i sine=duration={seconds}");
    let codecs = "-c:v libx264 -tune zerolatency -threads 1 -pix_fmt yuv420p -ar 44100 -c:a aac";
    for name in ["longer.mp4", "longer.mov", "longer.mkv", "longer.flv"] {
        let longer = format!("{} {} {codecs}", film(2), sound(30));
        Case::new(name, "10").ffmpeg(&longer).becomes(20);
    }
    for name in ["shorter.mp4", "shorter.flv"] {
        Case::new(name, "10").ffmpeg(&format!("{} {} {codecs}", film(20), sound(1))).becomes(200);
    }
    let several = format!("{} {} {}", sound(30), film(2), sound(4));
    let several = format!("{several} -map 0 -map 1 -map 2 {codecs} -movflags +faststart");
    Case::new("several.mp4", "10").ffmpeg(&several).becomes(20);
    // What the whole lacks is still seen, though its length is kept from the demuxer.
    let cut = format!("{} {} {codecs} -movflags +faststart", film(2), sound(30));
    Case::new("cut.mp4", "10").ffmpeg(&cut).cut(60).refused("is cut off: it announces 30.");
}

#[test]
fn a_clip_of_jpegs_starts_each_time() {
    // `jpegparse` fails if it sets its caps while the seek to the first frame flushes it.
    let case = Case::new("a.mjpeg", "10").pattern(30, "10", "-c:v mjpeg");
    case.build().success();
    case.ws.lp("run --count 12 --duration 1s --warmup 1s --no-verdict").success();
}

#[test]
fn a_bare_stream_without_times_is_a_clip_too() {
    Case::new("a.h264", "10").pattern(30, "10", H264).becomes(30);
    Case::new("a.mjpeg", "10").pattern(30, "10", "-c:v mjpeg").becomes(30);
    Case::new("a.jpg", "10").pattern(1, "10", "").becomes(1);
}

#[test]
fn frames_that_change_their_order_are_not_called_damaged() {
    for (name, encoder) in [("a.avi", "-c:v mpeg4 -bf 2"), ("a.mpg", "-c:v mpeg2video -bf 2")] {
        let case = Case::new(name, "25").pattern(75, "25", encoder);
        let ended = case.build().success();
        assert!(!ended.stderr.contains("damaged"), "{name}: {}", ended.stderr);
    }
}

#[test]
fn a_transport_stream_has_no_length_that_it_could_lack() {
    let case = Case::new("a.ts", "10");
    let folder = case.ws.path("clips");
    ffmpeg(
        &folder,
        "-f lavfi -i testsrc2=size=160x120:rate=10:duration=2 -c:v libx264 -bf 0 -threads 1 one.ts",
    );
    ffmpeg(&folder, "-i one.ts -c copy -output_ts_offset 600 two.ts");
    let joined =
        [fs::read(folder.join("one.ts")).unwrap(), fs::read(folder.join("two.ts")).unwrap()].concat();
    fs::write(case.source(), joined).unwrap();
    // The demuxer bridges the jump of the clock, and the gap is reported.
    let ended = case.build().success();
    let n_frames: u32 = case.probe("nb_read_frames").lines().next().unwrap().parse().unwrap();
    assert!((40..50).contains(&n_frames), "{n_frames}: {}", ended.stderr);
}

#[test]
fn a_clip_whose_end_cannot_be_decoded_is_refused() {
    let case = Case::new("a.mp4", "10").pattern(30, "10", &format!("{H264} -movflags +faststart"));
    let mut bytes = fs::read(case.source()).unwrap();
    let from = bytes.len() * 60 / 100;
    bytes[from..].fill(0);
    fs::write(case.source(), bytes).unwrap();
    case.refused("`media/a.mp4` is damaged from ");
}

#[test]
fn a_jump_of_the_clock_is_refused_with_the_second() {
    let jump = "-vf setpts=PTS+if(gte(N\\,15)\\,600/TB\\,0) -vsync vfr";
    let case = Case::new("a.mp4", "10").pattern(30, "10", &format!("{jump} {H264}"));
    case.refused("has a jump of its clock: no frame for 600.1 s from 1.4 s on");
}

#[test]
fn the_film_is_transcoded_and_no_cover_or_preview() {
    let case = Case::new("a.mkv", "10");
    let folder = case.ws.path("clips");
    ffmpeg(&folder, "-f lavfi -i testsrc2=size=320x240 -frames:v 1 cover.jpg");
    ffmpeg(&folder, "-f lavfi -i testsrc2=size=80x60:rate=20:duration=3 -c:v libx264 small.mp4");
    ffmpeg(&folder, "-f lavfi -i testsrc2=size=160x120:rate=10:duration=3 -c:v libx264 film.mp4");
    let case = case.ffmpeg("-i cover.jpg -i small.mp4 -i film.mp4 -map 0 -map 1 -map 2 -c copy");
    // The preview would leave bars of 0 width, and has no copies to report.
    let ended = case.build().success();
    assert!(!ended.stderr.contains("copies"), "{}", ended.stderr);
    assert_eq!(case.probe("nb_read_frames"), "30");
}

#[test]
fn a_file_without_video_says_so() {
    let case = Case::new("a.mp4", "10").ffmpeg("-f lavfi -i sine=duration=1 -c:a aac");
    case.refused("`media/a.mp4` has no video, only `audio/mpeg`");
}

/// The brightness of the four quarters of the first frame, rounded to dark and bright.
fn quarters(clip: &Path, filter: &str) -> Vec<bool> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clip)
        .args(["-frames:v", "1", "-vf", &format!("{filter}scale=2:2:flags=area,format=gray")])
        .args(["-f", "rawvideo", "-"])
        .output()
        .unwrap();
    output.stdout.iter().map(|brightness| 128 < *brightness).collect()
}

#[test]
fn a_clip_is_turned_as_its_display_matrix_says() {
    for degrees in ["90", "180", "270"] {
        let case = Case::new("a.mp4", "10");
        let corner = "drawbox=w=80:h=60:color=white:t=fill";
        let plain =
            format!("-f lavfi -i color=black:size=160x120:rate=10:duration=1,{corner} {H264} plain.mp4");
        ffmpeg(&case.ws.path("clips"), &plain);
        let case = case.ffmpeg("-i plain.mp4 -c copy");
        turn(&case.source(), degrees);
        case.becomes(10);
        // As `ffmpeg`, which turns it by itself, with bars at the sides.
        let bars = if degrees == "180" { "" } else { "crop=90:120:35:0," };
        let turned = quarters(&case.source(), "");
        assert_eq!(quarters(&case.transcoded(), bars), turned, "{degrees}");
        assert_ne!(turned, [true, false, false, false]);
    }
}

/// Turns the picture of an MP4 of 160x120 by the matrix of its track, as cameras do: versions of ffmpeg have
/// other options for it.
pub(crate) fn turn(clip: &Path, degrees: &str) {
    const ONE: i32 = 0x1_0000;
    let [a, b, c, d, x, y] = match degrees {
        "90" => [0, ONE, -ONE, 0, 120 * ONE, 0],
        "180" => [-ONE, 0, 0, -ONE, 160 * ONE, 120 * ONE],
        _ => [0, -ONE, ONE, 0, 0, 160 * ONE],
    };
    let mut bytes = fs::read(clip).unwrap();
    let name = bytes.windows(4).position(|name| name == b"tkhd").unwrap();
    // Of version 0: times, number and length of the track, layer and volume are before it.
    let matrix = &mut bytes[name + 4 + 40..][..36];
    for (place, value) in matrix.chunks_mut(4).zip([a, b, 0, c, d, 0, x, y, 0x4000_0000]) {
        place.copy_from_slice(&value.to_be_bytes());
    }
    fs::write(clip, bytes).unwrap();
}

#[test]
fn an_interlaced_clip_becomes_progressive_at_the_rate_of_its_frames_or_fields() {
    for (first, rates) in [("tff", &[("25", 50), ("50", 100)][..]), ("bff", &[("25", 50)])] {
        for (fps, n_frames) in rates {
            let case = Case::new("a.mp4", fps).ffmpeg(&format!(
                "-f lavfi -i testsrc2=size=160x120:rate=50:duration=2 -vf interlace=scan={first} \
                 -pix_fmt yuv420p {H264} -flags +ildct+ilme -x264opts {first}=1"
            ));
            let ended = case.build().success();
            assert!(!ended.stderr.contains("copies"), "{}", ended.stderr);
            assert_eq!(case.probe("nb_read_frames"), n_frames.to_string());
            // Each is a picture of its own.
            assert_eq!(distinct(&case.transcoded()), *n_frames, "{first} {fps}");
        }
    }
}

/// Pictures that differ from the one before them.
fn distinct(clip: &Path) -> usize {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clip)
        .args(["-vf", "mpdecimate=max=0:hi=64:lo=64:frac=0", "-vsync", "vfr", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn a_clip_is_as_long_as_its_source_at_any_rate() {
    Case::new("a.mp4", "14.95").pattern(30, "14.95", H264).becomes(30);
    for (fps, n_frames) in [("15", 30), ("30", 60), ("12.5", 25)] {
        Case::new("a.mp4", fps).pattern(60, "30000/1001", H264).becomes(n_frames);
    }
}

#[test]
fn copies_are_reported_and_none_are_made_with_drop_only() {
    let third = "-vf select=not(mod(n\\,3)) -vsync vfr";
    let case = Case::new("a.mp4", "15").pattern(10, "15", &format!("{third} {H264}"));
    let ended = case.build().success();
    let note = "18 of 28 frames of `media/clips/a-160x120-15.mp4` are copies";
    assert!(ended.stderr.contains(note), "{}", ended.stderr);
    case.ws.write("Lpfile.toml", &format!("{}[clip]\ndrop_only = true\n", case.ws.read("Lpfile.toml")));
    let ended = case.build().success();
    assert!(!ended.stderr.contains("copies"), "{}", ended.stderr);
    assert_eq!(case.probe("nb_read_frames"), "10");
}

#[test]
fn full_range_stays_full_range() {
    let full = "-vf scale=out_range=full -color_range pc -c:v libx264 -pix_fmt yuvj420p";
    let case = Case::new("a.mp4", "10")
        .ffmpeg(&format!("-f lavfi -i testsrc2=size=160x120:rate=10 -frames:v 10 {full}"));
    case.becomes(10);
    assert_eq!(case.probe("color_range"), "pc");
}

#[test]
fn a_clip_has_a_link_with_upstreams_name_and_tells_its_progress() {
    let case = Case::new("a.mp4", "15").pattern(60, "30", H264);
    let (media, link) = (case.ws.path("media"), case.ws.path("media/a-160-15-bench.mp4"));
    let events = case.ws.lp("build assets --json").success().stdout;
    let progress = |line: &&str| line.contains(r#""event":"task_encoded""#);
    let last = events.lines().rfind(progress).expect("a worker reports before it ends");
    assert!(
        last.contains(r#""label":"transcode:a.mp4@160x120@15","done_ms":2000,"total_ms":2000"#),
        "{last}"
    );
    let target = || fs::read_link(&link).map(|target| target.display().to_string()).ok();
    assert_eq!(target().unwrap(), "clips/a-160x120-15.mp4");
    assert_eq!(fs::read(&link).unwrap(), fs::read(case.transcoded()).unwrap());
    // A build with nothing to do looks for no link, and no build for one of its own kind.
    fs::remove_file(&link).unwrap();
    case.build().success().stderr_has("nothing to do");
    assert_eq!(target(), None);
    std::os::unix::fs::symlink("clips/a-160x90-15.mp4", &link).unwrap();
    fs::remove_file(case.transcoded()).unwrap();
    case.build().success().stderr_has("restored");
    assert_eq!(target().unwrap(), "clips/a-160x120-15.mp4");
    case.ws.lp("clean -n").success().stdout_has("media/a-160-15-bench.mp4\n");
    case.ws.lp("clean").success();
    assert!(target().is_none() && !media.join("clips/a-160x120-15.mp4").exists());

    // A file at its place stays.
    fs::write(&link, "mine").unwrap();
    case.build().success();
    case.ws.lp("clean").success();
    assert_eq!(fs::read(&link).unwrap(), b"mine");
    fs::remove_file(&link).unwrap();

    // Two heights have one name upstream, so neither has it here.
    let cameras = case.ws.read("configs/camera_to_workload.json");
    let other = r#"{"camera_id": "door", "fileSrc": "a.mp4|http://127.0.0.1:9/", "width": 160, "height": 90, "fps": 15, "workloads": ["codes"]}, "#;
    case.ws.write("configs/camera_to_workload.json", &cameras.replacen("[{", &format!("[{other}{{"), 1));
    let ended = case.ws.lp("build -v assets").success();
    let note = "note: `media/a-160-15-bench.mp4`, upstream's name, would stand for \
                `media/clips/a-160x120-15.mp4` and `media/clips/a-160x90-15.mp4`\n";
    assert_eq!(ended.stderr.matches(note).count(), 1, "{}", ended.stderr);
    assert_eq!(target(), None);
}
