//! `gvametapublish`: writes the texts of `gvametaconvert` to a file.
//!
//! With `file-format=json-lines`, each text is a line and is written at once, so a worker that is
//! killed leaves whole lines. With `json` the file is one array, which is complete only at the
//! end of the stream. Without `file-path` texts go to the worker's log. Brokers (`method=mqtt`,
//! `kafka`) are not supported.

use std::io::Write;
use std::path::{Path, PathBuf};

use gst::glib;
use gst::glib::prelude::*;
use gstreamer as gst;

use super::convert;
use super::element::{About, Settings, Work};
use crate::output::log;

/// `file-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "LpGvaFileFormat")]
enum Format {
    #[default]
    #[enum_value(name = "One array", nick = "json")]
    Json = 1,
    #[enum_value(name = "A text a line", nick = "json-lines")]
    JsonLines = 2,
}

pub(super) struct Publish {
    path: PathBuf,
    /// `None`: the log.
    file: Option<Box<dyn Write + Send>>,
    is_array: bool,
    n_texts: u64,
    has_ended: bool,
}

impl Work for Publish {
    const ABOUT: About = About {
        name: "Metadata to file",
        class: "Metadata",
        description: "Writes the texts of frames to a file",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        let text = |name: &'static str, blurb: &'static str| {
            glib::ParamSpecString::builder(name).blurb(blurb).build()
        };
        vec![
            text("method", "file; brokers are not supported"),
            text("file-path", "The file; by default the worker's log"),
            text("address", "Not supported: the address of a broker"),
            text("topic", "Not supported: a topic of a broker"),
            glib::ParamSpecEnum::builder_with_default("file-format", Format::Json)
                .blurb("One array, or a text a line")
                .build(),
        ]
    }

    fn caps() -> gst::Caps {
        gst::Caps::new_any()
    }

    fn start(settings: &Settings, _: &gst::Element) -> Result<Publish, String> {
        if let Some(method) = settings.text("method").filter(|method| method != "file") {
            return Err(format!("`method={method}` is not supported; supported: `file`"));
        }
        let is_array = settings.word("file-format") != "json-lines";
        let path = settings.text("file-path").filter(|path| path != "stdout").map(PathBuf::from);
        let file = path.as_deref().map(create).transpose()?;
        let path = path.unwrap_or_default();
        Ok(Publish { path, file, is_array, n_texts: 0, has_ended: false })
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let Some(text) = convert::text(buffer) else { return Ok(()) };
        let before = match (self.is_array, self.n_texts) {
            (false, _) => "",
            (true, 0) => "[",
            (true, _) => ",",
        };
        self.n_texts += 1;
        let after = if self.is_array { "" } else { "\n" };
        self.write(&format!("{before}{text}{after}"))
    }

    fn end(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.has_ended, true) || !self.is_array {
            return Ok(());
        }
        self.write(if self.n_texts == 0 { "[]\n" } else { "]\n" })
    }
}

impl Publish {
    fn write(&mut self, text: &str) -> Result<(), String> {
        let Some(file) = &mut self.file else {
            log(text.trim_end());
            return Ok(());
        };
        file.write_all(text.as_bytes())
            .map_err(|error| format!("`{}` cannot be written: {error}", self.path.display()))
    }
}

fn create(path: &Path) -> Result<Box<dyn Write + Send>, String> {
    match lp::os::fs::create(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(format!("`{}` cannot be written: {}", path.display(), error.source)),
    }
}
