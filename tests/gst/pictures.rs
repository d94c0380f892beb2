//! The pictures of clips that are made: their colours, their shape, and who encodes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::check::without;
use crate::clips::{Case, H264};

#[test]
fn a_high_dynamic_range_is_refused_with_its_name() {
    // Some versions of ffmpeg write what the options say, others what the frames say.
    let colours = |transfer: &str| {
        format!(
            "-vf format=yuv420p10le,setparams=color_primaries=bt2020:colorspace=bt2020nc:color_trc={transfer} \
             -color_primaries bt2020 -colorspace bt2020nc -color_trc {transfer}"
        )
    };
    let x265 = |transfer: &str| {
        format!("-c:v libx265 -x265-params log-level=none:colorprim=9:transfer={transfer}:colormatrix=9")
    };
    // Its container names the matrix only.
    let by_half = "-vf format=yuv420p10le,setparams=colorspace=bt2020nc -colorspace bt2020nc";
    for (name, encoder, transfer) in [
        ("a.mp4", format!("{} {}", x265("16"), colours("smpte2084")), "PQ"),
        ("b.mkv", format!("{} {}", x265("18"), colours("arib-std-b67")), "HLG"),
        ("c.mp4", format!("-c:v libx264 -threads 1 {}", colours("smpte2084")), "PQ"),
        ("d.mkv", format!("-c:v libx264 -threads 1 {}", colours("arib-std-b67")), "HLG"),
        ("e.ts", format!("{} {}", x265("16"), colours("smpte2084")), "PQ"),
        ("f.mkv", format!("{} {by_half}", x265("18")), "HLG"),
        ("g.mp4", format!("{} {by_half}", x265("16")), "PQ"),
    ] {
        let made = format!("-f lavfi -i testsrc2=size=160x120:rate=10 -frames:v 10 {encoder}");
        Case::new(name, "10")
            .ffmpeg(&made)
            .refused(&format!("`media/{name}` has a high dynamic range ({transfer})"));
    }
}

#[test]
fn ten_bits_become_eight() {
    for (name, encoder) in
        [("a.mp4", "-c:v libx264 -threads 1"), ("b.mkv", "-c:v libx265 -x265-params log-level=none")]
    {
        let made =
            format!("-f lavfi -i testsrc2=size=160x120:rate=10 -frames:v 10 -pix_fmt yuv420p10le {encoder}");
        let case = Case::new(name, "10").ffmpeg(&made);
        case.becomes(10);
        assert_eq!(case.probe("pix_fmt"), "yuv420p", "{name}");
        let facts = fs::read_to_string(case.transcoded().with_extension("json")).unwrap();
        assert!(facts.contains("it has 10 bits per sample, not 8"), "{facts}");
    }
}

/// The brightness of the middle of each edge, left, right, top and bottom: bright or dark.
fn edges(clip: &Path) -> [bool; 4] {
    let bright = |x: u32, y: u32| {
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(clip)
            .args(["-frames:v", "1", "-vf", &format!("crop=2:2:{x}:{y},scale=1:1,format=gray")])
            .args(["-f", "rawvideo", "-"])
            .output()
            .unwrap();
        100 < output.stdout[0]
    };
    [bright(2, 60), bright(156, 60), bright(80, 2), bright(80, 116)]
}

#[test]
fn a_picture_of_other_proportions_gets_bars_or_is_stretched_or_cut_off() {
    // Bright, with a dark edge on the left.
    let wide =
        "-f lavfi -i color=white:size=320x120:rate=10:duration=1,drawbox=w=40:h=120:color=black:t=fill";
    for (shape, expected, stated) in [
        ("letterbox", [false, true, false, false], "50 % of the height are bars"),
        ("stretch", [false, true, true, true], "its picture is stretched by 100 % in height"),
        ("crop", [true, true, true, true], "50 % of the width of its picture are cut off"),
    ] {
        let case = Case::new("a.mp4", "10").ffmpeg(&format!("{wide} -pix_fmt yuv420p {H264}"));
        case.ws
            .write("Lpfile.toml", &format!("{}[clip]\nshape = \"{shape}\"\n", case.ws.read("Lpfile.toml")));
        case.build().success();
        let suffix = if shape == "letterbox" { String::new() } else { format!("-{shape}") };
        let clip = case.ws.path(&format!("media/clips/a-160x120-10{suffix}.mp4"));
        assert_eq!(edges(&clip), expected, "{shape}");
        let facts = fs::read_to_string(clip.with_extension("json")).unwrap();
        assert!(facts.contains(stated), "{facts}");
    }
}

#[test]
fn pixels_that_are_not_square_become_square() {
    // As wide as 320x120, so that bars are above and below.
    let case = Case::new("a.mp4", "10").ffmpeg(&format!(
        "-f lavfi -i color=white:size=160x120:rate=10:duration=1 -vf setsar=2/1 -pix_fmt yuv420p {H264}"
    ));
    case.becomes(10);
    assert_eq!(edges(&case.transcoded()), [true, true, false, false]);
    assert_eq!(case.probe("sample_aspect_ratio"), "1:1");
}

#[test]
fn sound_is_left_out_of_what_is_made() {
    let both = "-f lavfi -i testsrc2=size=320x240:rate=10:duration=1 -f lavfi -i sine=duration=1 \
                -c:v libx264 -threads 1 -pix_fmt yuv420p -c:a aac";
    let case = Case::new("a.mp4", "10").ffmpeg(both);
    case.becomes(10);
    let streams = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0"])
        .arg(case.transcoded())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(streams.stdout).unwrap(), "video\n");
}

#[test]
fn without_x264_the_encoder_is_openh264() {
    let case = Case::new("a.mp4", "10").ffmpeg(
        "-f lavfi -i testsrc2=size=320x240:rate=10 -frames:v 20 -pix_fmt yuv420p -c:v libx264 -threads 1",
    );
    let case = case.with(|ws| without(ws, "x264"));
    case.becomes(20);
    assert_eq!(case.probe("profile"), "Constrained Baseline");
    let first = fs::read(case.transcoded()).unwrap();
    for folder in [".lpcache", "media/clips"] {
        fs::remove_dir_all(case.ws.path(folder)).unwrap();
    }
    case.becomes(20);
    assert!(fs::read(case.transcoded()).unwrap() == first, "the bytes differ");
}

#[test]
fn an_encoder_that_is_named_is_used_and_one_that_is_missing_is_refused() {
    let larger =
        "-f lavfi -i testsrc2=size=320x240:rate=10 -frames:v 20 -pix_fmt yuv420p -c:v libx264 -threads 1";
    let case = Case::new("a.mp4", "10").ffmpeg(larger);
    let lpfile = case.ws.read("Lpfile.toml");
    case.ws.write("Lpfile.toml", &format!("{lpfile}[clip]\nencoder = \"x265enc\"\n"));
    case.build().success();
    let facts = case.ws.read("media/clips/a-160x120-10-x265enc.json");
    assert!(facts.contains("\"codec\": \"h265\""), "{facts}");
    case.ws.write("Lpfile.toml", &format!("{lpfile}[clip]\nencoder = \"nvh265enc\"\n"));
    case.build().code(2).stderr_has("nvh265enc");
    case.ws.write("Lpfile.toml", &format!("{lpfile}[clip]\ncodec = \"vp9\"\nencoder = \"x265enc\"\n"));
    case.ws.lp("check").code(2).stderr_has("`encoder` does not go with `codec = \"vp9\"`");
}
