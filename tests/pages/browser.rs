//! Debian's Chromium, driven by its DevTools protocol over two pipes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A browser without a window. It ends with this value.
pub struct Browser {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    n: u64,
    /// Pages that were loaded whole.
    loaded: u64,
    /// What pages said on their consoles, and errors of their scripts.
    pub complaints: Vec<String>,
    /// What pages asked for and was not refused, by the request's id.
    pub asked: BTreeMap<String, String>,
    _profile: tempfile::TempDir,
}

/// An open page of a [`Browser`].
pub struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
}

impl Browser {
    pub fn start() -> Browser {
        let profile = tempfile::tempdir().unwrap();
        // The browser reads its orders from file 3 and writes its answers to file 4.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe \
                      --user-data-dir=\"$0\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
        let mut process = Command::new("sh")
            .args(["-c", script])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Browser {
            process,
            orders,
            answers,
            n: 0,
            loaded: 0,
            complaints: Vec::new(),
            asked: BTreeMap::new(),
            _profile: profile,
        }
    }

    /// Opens a file, so many pixels wide.
    pub fn open(&mut self, file: &Path, width: u32) -> Page<'_> {
        self.open_at(&format!("file://{}", file.display()), width)
    }

    /// Opens a place.
    pub fn open_at(&mut self, place: &str, width: u32) -> Page<'_> {
        let target = self.ask(None, "Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.ask(None, "Target.attachToTarget", &attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let mut page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            page.ask(&format!("{domain}.enable"), &json!({}));
        }
        page.resize(width);
        page.go(place);
        page
    }

    fn ask(&mut self, session: Option<&str>, method: &str, params: &Value) -> Value {
        self.n += 1;
        let mut order = json!({ "id": self.n, "method": method, "params": params });
        if let Some(session) = session {
            order["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&order).unwrap();
        bytes.push(0);
        self.orders.write_all(&bytes).unwrap();
        self.orders.flush().unwrap();
        loop {
            let message = self.hear();
            if message["id"] == self.n {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    fn hear(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        match message["method"].as_str() {
            Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                self.complaints.push(message["params"].to_string());
            }
            Some("Page.loadEventFired") => self.loaded += 1,
            Some("Network.requestWillBeSent") => {
                let url = message["params"]["request"]["url"].as_str().unwrap_or_default().to_owned();
                if !url.starts_with("file://") && !url.starts_with("data:") {
                    self.asked.insert(message["params"]["requestId"].to_string(), url);
                }
            }
            // The browser itself stopped it.
            Some("Network.loadingFailed") if message["params"]["blockedReason"] == "csp" => {
                self.asked.remove(&message["params"]["requestId"].to_string());
            }
            _ => {}
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Page<'_> {
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }

    /// Loads a place, and waits until that is done.
    pub fn go(&mut self, place: &str) {
        let before = self.browser.loaded;
        self.ask("Page.navigate", &json!({ "url": place }));
        while self.browser.loaded == before {
            self.browser.hear();
        }
    }

    pub fn resize(&mut self, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &size);
    }

    pub fn dark(&mut self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.ask("Emulation.setEmulatedMedia", &media);
    }

    pub fn scripts(&mut self, are_off: bool) {
        self.ask("Emulation.setScriptExecutionDisabled", &json!({ "value": are_off }));
    }

    /// The value of an expression of JavaScript.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.ask("Runtime.evaluate", &params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Nodes of the accessibility tree that are not ignored: role and name.
    pub fn tree(&mut self) -> Vec<(String, String)> {
        let tree = self.ask("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        nodes.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// A picture of the whole page, for people.
    pub fn picture(&mut self, file: &Path) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.ask("Page.captureScreenshot", &params);
        std::fs::write(file, STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// The page on paper.
    pub fn print(&mut self) -> Vec<u8> {
        let params = json!({ "printBackground": true, "preferCSSPageSize": true, "paperWidth": 8.27, "paperHeight": 11.69 });
        let printed = self.ask("Page.printToPDF", &params);
        STANDARD.decode(printed["data"].as_str().unwrap()).unwrap()
    }
}
