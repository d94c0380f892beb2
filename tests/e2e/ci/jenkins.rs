//! The shell steps of a declarative Jenkinsfile, in order, with the stage's branch and whether they
//! run after a failure. Groovy beside them is not run.

/// A step `sh '...'` or `sh '''...'''`.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) script: String,
    /// `when { branch 'main' }`
    pub(crate) branch: Option<String>,
    /// In `post { always { ... } }`.
    pub(crate) always: bool,
}

/// All shell steps. Panics at one that it does not understand.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut branch, mut always) = (Vec::new(), None, false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.starts_with("stage(") {
            branch = None;
        }
        if let Some(name) = line.strip_prefix("when { branch '") {
            branch = Some(name.strip_suffix("' }").expect("a branch in quotes").to_owned());
        }
        if line == "always {" {
            (always, branch) = (true, None);
        }
        let Some(rest) = line.strip_prefix("sh ") else {
            assert!(!line.starts_with("sh(") && !line.contains(" sh("), "`{line}` is not understood");
            continue;
        };
        let script = if rest == "'''" {
            let body = lines.by_ref().take_while(|line| line.trim() != "'''");
            body.map(|line| format!("{line}\n")).collect()
        } else {
            let script = rest.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            script.unwrap_or_else(|| panic!("`{line}` is not understood")).to_owned()
        };
        // Groovy would take a backslash in quotes for its own.
        assert!(!script.contains('\\'), "{script}");
        steps.push(Step { script, branch: branch.clone(), always });
    }
    assert_eq!(text.matches('{').count(), text.matches('}').count(), "the braces match");
    steps
}
