//! The shell steps of a declarative Jenkinsfile, in order, with the stage's branch and whether they
//! run after a failure, and what is done with their exit codes. Other Groovy beside them is not run.

/// A step `sh '...'`, `sh '''...'''` or `def code = sh(returnStatus: true, script: '...')`.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) script: String,
    /// `when { branch 'main' }`, or `when { not { branch 'main' } }` with `false`.
    pub(crate) branch: Option<(String, bool)>,
    /// In `post { always { ... } }`.
    pub(crate) always: bool,
    /// What is done with an exit code, the first that applies; without, the step fails unless it is 0.
    pub(crate) handled: Option<Vec<(Condition, Action)>>,
}

/// `code == 3`, `code != 0`
#[derive(Debug)]
pub(crate) struct Condition {
    is: bool,
    code: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pass,
    /// `unstable('...')`
    Unstable,
    /// `error('...')`
    Fail,
}

impl Step {
    /// What the build does after this step has ended with `code`.
    pub(crate) fn after(&self, code: i32) -> Action {
        let Some(handled) = &self.handled else {
            return if code == 0 { Action::Pass } else { Action::Fail };
        };
        let found = handled.iter().find(|(condition, _)| (condition.code == code) == condition.is);
        found.map_or(Action::Pass, |(_, action)| *action)
    }
}

/// All shell steps. Panics at one that it does not understand.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut branch, mut always) = (Vec::new(), None, false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.starts_with("stage(") {
            (always, branch) = (false, None);
        }
        let negated = line.strip_prefix("when { not { branch '").and_then(|rest| rest.strip_suffix("' } }"));
        let plain = line.strip_prefix("when { branch '").and_then(|rest| rest.strip_suffix("' }"));
        match (plain, negated) {
            (Some(name), _) => branch = Some((name.to_owned(), true)),
            (_, Some(name)) => branch = Some((name.to_owned(), false)),
            _ => assert!(!line.starts_with("when "), "`{line}` is not understood"),
        }
        if line == "always {" {
            (always, branch) = (true, None);
        }
        let with_code = line.strip_prefix("def code = sh(returnStatus: true, script: '");
        if let Some(script) = with_code.and_then(|rest| rest.strip_suffix("')")) {
            let (script, handled) = (script.to_owned(), Some(handled(&mut lines)));
            steps.push(Step { script, branch: branch.clone(), always, handled });
            continue;
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
        steps.push(Step { script, branch: branch.clone(), always, handled: None });
    }
    assert_eq!(text.matches('{').count(), text.matches('}').count(), "the braces match");
    steps
}

/// `if (code == 3) {`, an action, `} else if (code != 0) {`, an action, `}`.
fn handled<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<(Condition, Action)> {
    let mut handled = Vec::new();
    let mut next = || lines.next().expect("a line about the code").trim();
    let mut line = next();
    while line != "}" {
        let condition = line.trim_start_matches("} else ").strip_prefix("if (code ");
        let condition = condition.and_then(|rest| rest.strip_suffix(") {")).and_then(|rest| {
            let (operator, code) = rest.split_once(' ')?;
            Some(Condition { is: operator == "==", code: code.parse().ok()? })
        });
        let condition = condition.unwrap_or_else(|| panic!("`{line}` is not understood"));
        let action = match next() {
            action if action.starts_with("unstable(") => Action::Unstable,
            action if action.starts_with("error(") => Action::Fail,
            other => panic!("`{other}` is not understood"),
        };
        handled.push((condition, action));
        line = next();
    }
    handled
}
